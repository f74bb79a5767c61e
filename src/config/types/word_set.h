// Some of a few words, or "all" of them.  The value has a bit for each, by its number.
#ifndef RNULLFS_CONFIG_TYPES_WORD_SET_H_
#define RNULLFS_CONFIG_TYPES_WORD_SET_H_

#include <algorithm>
#include <cstdint>

#include "config/types/loose_text.h"
#include "config/wording.h"
#include "config/words_of.h"

namespace rnullfs {

class WordSet final : public LooseText {
 public:
  // `words` outlives this.
  constexpr explicit WordSet(absl::Span<const std::string_view> words) : words_(words) {}

  std::string Accepts() const override {
    std::string list;
    for (const std::string_view word : words_) list += Concat({word, ", "});
    return list + "several of these, or all";
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    uint64_t bits = 0;
    for (const std::string_view word : WordsOf(text)) {
      const auto found = std::find(words_.begin(), words_.end(), word);
      if (found == words_.end() && word != kAll) return Refuse(name, text);
      bits |= word == kAll ? AllBits() : uint64_t{1} << (found - words_.begin());
    }
    if (bits == 0) return Refuse(name, text);
    return Value(bits);
  }
  std::string Text(const Value& value) const override {
    const uint64_t bits = std::get<uint64_t>(value);
    if (bits == AllBits()) return std::string(kAll);
    std::string text;
    for (size_t i = 0; i < words_.size(); ++i) {
      if ((bits >> i & 1) != 0) text += Concat({text.empty() ? "" : " ", words_[i]});
    }
    return text;
  }

  absl::Span<const std::string_view> words() const override { return words_; }

 private:
  static constexpr std::string_view kAll = "all";
  uint64_t AllBits() const { return (uint64_t{1} << words_.size()) - 1; }

  absl::Span<const std::string_view> words_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_WORD_SET_H_
