#include "rnullfs/bad_blocks.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/wording.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

struct Command {
  bool mark;
  BadBlocks::Range range;
};

absl::Status Refused(std::string_view word, std::string_view why) {
  return Error(EINVAL, Concat({"badblocks: ", Shown(word), " is not accepted; ", why}));
}

absl::StatusOr<Command> ParseCommand(std::string_view word) {
  const bool mark = word[0] == '+';
  const size_t dash = word.find('-', 1);
  if ((!mark && word[0] != '-') || dash == std::string_view::npos) {
    return Rejected("badblocks", Shown(word), BadBlocks::kAccepts);
  }
  const std::optional<uint64_t> first = ParseUnsigned(word.substr(1, dash - 1));
  const std::optional<uint64_t> last = ParseUnsigned(word.substr(dash + 1));
  if (!first.has_value() || !last.has_value()) {
    return Rejected("badblocks", Shown(word), BadBlocks::kAccepts);
  }
  if (*first > *last) return Refused(word, "its first sector is past its last");
  if (*last > BadBlocks::kSectorMax) {
    return Refused(word, absl::StrCat("the largest sector is ", BadBlocks::kSectorMax));
  }
  return Command{mark, {*first, *last}};
}

uint64_t CountEntries(const std::vector<BadBlocks::Range>& ranges) {
  uint64_t entries = 0;
  for (const BadBlocks::Range& range : ranges) {
    entries += (range.sectors() + BadBlocks::kEntrySectorsMax - 1) / BadBlocks::kEntrySectorsMax;
  }
  return entries;
}

// The entry of `range` that has `sector`.
BadBlocks::Range EntryAt(const BadBlocks::Range& range, uint64_t sector) {
  const uint64_t before = (sector - range.first) % BadBlocks::kEntrySectorsMax;
  const uint64_t first = sector - before;
  return {first, std::min(range.last, first + BadBlocks::kEntrySectorsMax - 1)};
}

}  // namespace

absl::Status BadBlocks::Edit(std::string_view text) {
  BadBlocks next = *this;
  bool any = false;
  for (size_t at = text.find_first_not_of(kSpace); at != std::string_view::npos;
       at = text.find_first_not_of(kSpace, at)) {
    const std::string_view word = text.substr(at, text.find_first_of(kSpace, at) - at);
    at += word.size();
    any = true;
    const absl::StatusOr<Command> command = ParseCommand(word);
    if (!command.ok()) return command.status();
    if (command->mark ? next.Mark(command->range) : next.Clear(command->range)) continue;
    return Error(ENOSPC,
                 absl::StrCat("badblocks: there may be ", kEntriesMax, " entries, of at most ",
                              kEntrySectorsMax, " sectors each, and ", Shown(word),
                              " would make more; clear some, or mark less"));
  }
  if (!any) return Rejected("badblocks", "\"\"", kAccepts);
  *this = std::move(next);
  return absl::OkStatus();
}

bool BadBlocks::Mark(Range range) {
  std::vector<Range> next;
  next.reserve(ranges_.size() + 1);
  for (const Range& there : ranges_) {
    // Ranges that touch become one.
    if (there.last + 1 < range.first || range.last + 1 < there.first) {
      next.push_back(there);
    } else {
      range = {std::min(range.first, there.first), std::max(range.last, there.last)};
    }
  }
  const auto behind = std::find_if(next.begin(), next.end(),
                                   [&](const Range& there) { return there.first > range.last; });
  next.insert(behind, range);
  if (CountEntries(next) > kEntriesMax) return false;
  ranges_ = std::move(next);
  return true;
}

bool BadBlocks::Clear(Range range) {
  std::vector<Range> next;
  next.reserve(ranges_.size() + 1);
  for (const Range& there : ranges_) {
    if (there.last < range.first || range.last < there.first) {
      next.push_back(there);
      continue;
    }
    if (there.first < range.first) next.push_back({there.first, range.first - 1});
    if (range.last < there.last) next.push_back({range.last + 1, there.last});
  }
  if (CountEntries(next) > kEntriesMax) return false;
  ranges_ = std::move(next);
  return true;
}

std::optional<BadBlocks::Range> BadBlocks::FindEntry(Range range) const {
  const auto it = std::partition_point(
      ranges_.begin(), ranges_.end(), [&](const Range& there) { return there.last < range.first; });
  if (it == ranges_.end() || it->first > range.last) return std::nullopt;
  return EntryAt(*it, std::max(it->first, range.first));
}

std::vector<BadBlocks::Range> BadBlocks::Entries() const {
  std::vector<Range> entries;
  for (const Range& range : ranges_) {
    for (uint64_t first = range.first; first <= range.last; first += kEntrySectorsMax) {
      entries.push_back(EntryAt(range, first));
    }
  }
  return entries;
}

std::string BadBlocks::Show() const {
  std::string text;
  for (const Range& entry : Entries())
    absl::StrAppend(&text, entry.first, " ", entry.sectors(), "\n");
  return text;
}

std::string BadBlocks::Commands() const {
  std::string text;
  for (const Range& range : ranges_) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", "+", range.first, "-", range.last);
  }
  return text;
}

}  // namespace rnullfs
