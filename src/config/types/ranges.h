// A set of ranges of sectors: text edits it, JSON lists "FIRST-LAST".
#ifndef RNULLFS_CONFIG_TYPES_RANGES_H_
#define RNULLFS_CONFIG_TYPES_RANGES_H_

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config/wording.h"
#include "rnullfs/error.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

class Ranges final : public ValueType {
 public:
  std::string Accepts() const override { return std::string(BadBlocks::kAccepts); }
  std::string AcceptsJson() const override {
    return "a JSON array of \"FIRST-LAST\", in 512-byte sectors";
  }

  absl::StatusOr<Value> Parse(std::string_view /*name*/, std::string_view text,
                              const Value& current) const override {
    BadBlocks next = std::get<BadBlocks>(current);
    if (absl::Status status = next.Edit(text); !status.ok()) return status;
    return Value(std::move(next));
  }
  std::string Text(const Value& value) const override {
    return std::get<BadBlocks>(value).Commands();
  }
  std::string Show(const Value& value) const override { return std::get<BadBlocks>(value).Show(); }

  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    if (json.kind != JsonValue::Kind::kList) return RefuseJson(name, json);
    BadBlocks ranges;
    for (const JsonValue& part : json.parts) {
      // A sign of its own would make a command of it.
      const std::string& text = part.text;
      const bool plain = part.kind == JsonValue::Kind::kText && !text.empty() && text[0] >= '0' &&
                         text[0] <= '9' && text.find_first_of(" \t\n\v\f\r+") == std::string::npos;
      if (!plain) return RefuseJson(name, part);
      const absl::Status marked = ranges.Edit(Concat({"+", text}));
      if (!marked.ok()) return ErrnoOf(marked) == ENOSPC ? marked : RefuseJson(name, part);
    }
    return Value(std::move(ranges));
  }
  JsonValue ToJson(const Value& value) const override {
    JsonValue list = {JsonValue::Kind::kList};
    for (const BadBlocks::Range& range : std::get<BadBlocks>(value).ranges()) {
      list.parts.push_back({JsonValue::Kind::kText, absl::StrCat(range.first, "-", range.last)});
    }
    return list;
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_RANGES_H_
