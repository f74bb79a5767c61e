#include "device/counter_list.h"

#include "absl/strings/str_cat.h"

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

}  // namespace

absl::Span<const CounterRow> CounterRows() { return kRows; }

std::vector<std::string> FirstCounterTable() {
  std::vector<std::string> table;
  uint64_t at = 0;
  const auto add = [&](const std::string& name, const char* kind_and_shape) {
    table.push_back(absl::StrCat(name, " ", kind_and_shape, " ", at));
    at += sizeof(Cell);
  };
  for (const char* op : {"reads", "writes", "flushes", "discards", "write_zeroes", "allocates"}) {
    for (const char* what : {".requests", ".bytes", ".errors"}) {
      add(std::string(op) + what, "counter 16x1");
    }
  }
  add("started", "counter 16x1");
  add("finished", "counter 16x1");
  at = CounterTable::kShards * CounterTable::kShardBytes;
  for (const std::string point : {"timeout", "requeue", "init_hctx"}) {
    add(point + ".passed", "value 1x1");
    add(point + ".asked", "value 1x1");
    add(absl::StrCat("faults.", point, point == "init_hctx" ? "" : "s"), "counter 1x1");
  }
  add("cache.written_back", "counter 1x1");
  add("cache.dropped", "counter 1x1");
  add("faults.seed", "gauge 1x1");
  add("drawn", "value 1x1");
  return table;
}

}  // namespace rnullfs
