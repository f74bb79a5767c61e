// Counters that describe themselves: cells of 8 bytes, found by name, in memory that may outlive
// the process and the version of the program.
//
// The program has a list of the counters that it knows (CounterRow).  A mount has a table
// (CounterTable) of those that its devices' memory has, and where.  The table only grows: a name
// keeps its place for ever, what a version adds to its list gets a place that is free, and what it
// does not know it leaves alone.  So versions take over from each other, both ways, and nothing is
// ever moved.
//
// A device's memory:  4 KiB | 4 KiB | ...       of each page, in bytes:
//                     0  16 shards of 192, so that threads mostly count in lines of their own
//                     3072  what has one cell for all threads
// A histogram takes whole pages, behind the first.
//
// Thread safety: cells from any thread.  A table that was made is constant.  OpenHistogram() and
// Walk() one at a time.
#ifndef RNULLFS_COUNTERS_H_
#define RNULLFS_COUNTERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "rnullfs/histogram.h"

namespace rnullfs {

enum class CounterKind : uint8_t {
  kCounter,    // only grows
  kGauge,      // whatever it is now
  kValue,      // what a stage has to remember: nobody is shown it
  kHistogram,  // how often values were how large
};

// A line of the list.
struct CounterRow {
  std::string_view name;  // "reads.bytes": what is before the dot is a group; no spaces
  CounterKind kind;
  bool sharded;           // many threads may count it at once
  std::string_view unit;  // of its value, as a plural; may be empty
  std::string_view help;  // a clause

  // What is before the dot, if anything, and what is behind it.
  std::pair<std::string_view, std::string_view> SplitName() const {
    const size_t dot = name.find('.');
    if (dot == std::string_view::npos) return {"", name};
    return {name.substr(0, dot), name.substr(dot + 1)};
  }
};

// Where a counter lies in the memory of each device.
struct CounterPlace {
  std::string text = {};   // as it is saved: "reads.bytes counter 16x1 8"
  uint64_t copies = 1;     // kShards or 1
  uint64_t cells = 1;      // of each copy
  uint64_t at = 0;         // of the first; bytes
  bool added = false;      // by this process: nobody has counted there yet
  uint64_t bytes() const;  // from the first copy's begin to the last one's end
};

class CounterTable {
 public:
  static constexpr uint64_t kPageBytes = 4096;
  static constexpr uint64_t kBytesMax = kPageBytes + (uint64_t{1} << 20);  // of a device
  static constexpr uint64_t kShards = 16;
  static constexpr uint64_t kShardBytes = 192;

  // The places of `saved`, and new ones for those of `rows` that are not among them: a counter is
  // what has the same name, kind and shape.  If `anew`, all count as added.  `rows` outlive it.
  // EINVAL, with a sentence, for what Texts() cannot have said.
  static absl::StatusOr<CounterTable> Make(absl::Span<const CounterRow> rows,
                                           const std::vector<std::string>& saved,
                                           bool anew = false);

  // What is to be saved.
  std::vector<std::string> Texts() const;

  absl::Span<const CounterRow> rows() const { return rows_; }
  // Of a row; null where a device has no room left.
  const CounterPlace* PlaceOf(size_t row) const {
    return by_row_[row] == kNowhere ? nullptr : &places_[by_row_[row]];
  }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;
  explicit CounterTable(absl::Span<const CounterRow> rows) : rows_(rows) {}

  absl::Span<const CounterRow> rows_;
  std::vector<CounterPlace> places_;
  std::vector<size_t> by_row_;
};

using Cell = std::atomic<uint64_t>;

// A counter that has a cell in each shard.
class ShardedCell {
 public:
  explicit ShardedCell(Cell& first) : first_(&first) {}
  // A thread asks for its shard once for all that it counts.
  static size_t MyShard() {
    static std::atomic<size_t> threads{0};
    thread_local const size_t mine =
        threads.fetch_add(1, std::memory_order_relaxed) % CounterTable::kShards;
    return mine;
  }
  Cell& operator[](size_t shard) const { return first_[shard * kStride]; }
  uint64_t Sum(std::memory_order order = std::memory_order_relaxed) const;

 private:
  static constexpr size_t kStride = CounterTable::kShardBytes / sizeof(Cell);
  Cell* first_;
};

// Memory of a device's that outlives the process: `bytes` from `at` on, mapped as long as anybody
// counts there; null when there is none.
using CounterMemory = std::function<void*(uint64_t at, uint64_t bytes)>;

// The counters of a device.
class Counters {
 public:
  // Where `memory` has none, they end with this object.  The table outlives it.
  Counters(const CounterTable& table, CounterMemory memory);
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  // All names are the list's (asserted).  Each is looked for, so not while a request waits.
  Cell& operator[](std::string_view name) { return *cells_[RowOf(name)]; }
  ShardedCell Sharded(std::string_view name) { return ShardedCell((*this)[name]); }
  // Takes memory, some pages, when it is called first.
  Histogram OpenHistogram(std::string_view name);

  // Every counter, in the list's order; histograms that are open.
  struct Reading {
    const CounterRow& row;
    uint64_t value;              // 0 for a histogram
    const Histogram* histogram;  // null for all else
  };
  void Walk(absl::FunctionRef<void(const Reading&)> visit) const;

 private:
  struct alignas(64) Line {
    Cell cells[8];
  };
  size_t RowOf(std::string_view name) const;
  Cell* Own(uint64_t bytes);
  Cell* Map(const CounterPlace* place, uint64_t bytes);

  const CounterTable& table_;
  const CounterMemory memory_;
  std::vector<std::unique_ptr<Line[]>> own_;
  Cell* first_page_ = nullptr;
  std::vector<Cell*> cells_;  // by row; null: a histogram that is not open
};

}  // namespace rnullfs

#endif  // RNULLFS_COUNTERS_H_
