// JSON as text: the only way the program writes it, so that the JSON library stays in this room.
//
// Not by the library's tree: to destroy one takes memory, and there may be none where a file is
// read or a record saved.
//
// Thread safety: as of a plain value.
#ifndef RNULLFS_JSON_DOCUMENT_H_
#define RNULLFS_JSON_DOCUMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rnullfs/value_type.h"

namespace rnullfs {

// `text` as a JSON string; what is not UTF-8 becomes U+FFFD.
std::string JsonString(std::string_view text);

// An object or an array on its way to being text: without white space, or a line for each of its
// elements, indented by two spaces.
class JsonListing {
 public:
  enum class Layout { kDense, kLines };

  explicit JsonListing(char open, Layout layout = Layout::kDense)
      : text_(1, open), lines_(layout == Layout::kLines) {}

  // `value` is JSON.
  void Add(std::string_view value);
  void Add(std::string_view key, std::string_view value);
  // The members of an object that has other keys, as text without white space; empty for none.
  void AddMembersOf(std::string_view object);
  std::string Close(char close) const;

 private:
  std::string text_;
  bool lines_;
};

// A JSON object to be shown.  Keys keep the order they were added in, each once.
class Document {
 public:
  Document& AddBool(std::string_view key, bool value);
  Document& AddNumber(std::string_view key, uint64_t value);
  Document& AddNumberOrNull(std::string_view key, std::optional<uint64_t> value);
  Document& AddText(std::string_view key, std::string_view value);
  Document& AddList(std::string_view key, const std::vector<std::string>& values);
  Document& AddObject(std::string_view key, const Document& value);
  Document& Add(std::string_view key, const JsonValue& value);

  // Ends with a newline.
  std::string Text() const { return members_.Close('}') + '\n'; }

 private:
  Document& Add(std::string_view key, std::string_view value);

  JsonListing members_{'{', JsonListing::Layout::kLines};
};

}  // namespace rnullfs

#endif  // RNULLFS_JSON_DOCUMENT_H_
