// The last sections of rnullfs(8), in troff's man macros: errors, signals, examples.
#ifndef RNULLFS_CONFIG_MANUAL_END_H_
#define RNULLFS_CONFIG_MANUAL_END_H_

#include <string_view>

namespace rnullfs {

inline constexpr std::string_view kManualEnd = R"troff(.SH ERRORS
Each refusal leaves its reason in
.IR last_error .
.TP
.B EINVAL
A value, or a text that is not accepted; a bad name for a disk;
a request that is no multiple of
.IR blocksize .
.TP
.B EBUSY
The disk is powered, or
.I disk
is open, or mapped by a program that has closed it; a request to a disk that has as many waiting for
their answers as one may have beside the others of the mount (a quarter of what is free of 49,152, and of
2 GiB that reads hold; 256 in any case).
.TP
.B ENOSPC
A write past the end of the disk, no memory for what is written (see
.BR memory_limit ),
or a size that cannot be had at power-on;
a device more than the 16,384 that a mount may have.
.TP
.B EPERM
What the tree has no place for: nested directories, new files, links, renaming;
a write past the end of a disk through passthrough.
.TP
.B EIO
A request that touches bad blocks.
.TP
.B ETIMEDOUT
A request that a fault has lost.
.TP
.B EFAULT
Power-on, where a fault was asked for.
.TP
.B EOPNOTSUPP
A hole punched in
.I disk
where
.I discard
is 0;
.I datapath
is
.I passthrough
and the kernel, libfuse or the missing
.B CAP_SYS_ADMIN
does not allow it.
.TP
.B EACCES
Writing to a file that can only be read.
.TP
.B EEXIST
A disk of that name exists.
.TP
.B ENAMETOOLONG
A name of more than 255 bytes.
.TP
.B ENOENT
.I disk
while the disk is off.
.TP
.B EFBIG
More than 64 KiB written to
.I config.json
without completing an object.
.SH SIGNALS
On
.B SIGTERM
or
.B SIGINT
.B rnullfs
unmounts the file system and exits; the guard hands these signals on to the worker.
While disks are in use it names them (in the log and in
.IR status.json ),
and does so when they are closed, also should the worker die meanwhile; a second signal unmounts at
once.
.B SIGUSR2
to the guard is what
.B \-\-upgrade
sends.
.SH EXIT STATUS
.TP
.B 0
The file system has been mounted and, with
.BR \-f ,
unmounted again.
.TP
.B 1
It has not, or not all disks have been rescued; the reason is on standard error.
.SH EXAMPLES
A disk of 8 GiB, made a block device that carries a file system:
.PP
.in +4n
.EX
# rnullfs \-o nr_devices=0 /mnt
# mkdir /mnt/fast
# echo 8192 > /mnt/fast/size
# echo 1 > /mnt/fast/memory_backed
# echo 1 > /mnt/fast/power
# losetup \-\-find \-\-show \-\-direct\-io=on /mnt/fast/disk
/dev/loop0
# mkfs.ext4 /dev/loop0
.EE
.in
.PP
The same disk in one step:
.PP
.in +4n
.EX
# echo \(aq{"size": "8G", "memory_backed": true, "power": true}\(aq \e
    > /mnt/fast/config.json
.EE
.in
.PP
One that answers reads with zeros after 50 microseconds, measured without a block device:
.PP
.in +4n
.EX
# rnullfs \-o irqmode=2,completion_nsec=50000,power /mnt
# fio \-\-name=read \-\-filename=/mnt/rnullb0/disk \-\-rw=randread \e
    \-\-direct=1 \-\-time_based \-\-runtime=10
.EE
.in
.PP
A line of
.BR fstab (5):
.PP
.in +4n
.EX
disks  /mnt  fuse.rnullfs  nofail,gb=8,memory_backed,power  0  0
.EE
.in
.SH SEE ALSO
.BR fio (1),
.BR fusermount3 (1),
.BR fallocate (1),
.BR losetup (8),
.BR mount (8)
)troff";

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MANUAL_END_H_
