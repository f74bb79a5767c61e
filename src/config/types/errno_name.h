// An errno by its name, "EIO", or by its number.  The value is the number: one that FUSE takes.
#ifndef RNULLFS_CONFIG_TYPES_ERRNO_NAME_H_
#define RNULLFS_CONFIG_TYPES_ERRNO_NAME_H_

#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/types/loose_text.h"

namespace rnullfs {

class ErrnoName final : public LooseText {
 public:
  static constexpr uint64_t kMax = 511;  // fuse_dev_do_write() in fs/fuse/dev.c

  std::string Accepts() const override {
    return absl::StrCat("an errno by its name, EIO, or its number, up to ", kMax);
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const std::string_view word = TrimSpace(text);
    const std::optional<uint64_t> number = ParseUnsigned(word);
    if (number.has_value() && *number > 0 && *number <= kMax) return Value(*number);
    for (uint64_t each = 1; each <= kMax; ++each) {
      if (!word.empty() && NameOf(each) == word) return Value(each);
    }
    return Refuse(name, text);
  }
  std::string Text(const Value& value) const override {
    const uint64_t number = std::get<uint64_t>(value);
    const std::string_view name = NameOf(number);
    return name.empty() ? absl::StrCat(number) : std::string(name);
  }

  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    if (json.kind != JsonValue::Kind::kNumber) return LooseText::FromJson(name, json);
    return LooseText::FromJson(name, {JsonValue::Kind::kText, json.text});
  }

 private:
  // Empty where it has none.
  static std::string_view NameOf(uint64_t number) {
    const char* const name = strerrorname_np(static_cast<int>(number));
    return name == nullptr ? std::string_view() : name;
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_ERRNO_NAME_H_
