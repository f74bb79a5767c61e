// The manual's paragraphs about what the stages do to requests, one for each stage in src/device,
// in troff's man macros.
#ifndef RNULLFS_CONFIG_MANUAL_STAGES_H_
#define RNULLFS_CONFIG_MANUAL_STAGES_H_

#include <string_view>

namespace rnullfs {

// Before the files of a directory of faults.
inline constexpr std::string_view kManualFaults = R"troff(.PP
Each directory of faults has the files of the kernel's
.IR fault_attr .
They can be written at any time.
The module parameter, as a mount option, takes four of them:
.BI timeout= interval , probability , space , times\fR.
)troff";

inline constexpr std::string_view kManualStages = R"troff(.SH STAGES
What is set up here is done to requests that the daemon serves; the kernel does not serve a disk by
itself while any of it is in use.
The order is that of the kernel's null_blk:
faults, throttle, bad blocks, cache and memory, time of completion.
.SS Block size
A request of who opened the disk with
.B O_DIRECT
and whose place or length is no multiple of
.I blocksize
fails with
.BR EINVAL ,
as on a disk of that sector size;
others see it by the byte, as through a page cache.
A loop device with direct I/O has sectors of 512 bytes unless
.B losetup \-\-sector\-size
says otherwise.
Its driver is served them all the same, as by a drive of the kind 512e: the disk makes its blocks of them,
all of a block that has a bad sector is bad, and
.I stats.json
says so in
.IR emulates_sectors .
Where the kernel serves the disk by itself it does not look at this.
.SS Throttle
.I mbps
limits the bytes of reads and writes, in MiB each second,
.I iops
the number of reads, writes and discards.
A number is for reads and writes together; 100:50 in the file and as an option, or
{"read": 100, "write": 50} in JSON, limits each by itself, and 0 is no limit.
Requests are answered in the order in which they came, each when it has been paid for.
What was not used is kept for 10 ms; a request may be of any size.
.SS Bad blocks
.I badblocks
has sectors of 512 bytes, at most 512 entries of at most 512 sectors each; more is
.BR ENOSPC .
+8\-15 marks, \-8\-15 clears, both ends included, and several lines in one write are taken as a whole.
The file shows the first sector and the length of each entry.
A read, write or discard that touches a bad sector fails with
.B EIO
and does nothing, or with
.I badblocks_partial_io
does what lies before it.
With
.I badblocks_once
the entry is good again after it has failed a request.
.SS Write cache
With
.I cache_size
writes go to a cache of that many MiB, which counts towards
.BR memory_limit .
Writes that find it full write pages back in the order of their place; a flush writes back all of it.
A write with
.B O_DSYNC
or
.B RWF_DSYNC
goes past the cache
.RI ( fua ).
Switching off loses what is in the cache and keeps the rest; the death of a worker loses nothing.
.I stats.json
shows the pages that are cached, written back and dropped.
.SS Queues and time
With
.I irqmode
2 the disk works on each request for
.IR completion_nsec ,
and on
.IR submit_queues \~\(mu\~ hw_queue_depth
of them at once: those that come meanwhile wait.
Reads and writes longer than
.I max_sectors
are worked on as several requests.
.SS Faults
A request that
.I timeout_inject
chooses is lost: nothing is done, and it fails with
.B ETIMEDOUT
after
.IR io_timeout ,
or half of fs.fuse.max_request_timeout if that is less.
One that
.I requeue_inject
chooses is tried again, every other time 3 ms later.
.I init_hctx_fault_inject
makes the power\-on fail with
.BR EFAULT .
Chance begins anew with each power\-on, from
.IR seed ;
the same requests meet the same faults then.
)troff";

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MANUAL_STAGES_H_
