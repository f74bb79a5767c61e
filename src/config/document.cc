#include "config/document.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace rnullfs {
namespace {

std::string QuotedText(std::string_view text) {
  using Json = nlohmann::json;
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// One level deeper; a line's end within a text is an escape.
std::string Indented(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\n", "\n  "}});
}

std::string Bracketed(const char* open, const std::vector<std::string>& values, const char* close) {
  std::string text = open;
  for (const std::string& value : values) {
    absl::StrAppend(&text, text.size() > 1 ? "," : "", "\n  ", Indented(value));
  }
  return absl::StrCat(text, values.empty() ? "" : "\n", close);
}

std::string TextOf(const JsonValue& value) {
  using Kind = JsonValue::Kind;
  if (value.kind == Kind::kNull) return "null";
  if (value.kind == Kind::kText) return QuotedText(value.text);
  if (value.kind == Kind::kBoolean || value.kind == Kind::kNumber) return value.text;
  std::vector<std::string> parts;
  parts.reserve(value.parts.size());
  const bool object = value.kind == Kind::kObject;
  for (const JsonValue& part : value.parts) {
    parts.push_back(absl::StrCat(object ? QuotedText(part.key) + ": " : "", TextOf(part)));
  }
  return object ? Bracketed("{", parts, "}") : Bracketed("[", parts, "]");
}

}  // namespace

Document& Document::Set(std::string_view key, std::string text) {
  const auto it = std::find_if(members_.begin(), members_.end(),
                               [key](const auto& member) { return member.first == key; });
  if (it != members_.end()) {
    it->second = std::move(text);
  } else {
    members_.emplace_back(key, std::move(text));
  }
  return *this;
}

Document& Document::AddBool(std::string_view key, bool value) {
  return Set(key, value ? "true" : "false");
}

Document& Document::AddNumber(std::string_view key, uint64_t value) {
  return Set(key, absl::StrCat(value));
}

Document& Document::AddNumberOrNull(std::string_view key, std::optional<uint64_t> value) {
  return value.has_value() ? AddNumber(key, *value) : Set(key, "null");
}

Document& Document::AddText(std::string_view key, std::string_view value) {
  return Set(key, QuotedText(value));
}

Document& Document::AddList(std::string_view key, const std::vector<std::string>& values) {
  std::vector<std::string> quoted;
  quoted.reserve(values.size());
  for (const std::string& value : values) quoted.push_back(QuotedText(value));
  return Set(key, Bracketed("[", quoted, "]"));
}

Document& Document::AddObject(std::string_view key, const Document& value) {
  return Set(key, value.Object());
}

Document& Document::Add(std::string_view key, const JsonValue& value) {
  return Set(key, TextOf(value));
}

std::string Document::Object() const {
  std::vector<std::string> members;
  members.reserve(members_.size());
  for (const auto& [key, text] : members_) {
    members.push_back(absl::StrCat(QuotedText(key), ": ", text));
  }
  return Bracketed("{", members, "}");
}

std::string Document::Text() const { return Object() + '\n'; }

}  // namespace rnullfs
