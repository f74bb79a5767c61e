#include "json/document.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace rnullfs {

std::string JsonString(std::string_view text) {
  using Json = nlohmann::json;
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// --- JsonListing --------------------------------------------------------------------------------

void JsonListing::Add(std::string_view value) {
  if (text_.size() > 1) text_ += ',';
  if (lines_) text_ += "\n  ";
  for (const char c : value) {
    text_ += c;
    if (lines_ && c == '\n') text_ += "  ";  // one level deeper; within a string it is an escape
  }
}

void JsonListing::Add(std::string_view key, std::string_view value) {
  std::string member = JsonString(key);
  member += lines_ ? ": " : ":";
  Add(member += value);
}

void JsonListing::AddMembersOf(std::string_view object) {
  if (object.size() > 2) Add(object.substr(1, object.size() - 2));
}

std::string JsonListing::Close(char close) const {
  std::string text = text_;
  if (lines_ && text.size() > 1) text += '\n';
  return text += close;
}

namespace {

std::string TextOf(const JsonValue& value) {
  using Kind = JsonValue::Kind;
  if (value.kind == Kind::kNull) return "null";
  if (value.kind == Kind::kText) return JsonString(value.text);
  if (value.kind == Kind::kBoolean || value.kind == Kind::kNumber) return value.text;
  const bool object = value.kind == Kind::kObject;
  JsonListing parts(object ? '{' : '[', JsonListing::Layout::kLines);
  for (const JsonValue& part : value.parts) {
    object ? parts.Add(part.key, TextOf(part)) : parts.Add(TextOf(part));
  }
  return parts.Close(object ? '}' : ']');
}

}  // namespace

// --- Document -----------------------------------------------------------------------------------

Document& Document::Add(std::string_view key, std::string_view value) {
  members_.Add(key, value);
  return *this;
}

Document& Document::AddBool(std::string_view key, bool value) {
  return Add(key, value ? "true" : "false");
}

Document& Document::AddNumber(std::string_view key, uint64_t value) {
  return Add(key, absl::StrCat(value));
}

Document& Document::AddNumberOrNull(std::string_view key, std::optional<uint64_t> value) {
  return value.has_value() ? AddNumber(key, *value) : Add(key, "null");
}

Document& Document::AddText(std::string_view key, std::string_view value) {
  return Add(key, JsonString(value));
}

Document& Document::AddList(std::string_view key, const std::vector<std::string>& values) {
  JsonListing list('[', JsonListing::Layout::kLines);
  for (const std::string& value : values) list.Add(JsonString(value));
  return Add(key, list.Close(']'));
}

Document& Document::AddObject(std::string_view key, const Document& value) {
  return Add(key, value.members_.Close('}'));
}

Document& Document::Add(std::string_view key, const JsonValue& value) {
  return Add(key, TextOf(value));
}

}  // namespace rnullfs
