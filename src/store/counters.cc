#include "rnullfs/counters.h"

#include <cassert>
#include <utility>

namespace rnullfs {

uint64_t ShardedCell::Sum(std::memory_order order) const {
  uint64_t sum = 0;
  for (size_t shard = 0; shard < CounterTable::kShards; ++shard) sum += (*this)[shard].load(order);
  return sum;
}

Counters::Counters(const CounterTable& table, CounterMemory memory)
    : table_(table), memory_(std::move(memory)) {
  constexpr uint64_t kPageBytes = CounterTable::kPageBytes;
  if (memory_ != nullptr) first_page_ = static_cast<Cell*>(memory_(0, kPageBytes));
  if (first_page_ == nullptr) first_page_ = Own(kPageBytes);
  for (size_t row = 0; row < table_.rows().size(); ++row) {
    const CounterRow& what = table_.rows()[row];
    const uint64_t bytes =
        what.sharded ? CounterTable::kShards * CounterTable::kShardBytes : sizeof(Cell);
    const bool later = what.kind == CounterKind::kHistogram;
    cells_.push_back(later ? nullptr : Map(table_.PlaceOf(row), bytes));
  }
}

Cell* Counters::Own(uint64_t bytes) {
  return own_.emplace_back(std::make_unique<Line[]>((bytes + sizeof(Line) - 1) / sizeof(Line)))
      .get()
      ->cells;
}

// What has no place has `bytes` of its own.
Cell* Counters::Map(const CounterPlace* place, uint64_t bytes) {
  if (place == nullptr) return Own(bytes);
  Cell* cells = nullptr;
  if (place->at < CounterTable::kPageBytes) {
    cells = first_page_ + place->at / sizeof(Cell);
  } else if (memory_ != nullptr) {
    cells = static_cast<Cell*>(memory_(place->at, place->bytes()));
  }
  if (cells == nullptr) return Own(place->bytes());
  // A process that died before the table was saved may have counted something else here.
  for (uint64_t copy = 0; place->added && copy < place->copies; ++copy) {
    Cell* const first = cells + copy * CounterTable::kShardBytes / sizeof(Cell);
    for (uint64_t cell = 0; cell < place->cells; ++cell) first[cell].store(0);
  }
  return cells;
}

size_t Counters::RowOf(std::string_view name) const {
  size_t row = 0;
  while (row < cells_.size() && table_.rows()[row].name != name) ++row;
  assert(row < cells_.size());
  return row;
}

Histogram Counters::OpenHistogram(std::string_view name) {
  const size_t row = RowOf(name);
  if (cells_[row] == nullptr) {
    cells_[row] = Map(table_.PlaceOf(row), Histogram::kCells * sizeof(Cell));
  }
  return Histogram(cells_[row]);
}

void Counters::Walk(absl::FunctionRef<void(const Reading&)> visit) const {
  for (size_t row = 0; row < cells_.size(); ++row) {
    const CounterRow& what = table_.rows()[row];
    if (cells_[row] == nullptr) continue;
    if (what.kind == CounterKind::kHistogram) {
      const Histogram histogram(cells_[row]);
      visit({what, 0, &histogram});
    } else if (what.sharded) {
      visit({what, ShardedCell(*cells_[row]).Sum(std::memory_order_acquire), nullptr});
    } else {
      visit({what, cells_[row]->load(std::memory_order_relaxed), nullptr});
    }
  }
}

}  // namespace rnullfs
