// rnullfs(8) between the parts that are made from tables, in troff's man macros.
//
// In the order of the page: kManualBeforeOptions, the options (manual_options.h),
// kManualBeforeAttributes, the attributes, kManualAfterAttributes; then manual_end.h.
#ifndef RNULLFS_CONFIG_MANUAL_PROSE_H_
#define RNULLFS_CONFIG_MANUAL_PROSE_H_

#include <string_view>

namespace rnullfs {

inline constexpr std::string_view kManualBeforeOptions =
    R"troff(.\" Made by rnullfs-generate manual from src/config; change it there.
.TH RNULLFS 8 "" rnullfs "System Administration"
.SH NAME
rnullfs \- disks as directories
.SH SYNOPSIS
.SY rnullfs
.OP \-f
.OP \-o option,...\&
.RI [ source ]
.I mountpoint
.YS
.SY rnullfs
.B \-\-upgrade
.I mountpoint
.YS
.SY rnullfs
.B \-\-rescue
.I pid directory
.YS
.SH DESCRIPTION
.B rnullfs
mounts a file system in which every directory is a disk in memory,
configured as the kernel's null block drivers null_blk and rnull are through configfs.
.BR mkdir (1)
makes a disk, its files configure it, writing 1 to
.I power
starts it.
Its file
.I disk
then is the disk: it can be read, written and mapped like any file,
or be made a block device with
.BR losetup (8).
.BR rmdir (1)
removes the disk and frees what it has stored.
.SH OPTIONS
.TP
.B \-f
Stay in the foreground.
.TP
.BI \-o " option\fR,..."
What the disks made at the mount are set to, and how the file system is mounted.
Of options that contradict each other the last wins.
White space separates them as well as commas, so that the parameters of a kernel module can be given as
they are; double quotes hold one together.
.TP
.BR \-h ", " \-\-help
Print a summary.
.TP
.BR \-V ", " \-\-version
Print the version.
.TP
.BI \-\-upgrade " mountpoint"
Have the processes that serve a mount replaced by the program that is on disk now, where the one
that serves it was, while I/O runs.
Returns when the new one has served for a second; should it fail until then, the version before
goes on.
.TP
.BI \-\-rescue " pid directory"
Copy every disk that the process holds
.RI ( guard_pid
in
.IR status.json )
to
.IR directory / name .img,
sparse.
It works whatever state the mount is in, also when it is served no more.
The directory is made if it is missing, and no file is overwritten.
A disk that cannot be copied whole leaves no image; the others are copied all the same, and the exit
status is 1.
.PP
Every attribute below is a mount option of the same name,
.IB name = value\fR,
with the same values and errors; a boolean may stand alone.
These are options besides:
)troff";

inline constexpr std::string_view kManualBeforeAttributes = R"troff(.SH FILES
In the root:
.TP
.I features
The attributes that are supported, on one line, separated by commas.
.TP
.I status.json
The state of the file system as a whole;
.B last_error
in it is why something was last refused in the root.
.PP
In the directory of each disk:
.TP
.I power\fR, \fIblocksize\fR, ...
An attribute each; see below.
.TP
.I config.json
All attributes as one JSON object, to read and to write.
.TP
.I stats.json
What the disk has been asked to do, and what it stores;
.B warnings
says which settings do less than one may expect.
.TP
.I last_error
Why something was last refused in this directory or by the disk, in a sentence;
empty when a write has succeeded since.
One that puts back what the file shows anyway, as editors do when their text is refused, leaves it.
.TP
.I disk
The disk, while it is powered; only its owner may open it (mode 0600).
See
.B THE DISK AS A FILE
below.
.SH ATTRIBUTES
One
.BR write (2)
sets one value, whatever its offset.
Integers are decimal, or hexadecimal after 0x, with a plus sign before and white space around them
allowed.
A value that has a unit is taken with a suffix of it as well, such as
.BR 8G ,
.B 50ms
or
.BR 64K ;
sizes are binary, and what is shown is always the number alone.
A text ends at its first NUL.
Booleans are told by their first one or two characters and show as 1 and 0.
While a disk is powered only
.IR power ,
.IR datapath ,
.IR badblocks ,
.IR submit_queues ,
.I poll_queues
and the files of faults can be written, the others fail with
.BR EBUSY .
Writing 0 to
.I power
fails with
.B EBUSY
while
.I disk
is open.
What the disk has stored outlasts its being powered off.
)troff";

