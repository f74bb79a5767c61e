#include "device/counter_list.h"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "absl/strings/str_split.h"

namespace rnullfs {
namespace {

using enum CounterKind;
constexpr bool kSharded = true;
constexpr bool kSingle = false;

constexpr CounterRow kRows[] = {
    // What has ended is read first, so that never fewer have started.
    {"finished", kCounter, kSharded, "requests", "answered"},
    {"started", kCounter, kSharded, "requests", "that have come"},

    {"reads.requests", kCounter, kSharded, "requests", "completed, failed ones included"},
    {"reads.bytes", kCounter, kSharded, "bytes", "of those that succeeded"},
    {"reads.errors", kCounter, kSharded, "requests", "that failed"},
    {"writes.requests", kCounter, kSharded, "requests", "completed, failed ones included"},
    {"writes.bytes", kCounter, kSharded, "bytes", "of those that succeeded"},
    {"writes.errors", kCounter, kSharded, "requests", "that failed"},
    {"flushes.requests", kCounter, kSharded, "requests", "completed, failed ones included"},
    {"flushes.bytes", kCounter, kSharded, "bytes", "of those that succeeded"},
    {"flushes.errors", kCounter, kSharded, "requests", "that failed"},
    {"discards.requests", kCounter, kSharded, "requests", "completed, failed ones included"},
    {"discards.bytes", kCounter, kSharded, "bytes", "of those that succeeded"},
    {"discards.errors", kCounter, kSharded, "requests", "that failed"},
    {"write_zeroes.requests", kCounter, kSharded, "requests", "completed, failed ones included"},
    {"write_zeroes.bytes", kCounter, kSharded, "bytes", "of those that succeeded"},
    {"write_zeroes.errors", kCounter, kSharded, "requests", "that failed"},
    {"allocates.requests", kCounter, kSharded, "requests", "completed, failed ones included"},
    {"allocates.bytes", kCounter, kSharded, "bytes", "of those that succeeded"},
    {"allocates.errors", kCounter, kSharded, "requests", "that failed"},

    {"cache.written_back", kCounter, kSingle, "pages", "written to the disk"},
    {"cache.dropped", kCounter, kSingle, "pages", "that a power-off has lost"},
    {"unflushed", kValue, kSingle, "writes", "to the cache since the last flush"},

    {"damage.sectors", kGauge, kSingle, "sectors", "that show something else than the disk has"},
    {"damage.injected_sectors", kCounter, kSingle, "sectors", "that have come to do so"},
    {"damage.healed_sectors", kGauge, kSingle, "sectors",
     "of these, that have been written to since"},

    {"power_cuts.count", kCounter, kSingle, "", "how often the power was cut"},
    {"power_cuts.lost_requests", kGauge, kSingle, "requests",
     "of which the last cut has lost something"},
    {"power_cuts.lost_sectors", kGauge, kSingle, "sectors",
     "that the last cut has made what they had been before"},
    {"power_cuts.lost_bytes", kGauge, kSingle, "bytes", "the same in bytes"},
    {"power_cuts.forgotten", kGauge, kSingle, "changes",
     "that the last cut has left though no flush had covered them: the history had forgotten what "
     "was before"},
    {"cut_state", kValue, kSingle, "", "how far a cut has come"},
    {"cut_request", kValue, kSingle, "", "who has asked for the last one"},

    // Chance that can be had again: the n-th draw is a function of the seed and n.
    {"faults.seed", kGauge, kSingle, "", "in use since the last power-on"},
    {"drawn", kValue, kSingle, "numbers", "drawn since the last power-on"},

    // Of each fault attribute, since it was last written.
    {"faults.timeouts", kCounter, kSingle, "requests", "lost on purpose"},
    {"timeout.passed", kValue, kSingle, "requests", "that `space` has let pass"},
    {"timeout.asked", kValue, kSingle, "requests", "that `interval` has counted"},
    {"faults.requeues", kCounter, kSingle, "requests", "sent back on purpose"},
    {"requeue.passed", kValue, kSingle, "requests", "that `space` has let pass"},
    {"requeue.asked", kValue, kSingle, "requests", "that `interval` has counted"},
    {"faults.init_hctx", kCounter, kSingle, "queues", "that failed on purpose"},
    {"init_hctx.passed", kValue, kSingle, "queues", "that `space` has let pass"},
    {"init_hctx.asked", kValue, kSingle, "queues", "that `interval` has counted"},
};

// Those that there were when tables came to be, as they lay in a page: one after the other.
constexpr char kFirst[] =
    "reads.requests reads.bytes reads.errors writes.requests writes.bytes writes.errors "
    "flushes.requests flushes.bytes flushes.errors discards.requests discards.bytes "
    "discards.errors "
    "write_zeroes.requests write_zeroes.bytes write_zeroes.errors "
    "allocates.requests allocates.bytes allocates.errors started finished "
    "timeout.passed timeout.asked faults.timeouts requeue.passed requeue.asked faults.requeues "
    "init_hctx.passed init_hctx.asked faults.init_hctx "
    "cache.written_back cache.dropped faults.seed drawn";

}  // namespace

absl::Span<const CounterRow> CounterRows() { return kRows; }

std::vector<std::string> FirstCounterTable() {
  const std::vector<std::string> names = absl::StrSplit(kFirst, ' ');
  std::vector<CounterRow> rows;
  rows.reserve(names.size());
  for (const std::string& name : names) {
    const auto* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                         [&](const CounterRow& each) { return each.name == name; });
    assert(row != std::end(kRows));  // none of these is renamed
    rows.push_back(*row);
  }
  return CounterTable::Make(rows, {})->Texts();
}

}  // namespace rnullfs
