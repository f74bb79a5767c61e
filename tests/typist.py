#!/usr/bin/env python3
"""Runs a program on a terminal of its own and types what it is told, for tests of editors.

usage: typist.py KEYS... -- COMMAND [ARGUMENT...]

Each KEYS, with Python's escapes (\\x1b, \\r), is typed when the program has fallen silent.  What
the program shows goes to stdout; the exit status is the program's.
"""
import os
import pty
import select
import sys

SILENCE_SEC = 0.3
START_SEC = 10


def show_until_silent(terminal, first_sec):
    """Copies to stdout; False when the program has ended."""
    patience = first_sec
    while select.select([terminal], [], [], patience)[0]:
        try:
            shown = os.read(terminal, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        if not shown:
            return False
        os.write(1, shown)
        patience = SILENCE_SEC
    return True


def main(words):
    divider = words.index("--")
    keys, command = words[:divider], words[divider + 1:]
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execvp(command[0], command)
    running = show_until_silent(terminal, START_SEC)
    for word in keys:
        if running:
            os.write(terminal, word.encode().decode("unicode_escape").encode("latin-1"))
            running = show_until_silent(terminal, SILENCE_SEC)
    if running and show_until_silent(terminal, START_SEC):
        print("it waits for more keys: hanging up", file=sys.stderr)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
