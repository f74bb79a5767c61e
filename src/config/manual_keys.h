// What rnullfs(8) says of the keys of status.json and stats.json, in troff's man macros.  A key
// stands in a line of its own that begins with .I or .B (tests/mount/tree.sh looks for it there).
#ifndef RNULLFS_CONFIG_MANUAL_KEYS_H_
#define RNULLFS_CONFIG_MANUAL_KEYS_H_

#include <string_view>

namespace rnullfs {

inline constexpr std::string_view kManualKeys = R"troff(.SH KEYS
A key has a value of one type: a number, text, true or false, or a list of texts;
.I memory_limit
alone is null where there is none.
Bytes, unless the name says otherwise.
.SS status.json
.TP
.IR version ", " libfuse ", " kernel_protocol
Text: of this program, of the library, and of what the kernel speaks (7.41).
.TP
.IR guard ", " guard_pid ", " worker_pid ", " workers_replaced ", " replaced_why
See RELIABILITY: on, off or lost; the processes, 0 for none; how many workers there were before this one,
and what became of the last.
.TP
.IR mountpoint ", " mount_options
Where and how it was mounted.
.TP
.I devices
How many there are.
.TP
.IR capabilities ", " transport ", " transport_why
What was agreed with the kernel, the way that requests take, and why.
.TP
.I passthrough
Possible, or why this mount cannot have it.
.TP
.IR memory_limit ", " memory_used
What all disks may take together, and what they have taken;
.BR df (1)
of the mount shows the same.
.TP
.I huge
What holds of the option.
.TP
.IR allow_other ", " losetup
Whether other users are let in, and what that means to root's losetup.
.TP
.IR io_flusher ", " locked_in_memory ", " oom_score_lowered
Which protection from a lack of memory the kernel has granted.
.TP
.I unmount_waits_for
The disks in use that hold up an end.
.SS stats.json
.TP
.I powered
Whether the disk is on.
.TP
.IR datapath ", " datapath_why
Who serves it: none, passthrough or daemon, and why not the kernel.
.TP
.IR stored_pages ", " stored_bytes
What is stored, in pages of 4096 bytes.
.TP
.I emulates_sectors
Whether a loop device with sectors of 512 bytes has been served by blocks that are larger, as a drive of the
kind 512e does.
.TP
.I in_flight
Requests that have not been answered.
.TP
.IR disk_opens ", " passthrough_opens
How often
.I disk
is open, and how often through passthrough.
.TP
.IR reads ", " writes ", " flushes ", " discards ", " write_zeroes ", " allocates
Of the requests that the daemon has served, how many
.IR requests ,
.I bytes
and
.I errors
there were.
A truncation counts among
.IR discards .
.TP
.I cache
Of the write cache:
.IR pages
in it,
.IR written_back ,
and
.IR dropped
by a power\-off.
.TP
.I faults
.IR seed
in use, and how many
.IR timeouts ", " requeues
and
.I init_hctx
faults there were.
)troff";

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MANUAL_KEYS_H_
