// One of a few words.  The value is its number.
#ifndef RNULLFS_CONFIG_TYPES_WORD_H_
#define RNULLFS_CONFIG_TYPES_WORD_H_

#include <algorithm>

#include "base/parse.h"
#include "config/wording.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

class Word final : public ValueType {
 public:
  // `words` outlives this.
  constexpr explicit Word(absl::Span<const std::string_view> words) : words_(words) {}

  std::string Accepts() const override {
    std::string list;
    for (const std::string_view& word : words_) {
      list += Concat({list.empty() ? "" : &word == &words_.back() ? " or " : ", ", word});
    }
    return list;
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const auto it = std::find(words_.begin(), words_.end(), TrimSpace(text));
    if (it == words_.end()) return Refuse(name, text);
    return Value(static_cast<uint64_t>(it - words_.begin()));
  }
  std::string Text(const Value& value) const override {
    return std::string(words_[std::get<uint64_t>(value)]);
  }

  absl::Span<const std::string_view> words() const override { return words_; }

 private:
  absl::Span<const std::string_view> words_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_WORD_H_
