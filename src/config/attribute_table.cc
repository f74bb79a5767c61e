// The rows.  Their order is the attributes' slot numbers (src/tree/device_directory.cc): it only
// grows at its end.

#include <unistd.h>

#include "config/field_of.h"
#include "config/types/boolean.h"
#include "config/types/integer.h"
#include "config/types/line.h"
#include "config/types/ranges.h"
#include "config/types/rate.h"
#include "config/types/rule_list.h"
#include "config/types/word.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

// --- Types with their limits --------------------------------------------------------------------

using Unsigned = Integer<uint64_t>;
using Signed = Integer<int64_t>;

constexpr Boolean kBoolean;
constexpr Unsigned kAnyNumber({});
constexpr Unsigned kAnyCount({.max = UINT32_MAX, .accepts = "a whole number"});
constexpr Unsigned kBlockSize({.min = 512,
                               .max = 4096,
                               .valid = [](uint64_t bytes) { return (bytes & (bytes - 1)) == 0; },
                               .accepts = "a power of two from 512 to 4096"},
                              "bytes");
constexpr Unsigned kSize({.bare_text = true}, "MiB");  // as it always could be written
constexpr Unsigned kAtomicUnit({.max = 4096,
                                .valid = [](uint64_t x) { return (x & ((x - 1) | 511)) == 0; },
                                .accepts = "0, or a power of two from 512 to 4096"},
                               "bytes");