inline constexpr std::string_view kManualAfterAttributes = R"troff(.SH DATA PATHS
Where it can, the kernel serves
.I disk
by itself from the memory that stores it (FUSE passthrough):
reads and writes then never reach
.BR rnullfs ,
which still sees flushes and discards, and does not count what it does not see, as
.B MADV_REMOVE
of
.BR madvise (2)
on a mapping: that punches the disk, with
.I discard
0 too.
It takes Linux 6.9, libfuse 3.17,
.BR CAP_SYS_ADMIN ,
and a disk with
.I memory_backed
1 whose requests no stage has to see (see
.B STAGES
above), and which at its full size fits into what
.B memory_limit
leaves.
Who opens it for writing only
.RB ( cp ,
.B dd
without seek=, a redirection) gets the daemon, unless
.I datapath
is
.I passthrough
or the kernel serves another open already.
.I stats.json
says in
.I datapath
who serves the disk, or would serve the next open of it, and in
.I datapath_why
why not the kernel.
.PP
With
.I datapath
set to
.I passthrough
a disk that cannot have it is refused at power-on.
All opens that there are at a time go one way, that of the first: a new value is for those that come
when all are closed, and
.I passthrough
is refused
.RB ( EBUSY )
while one goes through the daemon.
Until the last open through passthrough is closed nothing can be set that a stage has to see requests for
.RB ( EBUSY ).
.SH RELIABILITY
Two processes belong to a mount: a guard, which does nothing but hold what the disks consist of, and
its worker, which serves them.
When the worker dies by a signal, for example of the OOM killer, the guard starts another one, which
goes on where it was: with all disks, their data, settings and counters, and all open files.
No request is lost and none fails.
.I status.json
has
.IR guard_pid ", " worker_pid ", " workers_replaced
and
.IR replaced_why .
.PP
A worker that has served may die as often as it is killed.
When 64 in a row have died before they had answered anything, with growing pauses between, or one
cannot read what the last one has left, there is no other: every request then fails with
.BR EIO ,
the log says why, and the data stay in memory until the file system is unmounted;
.B rnullfs \-\-rescue
copies them, and
.B rnullfs \-\-upgrade
lets a program that can go on serve again.
.PP
Each disk takes a descriptor of both processes.
One that would leave fewer than 32 of them (the hard limit of
.B RLIMIT_NOFILE
is used) is not switched on
.RB ( EMFILE ).
When the guard itself is killed, the worker serves on alone and says so
.RI ( guard
is lost in
.IR status.json ).
What ends both processes, or the machine, ends the disks.
.SH JSON
.I config.json
accepts an object with any of the attributes as its keys; those it does not name stay as they are.
Either all of the object takes effect or nothing does.
An object that switches
.I power
may change other attributes in the same step.
Booleans are
.B true
and
.BR false ,
or 1 and 0,
.I datapath
is text, everything else a number, or text with a unit such as
.BR \(dq8G\(dq .
.I mbps
and
.I iops
also take an object with
.B read
and
.BR write .
.I badblocks
is an array of ranges such as
.BR \(dq8\-15\(dq ,
which are all there are afterwards.
A directory of faults is an object with its files.
.I index
is left out.
The text may arrive in any number of writes and takes effect with the one that completes it;
there is one such text for a disk, of the open that wrote last.
.PP
With
.I disk
it is all that
.BR tar (1)
has to carry:
.PP
.RS
.B "tar c \-\-sparse */config.json */disk | tar x \-\-overwrite \-C OTHER\-MOUNT"
.RE
A key that is unknown or stands twice, comments, and fractions are refused.
)troff";

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MANUAL_PROSE_H_
