// Ranges of sectors that are chosen, or "all": "0-7 2048-4095", a single sector by its number.
// Unlike Ranges, which text edits, they are said anew each time.
#ifndef RNULLFS_CONFIG_TYPES_SECTOR_SET_H_
#define RNULLFS_CONFIG_TYPES_SECTOR_SET_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/sector_ranges.h"
#include "config/types/loose_text.h"
#include "config/wording.h"
#include "config/words_of.h"

namespace rnullfs {

class SectorSet final : public LooseText {
 public:
  static constexpr size_t kRangesMax = 512;

  std::string Accepts() const override {
    return absl::StrCat("FIRST-LAST, in 512-byte sectors, up to ", kRangesMax, " of these, or all");
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    SectorRanges ranges;
    const std::vector<std::string_view> words = WordsOf(text);
    const bool all = words.size() == 1 && words[0] == kAll;
    for (const std::string_view word : words) {
      const std::optional<BadBlocks::Range> range = all ? std::nullopt : ReadRange(word);
      if (range.has_value()) ranges.push_back(*range);
    }
    const size_t said = ranges.size();
    Merge(ranges);
    if (words.empty() || (!all && said != words.size()) || ranges.size() > kRangesMax) {
      return Refuse(name, text);
    }
    return Value(std::move(ranges));
  }
  std::string Text(const Value& value) const override {
    std::string text;
    for (const BadBlocks::Range& range : std::get<SectorRanges>(value)) {
      absl::StrAppend(&text, text.empty() ? "" : " ", range.first, "-", range.last);
    }
    return text.empty() ? std::string(kAll) : text;
  }

 private:
  static constexpr std::string_view kAll = "all";

  static std::optional<BadBlocks::Range> ReadRange(std::string_view word) {
    const size_t dash = word.find('-');
    const std::optional<uint64_t> first = ParseUnsigned(word.substr(0, dash));
    const std::optional<uint64_t> last =
        dash == std::string_view::npos ? first : ParseUnsigned(word.substr(dash + 1));
    if (!first || !last || *first > *last || *last > BadBlocks::kSectorMax) return std::nullopt;
    return BadBlocks::Range{*first, *last};
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_SECTOR_SET_H_
