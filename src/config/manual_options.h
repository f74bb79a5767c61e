// What rnullfs(8) says of the mount options that need more than a sentence, in troff's man macros.
#ifndef RNULLFS_CONFIG_MANUAL_OPTIONS_H_
#define RNULLFS_CONFIG_MANUAL_OPTIONS_H_

#include <string_view>

namespace rnullfs {

inline constexpr std::string_view kManualHuge =
    R"troff(Which parts of a disk that is open through passthrough are put into huge pages of 2 MiB, in the
background:
.BR never ,
those that are wholly stored
.RB ( advise ,
the default, which costs no memory),
or all in which anything is stored
.RB ( always ).
It takes Linux 6.1, and
.I /sys/kernel/mm/transparent_hugepage/shmem_enabled
may not be deny;
.I status.json
says in
.I huge
what holds.
Large requests run about twice as fast then.
)troff";

inline constexpr std::string_view kManualTransport = R"troff(How requests come from the kernel:
.B dev
reads them from /dev/fuse,
.B uring
takes them through io_uring (Linux 6.14 and later, with
.I /sys/module/fuse/parameters/enable_uring
set to Y, and a libfuse built for it).
Where that cannot be had, the mount falls back to
.B dev
and says why on stderr and in
.IR status.json .
A ring has one thread for each processor:
while a delayed answer is awaited, that processor's other requests wait, too.
.B uring
is hence for disks with
.I irqmode
0, and the default,
.BR auto ,
is
.BR dev .
)troff";

inline constexpr std::string_view kManualGuard = R"troff(With
.B on
(the default) two processes belong to a mount; see RELIABILITY.
.B off
runs one, with which the disks end.
.B transport=uring
needs it.
)troff";

inline constexpr std::string_view kManualMountFlags = R"troff(As in
.BR mount (8).
.PP
What
.BR fstab (5)
lines carry for other programs
.RB ( defaults ", " nofail ", " user ", " x\-...\& )
is ignored, and so is what means nothing to FUSE
.RB ( lazytime ", " strictatime ", " iversion ", " mand ).
.B default_permissions
and
.B allow_other
need not be given:
the kernel always checks permissions, and other users are let in wherever the system allows it.
.PP
.B remount
changes these flags of a mount that is there, as in
.BR "mount \-o remount,ro" ;
an option of the disks or of the mount that differs from what it was made with is refused.
A mount on a mount of
.B rnullfs
that serves is refused, too.
)troff";

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MANUAL_OPTIONS_H_
