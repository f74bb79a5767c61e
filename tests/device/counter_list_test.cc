// The list of a device's counters, and the page of those who had no table.
#include "device/counter_list.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rnullfs/device_counters.h"

namespace rnullfs {
namespace {

// As the versions had it whose mounts have no table (counters_layout 819206).
struct OldFault {
  std::atomic<uint64_t> passed, asked, failed;
};
struct OldCounters {
  struct Op {
    std::atomic<uint64_t> requests, bytes, errors;
  };
  struct alignas(64) Shard {
    Op ops[6];
    std::atomic<uint64_t> started, finished;
  } shards[16];
  OldFault timeout, requeue, init_hctx;
  std::atomic<uint64_t> written_back, dropped, seed, drawn;
};
static_assert((sizeof(OldCounters) << 8 | 6) == 819206);

struct alignas(64) Page {
  char bytes[CounterTable::kPageBytes] = {};
  OldCounters& old() { return *static_cast<OldCounters*>(static_cast<void*>(bytes)); }
  CounterMemory Map() {
    return [this](uint64_t at, uint64_t bytes_wanted) -> void* {
      return at + bytes_wanted <= sizeof bytes ? bytes + at : nullptr;
    };
  }
};

TEST(CounterList, NamesAreUniqueAndDescribed) {
  std::set<std::string_view> names;
  for (const CounterRow& row : CounterRows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_."), std::string_view::npos);
    EXPECT_FALSE(row.help.empty()) << row.name;
  }
}

// What an older version's page is read by must not change with the rows.
TEST(CounterList, TheFirstTableStays) {
  std::vector<std::string> expected;
  uint64_t at = 0;
  for (const char* op : {"reads", "writes", "flushes", "discards", "write_zeroes", "allocates"}) {
    for (const char* what : {"requests", "bytes", "errors"}) {
      expected.push_back(absl::StrCat(op, ".", what, " counter 16x1 ", at));
      at += 8;
    }
  }
  expected.insert(expected.end(), {"started counter 16x1 144", "finished counter 16x1 152"});
  at = 16 * 192;
  for (const char* cell : {"timeout.passed value", "timeout.asked value", "faults.timeouts counter",
                           "requeue.passed value", "requeue.asked value", "faults.requeues counter",
                           "init_hctx.passed value", "init_hctx.asked value",
                           "faults.init_hctx counter", "cache.written_back counter",
                           "cache.dropped counter", "faults.seed gauge", "drawn value"}) {
    expected.push_back(absl::StrCat(cell, " 1x1 ", at));
    at += 8;
  }
  EXPECT_EQ(FirstCounterTable(), expected);
}

// Each of its names where the struct has it, and nothing else: each is given a number of its own.
TEST(CounterList, TheFirstTableIsThePageOfThoseWhoHadNone) {
  Page page;
  OldCounters& old = page.old();
  std::map<std::string, uint64_t> expected;
  uint64_t number = 0;
  const auto set = [&](const std::string& name, std::atomic<uint64_t>& cell) {
    cell = ++number;
    expected[name] += number;
  };
  const char* const ops[] = {"reads", "writes", "flushes", "discards", "write_zeroes", "allocates"};
  for (OldCounters::Shard& shard : old.shards) {
    for (int op = 0; op < 6; ++op) {
      set(std::string(ops[op]) + ".requests", shard.ops[op].requests);
      set(std::string(ops[op]) + ".bytes", shard.ops[op].bytes);
      set(std::string(ops[op]) + ".errors", shard.ops[op].errors);
    }
    set("started", shard.started);
    set("finished", shard.finished);
  }
  set("timeout.passed", old.timeout.passed);
  set("timeout.asked", old.timeout.asked);
  set("faults.timeouts", old.timeout.failed);
  set("requeue.passed", old.requeue.passed);
  set("requeue.asked", old.requeue.asked);
  set("faults.requeues", old.requeue.failed);
  set("init_hctx.passed", old.init_hctx.passed);
  set("init_hctx.asked", old.init_hctx.asked);
  set("faults.init_hctx", old.init_hctx.failed);
  set("cache.written_back", old.written_back);
  set("cache.dropped", old.dropped);
  set("faults.seed", old.seed);
  set("drawn", old.drawn);

  const CounterTable table = CounterTable::Make(CounterRows(), FirstCounterTable()).value();
  DeviceCounters counters(table, page.Map());
  std::map<std::string, uint64_t> found;
  counters.Walk([&](const Counters::Reading& counter) {
    if (table.PlaceOf(&counter.row - CounterRows().data())->added) return;
    found[std::string(counter.row.name)] = counter.value;
  });
  EXPECT_EQ(found, expected);
  // And the names for those who count.
  EXPECT_EQ(&counters.timeout.failed, &old.timeout.failed);
  EXPECT_EQ(&counters.cache.dropped, &old.dropped);
  EXPECT_EQ(&counters.random.drawn, &old.drawn);
  EXPECT_EQ(counters.statistics.Snapshot()[Op::kAllocate].errors, expected["allocates.errors"]);
}

}  // namespace
}  // namespace rnullfs
