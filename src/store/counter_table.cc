// Which counter lies where in the memory of each device.

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "rnullfs/counters.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint64_t kCellBytes = sizeof(Cell);
constexpr uint64_t kPageBytes = CounterTable::kPageBytes;
constexpr uint64_t kBytesMax = CounterTable::kBytesMax;
constexpr uint64_t kShardBytes = CounterTable::kShardBytes;
constexpr uint64_t kSingles = CounterTable::kShards * kShardBytes;  // where those of one cell begin

// Which cells of a device's memory the table has given away.
class Taken {
 public:
  // False, with nothing done, for a place that is not within the memory, or not free.
  bool Take(const CounterPlace& place) {
    if (!IsWithin(place)) return false;
    bool free = true;
    ForEachCell(place, [&](size_t cell) { free = free && !taken_[cell]; });
    if (free) ForEachCell(place, [&](size_t cell) { taken_[cell] = true; });
    return free;
  }

  // Gives a place to what has none yet; false when no room is left.
  bool Find(CounterPlace& place) {
    const uint64_t bytes = place.cells * kCellBytes;
    for (uint64_t page = 0; page < kBytesMax; page += kPageBytes) {
      uint64_t first = page;  // and the last that will do
      uint64_t last = page > 0 ? page : 0;
      if (place.copies > 1) {
        last = page + kShardBytes - bytes;
      } else if (bytes <= kPageBytes - kSingles) {
        first = page + kSingles;
        last = page + kPageBytes - bytes;
      } else if (page == 0) {
        continue;
      }
      for (place.at = first; place.at <= last; place.at += kCellBytes) {
        if (Take(place)) return true;
      }
    }
    return false;
  }

 private:
  static bool IsWithin(const CounterPlace& place) {
    const uint64_t room = place.copies > 1 ? kShardBytes : kBytesMax;
    if (place.cells == 0 || place.cells > room / kCellBytes) return false;
    if (place.at % kCellBytes != 0 || place.at > kBytesMax - place.bytes()) return false;
    // What lies behind the first page is mapped apart from it.
    return place.at >= kPageBytes || place.at + place.bytes() <= kPageBytes;
  }

  template <typename Do>
  static void ForEachCell(const CounterPlace& place, Do what) {
    for (uint64_t copy = 0; copy < place.copies; ++copy) {
      const uint64_t first = (place.at + copy * kShardBytes) / kCellBytes;
      for (uint64_t cell = first; cell < first + place.cells; ++cell) what(cell);
    }
  }

  std::vector<bool> taken_ = std::vector<bool>(kBytesMax / kCellBytes);
};

std::string_view NameOf(CounterKind kind) {
  constexpr std::string_view kNames[] = {"counter", "gauge", "value", "histogram"};
  return kNames[static_cast<int>(kind)];
}

// More fields than these may follow, and the kind may be one that we do not know.
std::optional<CounterPlace> Parse(const std::string& text) {
  const std::vector<std::string> fields = absl::StrSplit(text, ' ');
  if (fields.size() < 4) return std::nullopt;
  const std::vector<std::string> shape = absl::StrSplit(fields[2], 'x');
  CounterPlace place = {.text = text};
  const bool whole = shape.size() == 2 && absl::SimpleAtoi(shape[0], &place.copies) &&
                     absl::SimpleAtoi(shape[1], &place.cells) &&
                     absl::SimpleAtoi(fields[3], &place.at) &&
                     (place.copies == 1 || place.copies == CounterTable::kShards);
  return whole ? std::optional(place) : std::nullopt;
}

}  // namespace

uint64_t CounterPlace::bytes() const { return (copies - 1) * kShardBytes + cells * kCellBytes; }

absl::StatusOr<CounterTable> CounterTable::Make(absl::Span<const CounterRow> rows,
                                                const std::vector<std::string>& saved, bool anew) {
  CounterTable table(rows);
  Taken taken;
  for (const std::string& text : saved) {
    std::optional<CounterPlace> place = Parse(text);
    if (!place.has_value() || !taken.Take(*place)) {
      return Error(EINVAL, "the saved state's table of counters is damaged");
    }
    place->added = anew;
    table.places_.push_back(*std::move(place));
  }
  for (const CounterRow& row : rows) {
    CounterPlace wanted = {.copies = row.sharded ? kShards : 1,
                           .cells = row.kind == CounterKind::kHistogram ? Histogram::kCells : 1,
                           .added = true};
    // All but the place: what is the same here is the same counter.
    wanted.text = absl::StrCat(std::string(row.name), " ", std::string(NameOf(row.kind)), " ",
                               wanted.copies, "x", wanted.cells, " ");
    size_t at = 0;
    while (at < table.places_.size() && !table.places_[at].text.starts_with(wanted.text)) ++at;
    if (at == table.places_.size()) {
      if (taken.Find(wanted)) {
        absl::StrAppend(&wanted.text, wanted.at);
        table.places_.push_back(std::move(wanted));
      } else {
        at = kNowhere;
      }
    }
    table.by_row_.push_back(at);
  }
  return table;
}

std::vector<std::string> CounterTable::Texts() const {
  std::vector<std::string> texts;
  texts.reserve(places_.size());
  for (const CounterPlace& place : places_) texts.push_back(place.text);
  return texts;
}

}  // namespace rnullfs
