#!/bin/bash
# The example makes a disk, which keeps what is written and breaks where it should.
# usage: example.sh PROGRAM
set -euo pipefail
diff - <("$1") <<'END'
read back: written without FUSE, Success
the disk says: disk: 512 bytes at 1048576 have a bad sector; badblocks lists them, and -FIRST-LAST written there makes them good
sector 2048: Input/output error
when it has been made good: Success
refused: blocksize: cannot change while the device is powered; write 0 to power first
data from 4096 to 8192
END
