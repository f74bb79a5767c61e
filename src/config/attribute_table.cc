// The rows.  Their order is the attributes' slot numbers (src/tree/files.cc): it only grows at its
// end.

#include <unistd.h>

#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMinBlockBytes = 512;
constexpr uint64_t kMaxBlockBytes = 4096;

// The kernel takes what a signed 64-bit ktime holds.  A request that is out for more than an hour
// cannot be told from a hung disk, and with this limit the sum of a time and a delay never
// overflows.
constexpr uint64_t kMaxCompletionNsec = uint64_t{3600} * 1'000'000'000;
constexpr uint64_t kMaxTimeoutMsec = uint64_t{3600} * 1'000;

bool IsBlockSize(uint64_t value) {
  return value >= kMinBlockBytes && value <= kMaxBlockBytes && (value & (value - 1)) == 0;
}
bool IsCompletionTime(uint64_t value) { return value <= kMaxCompletionNsec; }
bool IsTimeout(uint64_t value) { return value > 0 && value <= kMaxTimeoutMsec; }
bool IsQueueCount(uint64_t value) {
  return value > 0 && value <= static_cast<uint64_t>(sysconf(_SC_NPROCESSORS_CONF));
}
bool IsDepth(uint64_t value) { return value > 0; }
bool IsQueueMode(uint64_t value) { return value <= 2; }
bool IsPercent(uint64_t value) { return value <= 100; }
bool IsCount(uint64_t value) { return value <= INT32_MAX; }
bool IsCountOrUnlimited(uint64_t value) { return IsCount(value) || value == UINT64_MAX; }

constexpr std::string_view kDataPaths[] = {"auto", "passthrough", "daemon"};

constexpr std::string_view kBoolean = "1 or 0, also y/n, t/f, on/off";
constexpr std::string_view kRate = "a number, 0 for no limit, or READ:WRITE for a limit of each";

// --- The files of a fault_attr ------------------------------------------------------------------

using Group = FaultAttr DeviceConfig::*;
using LeftGroup = FaultLeft DeviceState::*;

constexpr Attribute Probability(std::string_view name, Group group) {
  return {.name = name,
          .field = FaultField{group, &FaultAttr::probability},
          .unit = "percent",
          .accepts = "0 to 100",
          .summary = "how likely a fault is, where interval, times and space allow one",
          .valid = IsPercent,
          .live = true};
}
constexpr Attribute Interval(std::string_view name, Group group) {
  return {.name = name,
          .field = FaultField{group, &FaultAttr::interval},
          .unit = "",
          .accepts = "0 to 2147483647",
          .summary = "of so many requests one can be a fault",
          .valid = IsCount,
          .live = true};
}
constexpr Attribute Times(std::string_view name, LeftGroup group) {
  return {.name = name,
          .field = FaultLeftField{group, &FaultLeft::times},
          .unit = "",
          .accepts = "0 to 2147483647, or -1 for no limit",
          .summary = "how many faults there may still be",
          .valid = IsCountOrUnlimited,
          .live = true};
}
constexpr Attribute Space(std::string_view name, LeftGroup group) {
  return {.name = name,
          .field = FaultLeftField{group, &FaultLeft::space},
          .unit = "",
          .accepts = "0 to 2147483647",
          .summary = "faults begin when this has been counted down to 1",
          .valid = IsCount,
          .live = true};
}
constexpr Attribute Verbose(std::string_view name, Group group) {
  return {.name = name,
          .field = FaultField{group, &FaultAttr::verbose},
          .unit = "",
          .accepts = "0 to 2147483647",
          .summary = "how much the kernel would log",
          .valid = IsCount,
          .live = true,
          .inert = true};
}

constexpr FaultGroup kGroups[] = {
    {"timeout_inject", "timeout", &DeviceConfig::timeout_inject,
     "requests that get lost, and fail with ETIMEDOUT after io_timeout"},
    {"requeue_inject", "requeue", &DeviceConfig::requeue_inject,
     "requests that the disk could not take at once; they are tried again"},
    {"init_hctx_fault_inject", "init_hctx", &DeviceConfig::init_hctx_fault_inject,
     "queues that cannot be set up, so that power-on fails with EFAULT"},
};

// --- The table ----------------------------------------------------------------------------------

