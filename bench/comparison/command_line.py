"""The options that the benchmarks share."""

import argparse
import pathlib
import sys

from comparison.machine import ROOT, available_mib


def positive(convert):
    """An argparse type: `convert`, and nothing at or below 0."""
    def parse(text):
        value = convert(text)
        if value <= 0:
            raise ValueError(text)
        return value
    parse.__name__ = "positive number"
    return parse


def parser(description, seconds):
    result = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--quick", action="store_true", help="everything, but once and shortly")
    result.add_argument("--rounds", type=positive(int), help="how often (default 3)")
    result.add_argument("--seconds", type=positive(float),
                        help=f"of each measurement (default {seconds})")
    result.add_argument("--output", type=pathlib.Path, default=ROOT / "docs", metavar="DIR",
                        help="where performance.json and charts go (default docs)")
    return result


def parse(options, seconds, quick_seconds):
    """The options of the command line; rounds and seconds as given, else by --quick or default."""
    arguments = options.parse_args()
    if not arguments.output.is_dir():
        sys.exit(f"{arguments.output} is not a directory")
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (quick_seconds if arguments.quick else seconds)
    return arguments


def need_memory(mib):
    """Ends the program before the machine runs out of memory."""
    if available_mib() < mib:
        sys.exit(f"this takes {mib} MiB of memory, and {available_mib()} MiB are available")
