// JSON as text: the only way the program writes it, so that the JSON library stays in this room.
//
// Of a JsonValue, and not of the library's tree: to destroy one of those takes memory, and there
// may be none where a file is read or a record saved.
//
// Thread safety: as of a plain value.
#ifndef RNULLFS_JSON_DOCUMENT_H_
#define RNULLFS_JSON_DOCUMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rnullfs/value_type.h"

namespace rnullfs {

// Without white space, or a line for each element, indented by two spaces.
enum class JsonLayout : uint8_t { kDense, kLines };

// `value` as text.  What is not UTF-8 becomes U+FFFD.
std::string WriteJson(const JsonValue& value, JsonLayout layout);

// A JSON object to be shown.  Keys keep the order they were added in, each once.
class Document {
 public:
  Document& Add(std::string_view key, JsonValue value);
  Document& AddBool(std::string_view key, bool value) {
    return Add(key, {JsonValue::Kind::kBoolean, value ? "true" : "false"});
  }
  Document& AddNumber(std::string_view key, uint64_t value) {
    return Add(key, {JsonValue::Kind::kNumber, std::to_string(value)});
  }
  Document& AddNumberOrNull(std::string_view key, std::optional<uint64_t> value) {
    return value.has_value() ? AddNumber(key, *value) : Add(key, {});
  }
  Document& AddText(std::string_view key, std::string_view value) {
    return Add(key, {JsonValue::Kind::kText, std::string(value)});
  }
  Document& AddObject(std::string_view key, Document value) {
    return Add(key, std::move(value.root_));
  }
  Document& AddList(std::string_view key, const std::vector<std::string>& values);

  // Ends with a newline.
  std::string Text() const { return WriteJson(root_, JsonLayout::kLines) + '\n'; }

 private:
  JsonValue root_{JsonValue::Kind::kObject};
};

}  // namespace rnullfs

#endif  // RNULLFS_JSON_DOCUMENT_H_