constexpr Unsigned kIrqMode({.max = 2, .accepts = "0 (none), 1 (soft) or 2 (timer)"});
constexpr Unsigned kQueueMode({.max = 2, .accepts = "0, 1 or 2"});
// The kernel takes what a signed 64-bit ktime holds.  A request that is out for more than an hour
// cannot be told from a hung disk, and with this limit the sum of a time and a delay never
// overflows.
constexpr Unsigned kCompletionTime({.max = uint64_t{3600} * 1'000'000'000}, "ns");
constexpr Unsigned kTimeout({.min = 1, .max = uint64_t{3600} * 1'000}, "ms");
constexpr std::string_view kDataPaths[] = {"auto", "passthrough", "daemon"};
constexpr Word kDataPath(kDataPaths);
constexpr std::string_view kCutKept[] = {"none", "all", "random", "torn"};
constexpr Word kCutKeeps(kCutKept);
constexpr Unsigned kQueueCount({.min = 1,
                                .valid =
                                    [](uint64_t count) {
                                      return count <=
                                             static_cast<uint64_t>(sysconf(_SC_NPROCESSORS_CONF));
                                    },
                                .accepts = "1 to the number of processors"});
constexpr Unsigned kDepth({.min = 1, .max = UINT32_MAX});
constexpr Signed kNode({.min = INT32_MIN,
                        .max = INT32_MAX,
                        .accepts = "a whole number, -1 for none"});
constexpr Unsigned kSectors({.max = UINT32_MAX, .accepts = "0 for no limit, or 8 or more"},
                            "sectors of 512 bytes");
constexpr Ranges kRanges;
constexpr Rate kBandwidth("MiB/s");
constexpr Rate kRequests("requests/s");
constexpr Line kOrigin({.bytes_max = 4000,
                        .accepts = "a disk of the mount, DISK@SNAPSHOT, the path of a raw image, "
                                   "a block device or a log, or nothing"});
constexpr RuleList kRules;
constexpr Unsigned kGiven({.max = UINT32_MAX, .accepts = "nothing"});
constexpr Signed kPercent({.min = 0, .max = 100}, "percent");
constexpr Signed kFaultCount({.min = 0, .max = INT32_MAX});
constexpr Signed kFaultTimes({.min = FaultAttr::kUnlimited,
                              .max = INT32_MAX,
                              .accepts = "0 to 2147483647, or -1 for no limit"});

// --- Where values are ---------------------------------------------------------------------------

template <auto... kPath>
constexpr SettingsField At() {
  return {FieldOf<Settings, kPath...>::Get, FieldOf<Settings, kPath...>::Set};
}
// What is a list says all of it: rules that stay as they are go on.
constexpr SettingsField kFaults = {[](const Settings& settings) { return Value(settings.faults); },
                                   [](Settings& settings, const Value& value) {
                                     SetRules(std::get<FaultRules>(value), settings.faults);
                                   }};
template <auto... kPath>
constexpr SettingsField InConfig() {
  return At<&Settings::config, kPath...>();
}
template <auto... kPath>
constexpr SettingsField InState() {
  return At<&Settings::state, kPath...>();
}

// --- Rows that are alike ------------------------------------------------------------------------

constexpr bool kLive = true;

constexpr Attribute Row(std::string_view name, const ValueType* type, SettingsField field,
                        std::string_view summary, TakesEffect when, bool live) {
  return {.name = name,
          .type = type,
          .field = field,
          .summary = summary,
          .takes_effect = when,
          .live = live};
}

template <auto kMember>
constexpr Attribute Inert(std::string_view name, const ValueType* type, std::string_view summary,
                          bool live = false) {
  return Row(name, type, InConfig<kMember>(), summary, TakesEffect::kNever, live);
}

// The files of a fault_attr.
template <auto kGroup>
constexpr Attribute Probability(std::string_view name,
                                TakesEffect when = TakesEffect::kNextRequest) {
  return Row(name, &kPercent, InConfig<kGroup, &FaultAttr::probability>(),
             "how likely a fault is, where interval, times and space allow one", when, kLive);
}
template <auto kGroup>
constexpr Attribute Interval(std::string_view name, TakesEffect when = TakesEffect::kNextRequest) {
  return Row(name, &kFaultCount, InConfig<kGroup, &FaultAttr::interval>(),
             "of so many requests one can be a fault", when, kLive);
}
template <auto kGroup>
constexpr Attribute Times(std::string_view name, TakesEffect when = TakesEffect::kNextRequest) {
  return Row(name, &kFaultTimes, InState<kGroup, &FaultLeft::times>(),
             "how many faults there may still be", when, kLive);
}
template <auto kGroup>
constexpr Attribute Space(std::string_view name, TakesEffect when = TakesEffect::kNextRequest) {
  return Row(name, &kFaultCount, InState<kGroup, &FaultLeft::space>(),
             "faults begin when this has been counted down to 1", when, kLive);
}
template <auto kGroup>
constexpr Attribute Verbose(std::string_view name) {
  return Row(name, &kFaultCount, InConfig<kGroup, &FaultAttr::verbose>(),
             "how much the kernel would log", TakesEffect::kNever, kLive);
}

constexpr FaultGroup kGroups[] = {
    {"timeout_inject", "timeout",
     "requests that get lost, and fail with ETIMEDOUT after io_timeout"},
    {"requeue_inject", "requeue",
     "requests that the disk could not take at once; they are tried again"},
    {"init_hctx_fault_inject", "init_hctx",
     "queues that cannot be set up, so that power-on fails with EFAULT"},
};

// --- The table ----------------------------------------------------------------------------------

constexpr Attribute kTable[] = {
    {.name = "power",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::power>(),
     .summary = "1 starts the disk, 0 stops it; what it has stored stays; cut takes the power from "
                "it while it is in use",
     .takes_effect = TakesEffect::kAtOnce,
     .live = true},
    {.name = "blocksize",
     .type = &kBlockSize,
     .field = InConfig<&DeviceConfig::blocksize>(),
     .summary = "logical block size; requests with O_DIRECT have to be multiples of it",
     .alias = "bs"},
    {.name = "size",
     .type = &kSize,
     .field = InConfig<&DeviceConfig::size>(),
     .summary =
         "capacity; one that cannot be had is refused at power-on; while the disk is on it can "
         "become larger",
     .takes_effect = TakesEffect::kAtOnce,
     .live = true,
     .only_larger = true,
     .alias = "gb",
     .alias_unit = 1024},
    Inert<&DeviceConfig::rotational>(
        "rotational", &kBoolean,
        "whether the disk calls itself rotating; its timing stays the same"),
    {.name = "irqmode",
     .type = &kIrqMode,
     .field = InConfig<&DeviceConfig::irqmode>(),
     .summary = "how a request completes: inline, from another thread, or after completion_nsec",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    {.name = "completion_nsec",
     .type = &kCompletionTime,
     .field = InConfig<&DeviceConfig::completion_nsec>(),
     .summary = "time that the disk works on a request when irqmode is 2",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    {.name = "memory_backed",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::memory_backed>(),
     .summary = "1 keeps what is written; with 0 reads give zeros and writes are dropped"},
    {.name = "datapath",
     .type = &kDataPath,
     .field = InConfig<&DeviceConfig::datapath>(),
     .summary = "who serves what is opened from now on: the kernel by itself (passthrough), the "
                "daemon, or the first where it is possible; stats.json says which and why",
     .takes_effect = TakesEffect::kNextOpen,
     .live = true,
     .ours = true},
    {.name = "submit_queues",
     .type = &kQueueCount,
     .field = InConfig<&DeviceConfig::submit_queues>(),
     .summary = "queues, each of hw_queue_depth requests",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    Inert<&DeviceConfig::use_per_node_hctx>("use_per_node_hctx", &kBoolean,
                                            "a queue for each NUMA node"),
    {.name = "discard",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::discard>(),
     .summary =
         "whether the disk takes discards, which give memory back; memory_backed disks only"},
    Inert<&DeviceConfig::blocking>("blocking", &kBoolean, "whether the kernel's driver may sleep"),
    Inert<&DeviceConfig::shared_tags>("shared_tags", &kBoolean,
                                      "tags shared between the kernel's devices"),
    Inert<&DeviceConfig::shared_tag_bitmap>("shared_tag_bitmap", &kBoolean,
                                            "tags shared between the queues"),
    Inert<&DeviceConfig::no_sched>("no_sched", &kBoolean,
                                   "no I/O scheduler; the loop device has its own"),
    Inert<&DeviceConfig::virt_boundary>("virt_boundary", &kBoolean,
                                        "no gaps within a request's memory"),
    Inert<&DeviceConfig::poll_queues>("poll_queues", &kAnyCount, "queues that are polled", kLive),
    Inert<&DeviceConfig::home_node>("home_node", &kNode, "the NUMA node of the device's memory"),
    {.name = "hw_queue_depth",
     .type = &kDepth,
     .field = InConfig<&DeviceConfig::hw_queue_depth>(),
     .summary = "requests of a queue that the disk works on at once, 10240 at most; with irqmode 2 "
                "it does so many in completion_nsec",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    {.name = "max_sectors",
     .type = &kSectors,
     .field = InConfig<&DeviceConfig::max_sectors>(),
     .summary = "reads and writes longer than this are worked on as several requests"},
    {.name = "badblocks",
     .type = &kRanges,
     .field = InState<&DeviceState::badblocks>(),
     .summary = "sectors that cannot be read, written or discarded (EIO); shown as FIRST LENGTH",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    {.name = "badblocks_once",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::badblocks_once>(),
     .summary = "whether bad sectors are good again after they have failed a request",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    {.name = "badblocks_partial_io",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::badblocks_partial_io>(),
     .summary = "whether what lies before the first bad sector is done before a request fails",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    {.name = "cache_size",
     .type = &kSize,
     .field = InConfig<&DeviceConfig::cache_size>(),
     .summary = "volatile write-back cache, lost at power-off but for what was flushed; 0 is none",
     .alias = "cache_size_mib",
     .alias_is_file = true},
    {.name = "fua",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::fua>(),
     .summary =
         "whether a write with O_DSYNC goes past the cache; with 0 it is followed by a flush"},
    {.name = "mbps",
     .type = &kBandwidth,
     .field = InConfig<&DeviceConfig::mbps>(),
     .summary = "bandwidth of reads and writes",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true},
    {.name = "zoned",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::zoned>(),
     .summary = "zones cannot be had through FUSE: 1 is refused at power-on"},
    {.name = "index",
     .type = &kGiven,
     .field = InConfig<&DeviceConfig::index>(),
     .summary = "the number of the device among those that are on, given at power-on; read-only",
     .read_only = true},
    Inert<&DeviceConfig::queue_mode>("queue_mode", &kQueueMode,
                                     "which of its interfaces the kernel's driver uses"),
    Probability<&DeviceConfig::timeout_inject>("timeout_inject/probability"),
    Interval<&DeviceConfig::timeout_inject>("timeout_inject/interval"),
    Times<&DeviceState::timeout_inject>("timeout_inject/times"),
    Space<&DeviceState::timeout_inject>("timeout_inject/space"),
    Verbose<&DeviceConfig::timeout_inject>("timeout_inject/verbose"),
    Probability<&DeviceConfig::requeue_inject>("requeue_inject/probability"),
    Interval<&DeviceConfig::requeue_inject>("requeue_inject/interval"),
    Times<&DeviceState::requeue_inject>("requeue_inject/times"),
    Space<&DeviceState::requeue_inject>("requeue_inject/space"),
    Verbose<&DeviceConfig::requeue_inject>("requeue_inject/verbose"),
    Probability<&DeviceConfig::init_hctx_fault_inject>("init_hctx_fault_inject/probability",
                                                       TakesEffect::kPowerOn),
    Interval<&DeviceConfig::init_hctx_fault_inject>("init_hctx_fault_inject/interval",
                                                    TakesEffect::kPowerOn),
    Times<&DeviceState::init_hctx_fault_inject>("init_hctx_fault_inject/times",
                                                TakesEffect::kPowerOn),
    Space<&DeviceState::init_hctx_fault_inject>("init_hctx_fault_inject/space",
                                                TakesEffect::kPowerOn),
    Verbose<&DeviceConfig::init_hctx_fault_inject>("init_hctx_fault_inject/verbose"),
    {.name = "iops",
     .type = &kRequests,
     .field = InConfig<&DeviceConfig::iops>(),
     .summary = "how many reads, writes and discards there may be in a second",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true,
     .ours = true},
    {.name = "seed",
     .type = &kAnyNumber,
     .field = InConfig<&DeviceConfig::seed>(),
     .summary = "makes faults that happen by chance happen again in the same way; with 0 each "
                "power-on takes another one, which stats.json shows",
     .ours = true},
    {.name = "io_timeout",
     .type = &kTimeout,
     .field = InConfig<&DeviceConfig::io_timeout>(),
     .summary = "when a request that timeout_inject lets get lost fails; sooner if the mount would "
                "not wait so long",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true,
     .ours = true},
    {.name = "history",
     .type = &kSize,
     .field = InConfig<&DeviceConfig::history>(),
     .summary = "how much of what has been overwritten is kept, so that at/ can show the disk as "
                "it was; with 0 only what snapshots need",
     .takes_effect = TakesEffect::kAtOnce,
     .live = true,
     .ours = true},
    {.name = "store_limit",
     .type = &kSize,
     .field = InConfig<&DeviceConfig::store_limit>(),
     .summary = "how much memory the disk may take with all that it alone keeps; what would take "
                "more fails with ENOSPC, as on a thin device that is full; 0 is no limit",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true,
     .ours = true},
    {.name = "origin",
     .type = &kOrigin,
     .field = At<&Settings::origin>(),
     .summary =
         "what the disk begins as, copy on write: DISK@SNAPSHOT, a DISK as it is now, "
         "DISK/crash/CUT/STATE, the path of a raw image, or of a log of dm-log-writes; written "
         "before the first power-on; nothing: what is still shared is copied, also while it is on",
     .live = true,
     .ours = true},
    {.name = "faults",
     .type = &kRules,
     .field = kFaults,
     .summary = "fault rules, a directory each: what is done to which requests, at any time",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true,
     .ours = true,
     .is_section = true,
     .alias = "fault"},
    {.name = "cut_keeps",
     .type = &kCutKeeps,
     .field = InConfig<&DeviceConfig::cut_keeps>(),
     .summary =
         "what is left, when cut is written to power, of what no flush has covered: nothing, "
         "all, some requests by chance, or also parts of requests; but for all the disk "
         "needs history or cache_size",
     .takes_effect = TakesEffect::kAtOnce,
     .live = true,
     .ours = true},
    {.name = "log_reads",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::log_reads>(),
     .summary = "whether log/ has reads as well; it then does not go back as far",
     .takes_effect = TakesEffect::kNextRequest,
     .live = true,
     .ours = true},
    {.name = "log_fua",
     .type = &kBoolean,
     .field = InConfig<&DeviceConfig::log_fua>(),
     .summary = "whether log/ has a lone write that a flush follows at once as one with FUA, of "
                "which a loop device makes these two",
     .takes_effect = TakesEffect::kAtOnce,
     .live = true,
     .ours = true},
    {.name = "atomic",
     .type = &kAtomicUnit,
     .field = InConfig<&DeviceConfig::atomic>(),
     .summary = "what the disk writes wholly or not at all when the power goes, as crash/ has it; "
                "0 for a block",
     .takes_effect = TakesEffect::kAtOnce,
     .live = true,
     .ours = true},
};

}  // namespace

absl::Span<const Attribute> Attributes() { return kTable; }
absl::Span<const FaultGroup> FaultGroups() { return kGroups; }

}  // namespace rnullfs
