#include "json/document.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace rnullfs {
namespace {

using Kind = JsonValue::Kind;

std::string JsonString(const std::string& text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// `line` begins a line in what `value` stands in; it is empty for none.
void Append(std::string& text, const JsonValue& value, const std::string& line) {
  if (value.kind == Kind::kNull) {
    text += "null";
  } else if (value.kind == Kind::kText) {
    text += JsonString(value.text);
  } else if (value.kind == Kind::kBoolean || value.kind == Kind::kNumber) {
    text += value.text;
  } else {
    const bool object = value.kind == Kind::kObject;
    const std::string inner = line.empty() ? "" : line + "  ";
    text += object ? '{' : '[';
    for (const JsonValue& part : value.parts) {
      if (&part != &value.parts.front()) text += ',';
      text += inner;
      if (object) text += JsonString(part.key) + (line.empty() ? ":" : ": ");
      Append(text, part, inner);
    }
    if (!value.parts.empty()) text += line;
    text += object ? '}' : ']';
  }
}

}  // namespace

std::string WriteJson(const JsonValue& value, JsonLayout layout) {
  std::string text;
  Append(text, value, layout == JsonLayout::kLines ? "\n" : "");
  return text;
}

Document& Document::Add(std::string_view key, JsonValue value) {
  value.key = key;
  root_.parts.push_back(std::move(value));
  return *this;
}

Document& Document::AddList(std::string_view key, const std::vector<std::string>& values) {
  JsonValue list = {Kind::kList};
  for (const std::string& value : values) list.parts.push_back({Kind::kText, value});
  return Add(key, std::move(list));
}

}  // namespace rnullfs
