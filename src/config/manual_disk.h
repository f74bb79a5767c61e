// What rnullfs(8) says of the file `disk`, in troff's man macros.
#ifndef RNULLFS_CONFIG_MANUAL_DISK_H_
#define RNULLFS_CONFIG_MANUAL_DISK_H_

#include <string_view>

namespace rnullfs {

inline constexpr std::string_view kManualDisk = R"troff(.SH THE DISK AS A FILE
Its size is fixed: writing past the end and extending it fail with
.BR ENOSPC
(through passthrough, with
.BR EPERM ,
and a write across the end is cut there).
Truncating it, with
.BR truncate (2)
or
.BR O_TRUNC ,
does to the contents what it does to a file's: what lies behind the new length reads as zeros and its
memory is freed, whatever
.I discard
is, while the size stays.
So a copy that skips zeros
.RB ( cp ,
.BR \(dqqemu\-img\~convert\(dq ,
.B dd
conv=sparse) gives the same as on a file, and a
.B dd
that is to leave the rest of the disk alone needs conv=notrunc.
Truncation is no request of a disk: bad sectors, limits and faults do not concern it.
What a program has stored in a mapping and not yet written back
.RB ( msync (2))
may come after it.
.BR fallocate (2)
with
.B FALLOC_FL_KEEP_SIZE
leaves out what lies past the end.
Punching holes
.RB ( fallocate (1),
a discard on a loop device) frees memory, where
.I discard
is 1;
zeroing a range (fallocate \-z \-n) always works.
A loop device asks for a hole whether it was told to discard or to zero: on a disk with
.I discard
0 both zero the range and keep its memory, so that
.BR blkdiscard (8)
succeeds there and frees nothing.
.B SEEK_DATA
and
.B SEEK_HOLE
tell what is stored.
)troff";

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MANUAL_DISK_H_
