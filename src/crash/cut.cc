#include "crash/cut.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/mix.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;
// A second of work, and some hundred MiB, at most: pages that have changed, times discards that
// reach over them; and versions.
constexpr uint64_t kStepsMax = uint64_t{1} << 25;

const LogEntry* FindEntry(const std::vector<LogEntry>& entries, uint64_t number) {
  const auto found = std::lower_bound(
      entries.begin(), entries.end(), number,
      [](const LogEntry& entry, uint64_t wanted) { return entry.number < wanted; });
  return found == entries.end() || found->number != number ? nullptr : &*found;
}

}  // namespace

uint64_t HashOfUnit(const char* contents, uint32_t bytes) {
  uint64_t hash = kGoldenGamma;
  for (uint32_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, contents + at, sizeof word);
    hash = Mix(hash ^ word) + kGoldenGamma;
  }
  return hash;
}

// Changes before `first` are durable, those behind `last` have not been sent; of those between,
// what had been answered by the flush with the number `covered_by`, which was answered in time, is.
struct CrashCut::Window {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t covered_by = 0;
  bool forgotten = false;  // what was durable before: all that was before `first` counts as that
  // What was answered between the same two numbers, was so in the order of its numbers.
  uint64_t answered_by = 0;              // LogEntry::answered, at most; with that number,
  uint64_t answered_below = UINT64_MAX;  // only these

  // A promise that it has made by then.
  bool IsKept(const LogEntry& entry) const {
    if (entry.answered == 0 || entry.error != 0) return false;
    return entry.answered < answered_by ||
           (entry.answered == answered_by && entry.number < answered_below);
  }
  bool IsDurable(const LogEntry& entry) const {
    if ((entry.flags & LogEntry::kFua) != 0 && IsKept(entry)) return true;
    return entry.answered != 0 && entry.answered <= covered_by;
  }
};

// The changes in a window, in order, and those of them that zero: of what was zeros already there
// is no version.
struct CrashCut::Changes {
  std::vector<LogEntry> entries;
  std::vector<size_t> zeroing;
  std::vector<std::pair<uint64_t, uint64_t>> lost;  // first and last page of what may be

  const LogEntry* Find(uint64_t number) const { return FindEntry(entries, number); }
  // Of each page once, in order.
  void MergeLost();
};

void CrashCut::Changes::MergeLost() {
  std::sort(lost.begin(), lost.end());
  size_t merged = 0;
  for (const auto& [first, last] : lost) {
    if (merged > 0 && first <= lost[merged - 1].second + 1) {
      lost[merged - 1].second = std::max(lost[merged - 1].second, last);
    } else {
      lost[merged++] = {first, last};
    }
  }
  lost.resize(merged);
}

// The newest flush that had been answered, looked for from the end on: what came before a rollback,
// or another cut, cannot be lost any more.
CrashCut::Window CrashCut::WindowOf(const RequestLog& log, uint64_t oldest) const {
  Window window = {.first = std::max(log.first(), oldest + 1),
                   .last = std::min(number_, log.last()),
                   .answered_by = number_};
  window.forgotten = window.first > 1;
  const std::optional<LogEntry> at = log.At(number_);
  if (at && at->makes_durable()) {
    window.last = at->answered == 0 ? log.last() : at->answered - 1;
    window.answered_by = window.last + 1;
    if (at->answered != 0) window.answered_below = number_;
  }
  for (uint64_t number = window.last; number >= window.first; --number) {
    const std::optional<LogEntry> entry = log.At(number);
    if (!entry) continue;
    if (entry->jumps()) {
      window.first = number + 1;
      window.forgotten = false;
      break;
    }
    if (window.covered_by == 0 && entry->is_flush() && window.IsKept(*entry)) {
      window.covered_by = number;
      window.forgotten = entry->unanswered < window.first;
      window.first = std::max(window.first, entry->unanswered);
    }
  }
  return window;
}

