// How much of a sector is made another: "1bit", "3bits", "16bytes".
#ifndef RNULLFS_CONFIG_TYPES_AMOUNT_H_
#define RNULLFS_CONFIG_TYPES_AMOUNT_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/types/loose_text.h"
#include "rnullfs/fault_rule.h"

namespace rnullfs {

class Amount final : public LooseText {
 public:
  using LooseText::LooseText;

  std::string Accepts() const override {
    return absl::StrCat("bits or bytes of a sector: 1bit, 3bits, 16bytes; at most ",
                        FaultAmount::kBytesMax, "bytes, or ", 8 * FaultAmount::kBytesMax, "bits");
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const std::string_view words = TrimSpace(text);
    const size_t digits = std::min(words.find_first_not_of("0123456789"), words.size());
    const std::optional<uint64_t> count = ParseUnsigned(words.substr(0, digits));
    const std::string_view unit = TrimSpace(words.substr(digits));
    FaultAmount amount;
    if (unit == "byte" || unit == "bytes") {
      amount.bytes = true;
    } else if (unit != "bit" && unit != "bits") {
      return Refuse(name, text);
    }
    if (!count || *count == 0 || *count > amount.Most()) return Refuse(name, text);
    amount.count = static_cast<uint32_t>(*count);
    return Value(amount);
  }
  std::string Text(const Value& value) const override {
    const auto& amount = std::get<FaultAmount>(value);
    return absl::StrCat(amount.count, amount.bytes ? "byte" : "bit", amount.count == 1 ? "" : "s");
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_AMOUNT_H_
