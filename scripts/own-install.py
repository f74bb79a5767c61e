#!/usr/bin/env python3
"""Takes back what subprojects have installed: they are linked statically, and nobody wants our
libfuse's headers in place of the system's.  meson has a flag for that (meson install
--skip-subprojects), but no default; it runs this at the end of every install.

Only what is the very file that a subproject would put there is removed.
"""
import filecmp
import json
import os
import pathlib

source = pathlib.Path(os.environ["MESON_SOURCE_ROOT"]) / "subprojects"
build = pathlib.Path(os.environ["MESON_BUILD_ROOT"])
installed = json.loads((build / "meson-info/intro-installed.json").read_text())
for made, place in installed.items():
    made = pathlib.Path(made)
    # pkg-config's files are made in a directory that all projects share.
    if not (made.is_relative_to(source) or made.is_relative_to(build / "subprojects") or
            (made.suffix == ".pc" and made.name != "rnullfs.pc")):
        continue
    there = pathlib.Path(os.environ.get("DESTDIR", "") + place)
    if not there.is_file() or not made.is_file() or not filecmp.cmp(made, there, shallow=False):
        continue
    there.unlink()
    print("not kept, a subproject's:", there)
    for directory in there.parents:
        # What is empty in a system's own prefix may have been so before.
        if "DESTDIR" not in os.environ and directory.name != "fuse3":
            break
        try:
            directory.rmdir()
        except OSError:  # something else is in it
            break
