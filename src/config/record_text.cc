#include "config/record_text.h"

#include <cstddef>
#include <nlohmann/json.hpp>

namespace rnullfs {

std::string ToUtf8(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

bool FromUtf8(std::string_view text, std::string& bytes) {
  bytes.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes += text[i];
    } else if (lead <= 0xC3) {
      bytes += static_cast<char>(lead << 6 | (static_cast<unsigned char>(text[++i]) & 0x3F));
    } else {
      return false;
    }
  }
  return true;
}

bool TooDeep(std::string_view json) {
  constexpr int kDepthMax = 64;
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < json.size() && depth <= kDepthMax; ++i) {
    const char c = json[i];
    if (c == '"') in_text = !in_text;
    if (in_text && c == '\\') ++i;
    if (in_text) continue;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
  }
  return depth > kDepthMax;
}

std::string JsonText(std::string_view text) { return nlohmann::json(std::string(text)).dump(); }

void JsonListing::Add(std::string_view value) {
  if (text_.size() > 1) text_ += ',';
  text_ += value;
}

void JsonListing::Add(std::string_view key, std::string_view value) {
  Add(JsonText(key));
  text_ += ':';
  text_ += value;
}

void JsonListing::AddMembersOf(std::string_view object) {
  if (object.size() > 2) Add(object.substr(1, object.size() - 2));
}

}  // namespace rnullfs
