// An errno by its name, "EIO", or by its number.  The value is the number: one that FUSE takes, and
// that is the answer to one request alone.  (After ENOSYS the kernel asks for no flush, or no
// discard, of any disk of the mount again: fuse_fsync_common() in fs/fuse/dir.c.)
#ifndef RNULLFS_CONFIG_TYPES_ERRNO_NAME_H_
#define RNULLFS_CONFIG_TYPES_ERRNO_NAME_H_

#include <cerrno>
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
    return absl::StrCat("an errno by its name, EIO, or its number, up to ", kMax,
                        ", but not ENOSYS, after which the kernel would not ask again");
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const std::string_view word = TrimSpace(text);
    std::optional<uint64_t> number = ParseUnsigned(word);
    for (uint64_t each = 1; !number && !word.empty() && each <= kMax; ++each) {
      if (NameOf(each) == word) number = each;
    }
    if (!number || *number == 0 || *number > kMax || *number == ENOSYS) return Refuse(name, text);
    return Value(*number);
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
