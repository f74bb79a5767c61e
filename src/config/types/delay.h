// How much later: "50ms", "10ms-80ms" for any time between, "5ms/200ms" for a median and a 99th
// percentile.
#ifndef RNULLFS_CONFIG_TYPES_DELAY_H_
#define RNULLFS_CONFIG_TYPES_DELAY_H_

#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/quantity.h"
#include "config/types/loose_text.h"

namespace rnullfs {

class Delay final : public LooseText {
 public:
  constexpr Delay() : LooseText("ns") {}

  std::string Accepts() const override {
    return "a time, 50ms, one between two, 10ms-80ms, or a median and a 99th percentile, "
           "5ms/200ms; "
           "with the suffix ns, us, ms or s, up to an hour";
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const std::string_view words = TrimSpace(text);
    const size_t between = words.find_first_of("-/");
    FaultDelay delay;
    std::string_view shorter = words.substr(0, between);
    std::string with_unit;
    if (between != std::string_view::npos && ParseNumber(shorter)) {  // "5-10ms"
      with_unit = absl::StrCat(std::string(shorter),
                               std::string(words.substr(words.find_last_of("0123456789") + 1)));
      shorter = with_unit;
    }
    const std::optional<uint64_t> first = Time(shorter);
    std::optional<uint64_t> second = uint64_t{0};
    if (between != std::string_view::npos) {
      delay.kind =
          words[between] == '-' ? FaultDelay::Kind::kUniform : FaultDelay::Kind::kLogNormal;
      second = Time(words.substr(between + 1));
      if (!first || !second || *first > *second) return Refuse(name, text);
      // A median of 0 has no logarithm.
      if (delay.kind == FaultDelay::Kind::kLogNormal && *first == 0) return Refuse(name, text);
    }
    if (!first || !second) return Refuse(name, text);
    delay.nsec = *first;
    delay.until_nsec = *second;
    return Value(delay);
  }
  std::string Text(const Value& value) const override {
    const auto& delay = std::get<FaultDelay>(value);
    std::string first = TimeText(delay.nsec);
    if (delay.kind == FaultDelay::Kind::kFixed) return first;
    return absl::StrCat(first, delay.kind == FaultDelay::Kind::kUniform ? "-" : "/",
                        TimeText(delay.until_nsec));
  }

 private:
  std::optional<uint64_t> Time(std::string_view text) const {
    const std::optional<uint64_t> nsec = ParseQuantity(text, unit());
    return nsec && *nsec <= FaultDelay::kNsecMax ? nsec : std::nullopt;
  }

  // In the largest unit of which it is a whole number.
  static std::string TimeText(uint64_t nsec) {
    if (nsec == 0) return "0";
    uint64_t in_unit = nsec;
    for (const char* unit : {"ns", "us", "ms"}) {
      if (in_unit % 1000 != 0) return absl::StrCat(in_unit, unit);
      in_unit /= 1000;
    }
    return absl::StrCat(in_unit, "s");
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_DELAY_H_
