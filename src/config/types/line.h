// A line of text: UTF-8, without what a terminal would not show.  A newline at its end is echo's.
#ifndef RNULLFS_CONFIG_TYPES_LINE_H_
#define RNULLFS_CONFIG_TYPES_LINE_H_

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "config/wording.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

class Line final : public ValueType {
 public:
  struct Limits {
    size_t bytes_max;
    std::string_view accepts = {};  // where that does not say it
  };

  constexpr explicit Line(Limits limits) : limits_(limits) {}

  std::string Accepts() const override {
    if (!limits_.accepts.empty()) return std::string(limits_.accepts);
    return absl::StrCat("a line of at most ", limits_.bytes_max, " bytes of UTF-8");
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    std::string_view line = text;
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.size() > limits_.bytes_max || Visible(line) != line) return Refuse(name, text);
    return Value(std::string(line));
  }
  std::string Text(const Value& value) const override { return std::get<std::string>(value); }

 private:
  Limits limits_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_LINE_H_