constexpr Attribute kTable[] = {
    {.name = "power",
     .field = &DeviceConfig::power,
     .unit = "",
     .accepts = kBoolean,
     .summary = "1 starts the disk, 0 stops it; what it has stored stays",
     .live = true},
    {.name = "blocksize",
     .field = &DeviceConfig::blocksize,
     .unit = "bytes",
     .accepts = "a power of two from 512 to 4096",
     .summary = "logical block size; requests with O_DIRECT have to be multiples of it",
     .valid = IsBlockSize,
     .alias = "bs"},
    {.name = "size",
     .field = &DeviceConfig::size,
     .unit = "MiB",
     .accepts = "a whole number",
     .summary = "capacity; one that cannot be had is refused at power-on",
     .alias = "gb",
     .alias_unit = 1024},
    {.name = "rotational",
     .field = &DeviceConfig::rotational,
     .unit = "",
     .accepts = kBoolean,
     .summary = "whether the disk calls itself rotating; its timing stays the same",
     .inert = true},
    {.name = "irqmode",
     .field = &DeviceConfig::irqmode,
     .unit = "",
     .accepts = "0 (none), 1 (soft) or 2 (timer)",
     .summary = "how a request completes: inline, from another thread, or after completion_nsec"},
    {.name = "completion_nsec",
     .field = &DeviceConfig::completion_nsec,
     .unit = "ns",
     .accepts = "0 to 3600000000000",
     .summary = "time that the disk works on a request when irqmode is 2",
     .valid = IsCompletionTime},
    {.name = "memory_backed",
     .field = &DeviceConfig::memory_backed,
     .unit = "",
     .accepts = kBoolean,
     .summary = "1 keeps what is written; with 0 reads give zeros and writes are dropped"},
    {.name = "datapath",
     .field = &DeviceConfig::datapath,
     .unit = "",
     .accepts = "auto, passthrough or daemon",
     .summary = "who serves what is opened from now on: the kernel by itself (passthrough), the "
                "daemon, or the first where it is possible; stats.json says which and why",
     .live = true,
     .ours = true,
     .words = kDataPaths},
    {.name = "submit_queues",
     .field = &DeviceConfig::submit_queues,
     .unit = "",
     .accepts = "1 to the number of processors",
     .summary = "queues, each of hw_queue_depth requests",
     .valid = IsQueueCount,
     .live = true},
    {.name = "use_per_node_hctx",
     .field = &DeviceConfig::use_per_node_hctx,
     .unit = "",
     .accepts = kBoolean,
     .summary = "a queue for each NUMA node",
     .inert = true},
    {.name = "discard",
     .field = &DeviceConfig::discard,
     .unit = "",
     .accepts = kBoolean,
     .summary =
         "whether the disk takes discards, which give memory back; memory_backed disks only"},
    {.name = "blocking",
     .field = &DeviceConfig::blocking,
     .unit = "",
     .accepts = kBoolean,
     .summary = "whether the kernel's driver may sleep",
     .inert = true},
    {.name = "shared_tags",
     .field = &DeviceConfig::shared_tags,
     .unit = "",
     .accepts = kBoolean,
     .summary = "tags shared between the kernel's devices",
     .inert = true},
    {.name = "shared_tag_bitmap",
     .field = &DeviceConfig::shared_tag_bitmap,
     .unit = "",
     .accepts = kBoolean,
     .summary = "tags shared between the queues",
     .inert = true},
    {.name = "no_sched",
     .field = &DeviceConfig::no_sched,
     .unit = "",
     .accepts = kBoolean,
     .summary = "no I/O scheduler; the loop device has its own",
     .inert = true},
    {.name = "virt_boundary",
     .field = &DeviceConfig::virt_boundary,
     .unit = "",
     .accepts = kBoolean,
     .summary = "no gaps within a request's memory",
     .inert = true},
    {.name = "poll_queues",
     .field = &DeviceConfig::poll_queues,
     .unit = "",
     .accepts = "a whole number",
     .summary = "queues that are polled",
     .live = true,
     .inert = true},
    {.name = "home_node",
     .field = &DeviceConfig::home_node,
     .unit = "",
     .accepts = "a whole number, -1 for none",
     .summary = "the NUMA node of the device's memory",
     .inert = true},
    {.name = "hw_queue_depth",
     .field = &DeviceConfig::hw_queue_depth,
     .unit = "",
     .accepts = "1 to 4294967295",
     .summary = "requests of a queue that the disk works on at once, 10240 at most; with irqmode 2 "
                "it does so many in completion_nsec",
     .valid = IsDepth},
    {.name = "max_sectors",
     .field = &DeviceConfig::max_sectors,
     .unit = "sectors of 512 bytes",
     .accepts = "0 for no limit, or 8 or more",
     .summary = "reads and writes longer than this are worked on as several requests"},
    {.name = "badblocks",
     .field = &DeviceState::badblocks,
     .unit = "",
     .accepts = "+FIRST-LAST to mark 512-byte sectors as bad, -FIRST-LAST to clear them, or lines "
                "of these",
     .summary = "sectors that cannot be read, written or discarded (EIO); shown as FIRST LENGTH",
     .live = true},
    {.name = "badblocks_once",
     .field = &DeviceConfig::badblocks_once,
     .unit = "",
     .accepts = kBoolean,
     .summary = "whether bad sectors are good again after they have failed a request"},
    {.name = "badblocks_partial_io",
     .field = &DeviceConfig::badblocks_partial_io,
     .unit = "",
     .accepts = kBoolean,
     .summary = "whether what lies before the first bad sector is done before a request fails"},
    {.name = "cache_size",
     .field = &DeviceConfig::cache_size,
     .unit = "MiB",
     .accepts = "a whole number",
     .summary = "volatile write-back cache, lost at power-off but for what was flushed; 0 is none",
     .alias = "cache_size_mib",
     .alias_is_file = true},
    {.name = "fua",
     .field = &DeviceConfig::fua,
     .unit = "",
     .accepts = kBoolean,
     .summary =
         "whether a write with O_DSYNC goes past the cache; with 0 it is followed by a flush"},
    {.name = "mbps",
     .field = &DeviceConfig::mbps,
     .unit = "MiB/s",
     .accepts = kRate,
     .summary = "bandwidth of reads and writes"},
    {.name = "zoned",
     .field = &DeviceConfig::zoned,
     .unit = "",
     .accepts = kBoolean,
     .summary = "zones cannot be had through FUSE: 1 is refused at power-on"},
    {.name = "index",
     .field = &DeviceConfig::index,
     .unit = "",
     .accepts = "nothing",
     .summary = "the number of the device among those that are on, given at power-on; read-only",
     .read_only = true},
    {.name = "queue_mode",
     .field = &DeviceConfig::queue_mode,
     .unit = "",
     .accepts = "0, 1 or 2",
     .summary = "which of its interfaces the kernel's driver uses",
     .valid = IsQueueMode,
     .inert = true},
    Probability("timeout_inject/probability", &DeviceConfig::timeout_inject),
    Interval("timeout_inject/interval", &DeviceConfig::timeout_inject),
    Times("timeout_inject/times", &DeviceState::timeout_inject),
    Space("timeout_inject/space", &DeviceState::timeout_inject),
    Verbose("timeout_inject/verbose", &DeviceConfig::timeout_inject),
    Probability("requeue_inject/probability", &DeviceConfig::requeue_inject),
    Interval("requeue_inject/interval", &DeviceConfig::requeue_inject),
    Times("requeue_inject/times", &DeviceState::requeue_inject),
    Space("requeue_inject/space", &DeviceState::requeue_inject),
    Verbose("requeue_inject/verbose", &DeviceConfig::requeue_inject),
    Probability("init_hctx_fault_inject/probability", &DeviceConfig::init_hctx_fault_inject),
    Interval("init_hctx_fault_inject/interval", &DeviceConfig::init_hctx_fault_inject),
    Times("init_hctx_fault_inject/times", &DeviceState::init_hctx_fault_inject),
    Space("init_hctx_fault_inject/space", &DeviceState::init_hctx_fault_inject),
    Verbose("init_hctx_fault_inject/verbose", &DeviceConfig::init_hctx_fault_inject),
    {.name = "iops",
     .field = &DeviceConfig::iops,
     .unit = "requests/s",
     .accepts = kRate,
     .summary = "how many reads, writes and discards there may be in a second",
     .ours = true},
    {.name = "seed",
     .field = &DeviceConfig::seed,
     .unit = "",
     .accepts = "a whole number",
     .summary = "makes faults that happen by chance happen again in the same way; with 0 each "
                "power-on takes another one, which stats.json shows",
     .ours = true},
    {.name = "io_timeout",
     .field = &DeviceConfig::io_timeout,
     .unit = "ms",
     .accepts = "1 to 3600000",
     .summary = "when a request that timeout_inject lets get lost fails; sooner if the mount would "
                "not wait so long",
     .valid = IsTimeout,
     .ours = true},
};

}  // namespace

absl::Span<const Attribute> Attributes() { return kTable; }
absl::Span<const FaultGroup> FaultGroups() { return kGroups; }

}  // namespace rnullfs
