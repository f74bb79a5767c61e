#include "rnullfs/counters.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "store/record_log.h"

namespace rnullfs {
namespace {

using enum CounterKind;
using Rows = std::vector<CounterRow>;
using Texts = std::vector<std::string>;

CounterRow Sharded(std::string_view name) { return {name, kCounter, true, "", ""}; }
CounterRow Single(std::string_view name) { return {name, kValue, false, "", ""}; }
CounterRow Latencies(std::string_view name) { return {name, kHistogram, false, "us", ""}; }

CounterTable Table(const Rows& rows, const Texts& saved = {}) {
  return CounterTable::Make(rows, saved).value();
}

// A device's memory, as a mount keeps it.
class Memory {
 public:
  CounterMemory Map() const {
    return [this](uint64_t at, uint64_t bytes) { return log_->MapCounters(1, at, bytes); };
  }
  // Another process comes.
  void TakeOver() {
    log_ = RecordLog::Open(UniqueFd(fcntl(log_->fd(), F_DUPFD_CLOEXEC, 3))).value();
  }

 private:
  std::unique_ptr<RecordLog> log_ = RecordLog::Create().value();
};

TEST(CounterTable, GivesEachNameThePlaceThatIsFreeFirst) {
  const Rows rows = {Sharded("a"), Single("b"), Sharded("c"), Latencies("d"), Single("e")};
  EXPECT_EQ(Table(rows).Texts(), (Texts{"a counter 16x1 0", "b value 1x1 3072", "c counter 16x1 8",
                                        "d histogram 1x3330 4096", "e value 1x1 3080"}));
}

TEST(CounterTable, KeepsWhatItHas) {
  const Rows old = {Sharded("a"), Single("b")};
  const Rows next = {Single("n"), Single("b"), Sharded("m"), Sharded("a")};
  const Texts first = Table(old).Texts();
  const CounterTable upgraded = Table(next, first);
  EXPECT_EQ(upgraded.Texts(), (Texts{"a counter 16x1 0", "b value 1x1 3072", "n value 1x1 3080",
                                     "m counter 16x1 8"}));
  const CounterTable back = Table(old, upgraded.Texts());
  EXPECT_EQ(back.Texts(), upgraded.Texts()) << "also what it does not know";
  EXPECT_EQ(back.PlaceOf(1)->at, 3072);
  const Rows branch = {Sharded("a"), Sharded("other")};
  EXPECT_EQ(Table(branch, upgraded.Texts()).Texts().back(), "other counter 16x1 16");
}

TEST(CounterTable, OfAnotherKindItIsAnotherCounter) {
  const Rows now = {Single("a")};
  EXPECT_EQ(Table(now, {"a counter 16x1 0"}).Texts(),
            (Texts{"a counter 16x1 0", "a value 1x1 3072"}));
}

TEST(CounterTable, KeepsWhatALaterVersionSays) {
  const Rows rows = {Single("a")};
  const Texts saved = {"x summary 1x100 3072 quantiles", "y gauge 16x2 8"};
  const Texts texts = Table(rows, saved).Texts();
  EXPECT_EQ(texts, (Texts{saved[0], saved[1], "a value 1x1 3872"}));
}

TEST(CounterTable, RefusesWhatIsDamaged) {
  for (const Texts& saved : {
           Texts{""},
           Texts{"a counter 16x1"},
           Texts{"a counter 16 0"},
           Texts{"a counter 15x1 0"},
           Texts{"a counter 16x1 -8"},
           Texts{"a counter 16x1 4"},
           Texts{"a counter 16x0 0"},
           Texts{"a counter 16x25 0"},
           Texts{"a counter 16x1 2048"},
           Texts{"a value 1x2 4088"},
           Texts{"a value 1x1 1052672"},
           Texts{"a value 1x1 18446744073709551608"},
           Texts{"a value 1x2305843009213693952 0"},
           Texts{"a counter 16x1 0", "b value 1x1 192"},
           Texts{"a counter 16x1 0", "a counter 16x1 0"},
       }) {
    const auto table = CounterTable::Make({}, saved);
    EXPECT_EQ(table.status().message(), "the saved state's table of counters is damaged")
        << saved[0];
  }
  EXPECT_TRUE(CounterTable::Make({}, {"a value 1x1 1052664"}).ok()) << "the last one";
}

// Many names, more than fit into one page, and all that a device can have.
struct ManyRows {
  ManyRows(size_t sharded, size_t single, size_t histograms) {
    const auto add = [this](size_t count, auto row) {
      for (size_t i = 0; i < count; ++i) {
        rows.push_back(row(names.emplace_back("n" + std::to_string(names.size()))));
      }
    };
    add(sharded, Sharded);
    add(histograms, Latencies);
    add(single, Single);
  }
  std::deque<std::string> names;
  Rows rows;
};

TEST(Counters, AreOfAnyNumber) {
  const ManyRows many(200, 1000, 6);
  const CounterTable table = Table(many.rows);
  const CounterTable next = Table(many.rows, table.Texts());
  EXPECT_EQ(next.Texts(), table.Texts());
  Memory memory;
  for (const bool first : {true, false}) {
    Counters counters(first ? table : next, memory.Map());
    uint64_t number = 0;
    for (const CounterRow& row : many.rows) {
      ++number;
      for (size_t i = 0; i < CounterTable::kShards && row.sharded; ++i) {
        Cell& cell = counters.Sharded(row.name)[i];
        if (first) cell = number * 100 + i;
        ASSERT_EQ(cell, number * 100 + i);
      }
      if (row.sharded) continue;
      if (row.kind == kHistogram) {
        if (first) counters.OpenHistogram(row.name).Record(number);
        ASSERT_EQ(counters.OpenHistogram(row.name).Sum(), number);
      } else {
        if (first) counters[row.name] = number;
        ASSERT_EQ(counters[row.name], number);
      }
    }
  }
}

TEST(Counters, CountAlsoWhereThereIsNoMemoryThatSurvives) {
  const ManyRows many(2, 200, 60);
  const CounterTable table = Table(many.rows);
  EXPECT_EQ(table.PlaceOf(50), nullptr) << "no room for so many histograms";
  for (const CounterMemory& memory : {CounterMemory(), CounterMemory([](uint64_t, uint64_t) {
                                        return static_cast<void*>(nullptr);
                                      })}) {
    Counters counters(table, memory);
    counters.Sharded("n1")[15] = 1;
    counters.OpenHistogram("n30").Record(2);
    counters.OpenHistogram("n50").Record(3);
    counters["n261"] = 4;
    std::map<std::string_view, uint64_t> seen;
    counters.Walk([&](const Counters::Reading& counter) {
      const bool open = counter.histogram != nullptr;
      seen[counter.row.name] = open ? counter.histogram->Max() : counter.value;
    });
    EXPECT_EQ(seen.size(), 204U);
    EXPECT_EQ(seen["n1"] + seen["n30"] + seen["n50"] + seen["n261"], 10);
  }
}

TEST(Counters, OutliveWorkersAndVersions) {
  const Rows old = {Sharded("requests"), Single("left")};
  const Rows next = {Latencies("latency"), Single("left"), Single("more"), Sharded("requests")};
  Memory memory;
  const Texts first = Table(old).Texts();
  {
    const CounterTable table = Table(old);
    Counters counters(table, memory.Map());
    EXPECT_TRUE(table.PlaceOf(1)->added);
    counters.Sharded("requests")[3] += 7;
    counters["left"] = UINT64_MAX;
  }
  memory.TakeOver();
  const CounterTable upgraded = Table(next, first);
  {
    Counters counters(upgraded, memory.Map());
    EXPECT_FALSE(upgraded.PlaceOf(1)->added);
    EXPECT_TRUE(upgraded.PlaceOf(2)->added);
    EXPECT_EQ(counters.Sharded("requests").Sum(), 7);
    EXPECT_EQ(counters["left"], UINT64_MAX);
    EXPECT_EQ(counters["more"], 0);
    counters["more"] = 5;
    counters.OpenHistogram("latency").Record(1000);
    counters.OpenHistogram("latency").Record(2000);
  }
  memory.TakeOver();
  {
    const CounterTable table = Table(old, upgraded.Texts());
    Counters counters(table, memory.Map());
    counters.Sharded("requests")[4] += 1;
  }
  memory.TakeOver();
  const CounterTable again = Table(next, upgraded.Texts());
  Counters counters(again, memory.Map());
  EXPECT_FALSE(again.PlaceOf(2)->added);
  EXPECT_EQ(counters["more"], 5);
  EXPECT_EQ(counters.Sharded("requests").Sum(), 8);
  EXPECT_EQ(counters.OpenHistogram("latency").Max(), 2000);
  EXPECT_EQ(counters.OpenHistogram("latency").Count(), 2);
}

// Who was killed before the table was saved has counted where others may have their cells now.
TEST(Counters, StartAtZeroWhenTheyAreAdded) {
  const Rows lost = {Latencies("b"), Sharded("a"), Single("c")};
  const Rows now = {Single("d"), Latencies("e"), Sharded("f")};
  Memory memory;
  {
    const CounterTable table = Table(lost);
    Counters counters(table, memory.Map());
    for (size_t i = 0; i < CounterTable::kShards; ++i) counters.Sharded("a")[i] = 1;
    counters["c"] = 1;
    counters.OpenHistogram("b").Record(1);
  }
  const CounterTable table = Table(now);
  Counters counters(table, memory.Map());
  EXPECT_EQ(counters["d"], 0);
  EXPECT_EQ(counters.Sharded("f").Sum(), 0);
  EXPECT_EQ(counters.OpenHistogram("e").Count(), 0);
  EXPECT_EQ(counters.OpenHistogram("e").Max(), 0);
}

TEST(Counters, AreExactFromManyThreads) {
  const Rows rows = {Sharded("requests"), Latencies("latency")};
  const CounterTable table = Table(rows);
  Counters counters(table, nullptr);
  const Histogram latency = counters.OpenHistogram("latency");
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 20; ++thread) {
    threads.emplace_back([&counters, latency, thread] {
      const ShardedCell requests = counters.Sharded("requests");
      for (int i = 0; i < 1000; ++i) {
        requests[ShardedCell::MyShard()].fetch_add(1);
        latency.Record(thread);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counters.Sharded("requests").Sum(), 20'000);
  EXPECT_EQ(latency.Count(), 20'000);
  EXPECT_EQ(latency.Sum(), 190'000);
  EXPECT_EQ(latency.Max(), 19);
}

}  // namespace
}  // namespace rnullfs