int CrashCut::Make(Past& past, uint64_t number, uint32_t unit_bytes, MemoryLimit& memory,
                   std::shared_ptr<const CrashCut>& cut) {
  const RequestLog& log = past.log();
  if (number < std::max(log.first(), past.oldest() + 1) || number > log.last() + 1) return ESTALE;
  std::shared_ptr<CrashCut> made(new CrashCut(number, unit_bytes, memory));
  const Window window = made->WindowOf(log, past.oldest());
  made->moment_ = window.last;
  made->forgotten_ = window.forgotten;
  const std::optional<LogEntry> at = log.At(number);
  made->settled_ = at && (!at->makes_durable() || at->answered != 0);
  Changes changes;
  for (uint64_t each = window.first; each <= window.last; ++each) {
    const std::optional<LogEntry> entry = log.At(each);
    if (!entry) return each < log.first() ? ESTALE : EAGAIN;
    if (!entry->changes_range() || entry->length == 0) continue;
    if ((entry->flags & LogEntry::kTakenBack) != 0) continue;
    if (entry->kind != LogEntry::Kind::kWrite) changes.zeroing.push_back(changes.entries.size());
    changes.entries.push_back(*entry);
    if (window.IsDurable(*entry)) continue;
    made->requests_.push_back(*entry);
    changes.lost.emplace_back(FirstPage(entry->offset), LastPage(entry->offset + entry->length));
  }
  changes.MergeLost();
  for (const auto& [first, last] : changes.lost) {
    // Few of those that a discard reaches over may ever have been stored.
    for (uint64_t page = past.NextChanged(first); page <= last; page = past.NextChanged(page + 1)) {
      if (const int error = made->AddPage(past, page, window, changes); error != 0) return error;
    }
  }
  // It has gone meanwhile.
  const bool gone = past.oldest() >= window.first || log.first() > window.first;
  if (gone && !made->units_.empty()) return ESTALE;
  if (const int error = made->Charge(); error != 0) return error;
  cut = std::move(made);
  return 0;
}

// What it takes in memory, about.
int CrashCut::Charge() {
  uint64_t bytes = requests_.size() * sizeof(LogEntry);
  for (const CrashUnit& unit : units_) {
    bytes += sizeof unit + unit.versions.size() * sizeof(CrashVersion) +
             unit.changes.size() * sizeof(unit.changes[0]);
  }
  if (!account_.Take(bytes)) return ENOSPC;
  account_.Settle(bytes, [bytes] { return bytes; });
  return 0;
}

// Of the units of a page those that are not certain.
int CrashCut::AddPage(Past& past, uint64_t page, const Window& window, const Changes& changes) {
  const size_t count = kPageSize / unit_bytes_;
  std::vector<CrashUnit> units(count);
  const auto make = [&](const LogEntry& entry, CrashUnit& unit, uint64_t hash) {
    if (!Touches(entry, unit.index * unit_bytes_)) return;
    const CrashVersion version = {entry.number, hash};
    window.IsDurable(entry) ? unit.SetDurable(version) : unit.Add(version);
  };
  // What has zeroed zeros, before the change `until`: durable is what it is all the same.
  auto zeroing = changes.zeroing.begin();
  const auto zero_until = [&](uint64_t until) {
    for (; zeroing != changes.zeroing.end(); ++zeroing) {
      const LogEntry& entry = changes.entries[*zeroing];
      if (entry.number > until) break;
      if (entry.number == until) continue;
      for (CrashUnit& unit : units) make(entry, unit, unit.NewestHash());
    }
  };
  const int error = past.WalkPage(
      page, window.first - 1, window.last, [&](uint64_t change, bool, const char* contents) {
        const LogEntry* const entry = changes.Find(change);
        zero_until(change);
        for (size_t i = 0; i < count; ++i) {
          units[i].index = page * count + i;
          const uint64_t hash = HashOfUnit(contents + i * unit_bytes_, unit_bytes_);
          if (change == 0) {
            units[i].SetDurable({window.first - 1, hash});
          } else if (entry != nullptr) {
            make(*entry, units[i], hash);
          } else if (units[i].NewestHash() != hash) {  // who made it has died of it
            units[i].Add({change, hash});
          }
        }
      });
  if (error != 0) return error;
  zero_until(UINT64_MAX);
  steps_ += changes.zeroing.size() + 1;
  for (CrashUnit& unit : units) {
    steps_ += unit.changes.size();
    if (unit.versions.size() > 1) units_.push_back(std::move(unit));
  }
  return steps_ > kStepsMax ? E2BIG : 0;
}

bool CrashCut::Touches(const LogEntry& entry, uint64_t begin) const {
  return begin < entry.offset + entry.length && entry.offset < begin + unit_bytes_;
}

void CrashUnit::SetDurable(const CrashVersion& version) {
  versions.assign(1, version);
  changes.clear();
}

void CrashUnit::Add(const CrashVersion& version) {
  const auto same = std::find_if(versions.begin(), versions.end(), [&](const CrashVersion& each) {
    return each.hash == version.hash;
  });
  changes.emplace_back(version.moment, static_cast<uint32_t>(same - versions.begin()));
  if (same == versions.end()) versions.push_back(version);
}

const LogEntry* CrashCut::FindRequest(uint64_t number) const {
  return FindEntry(requests_, number);
}

const CrashUnit* CrashCut::FindUnit(uint64_t index) const {
  const auto found =
      std::lower_bound(units_.begin(), units_.end(), index,
                       [](const CrashUnit& unit, uint64_t wanted) { return unit.index < wanted; });
  return found == units_.end() || found->index != index ? nullptr : &*found;
}

double CrashCut::states_log2() const {
  double sum = 0;
  for (const CrashUnit& unit : units_) sum += std::log2(unit.versions.size());
  return sum;
}

}  // namespace rnullfs
