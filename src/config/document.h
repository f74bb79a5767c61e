// A JSON object to be shown: the only way the rest of the program writes JSON, so that the JSON
// library stays in this room.
//
// Keys keep the order they were added in.  Text that is not UTF-8 is shown with U+FFFD.
// Thread safety: as of a plain value.
#ifndef RNULLFS_CONFIG_DOCUMENT_H_
#define RNULLFS_CONFIG_DOCUMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rnullfs/value_type.h"

namespace rnullfs {

class Document {
 public:
  Document& AddBool(std::string_view key, bool value);
  Document& AddNumber(std::string_view key, uint64_t value);
  Document& AddNumberOrNull(std::string_view key, std::optional<uint64_t> value);
  Document& AddText(std::string_view key, std::string_view value);
  Document& AddList(std::string_view key, const std::vector<std::string>& values);
  Document& AddObject(std::string_view key, const Document& value);
  Document& Add(std::string_view key, const JsonValue& value);

  // Pretty-printed with two spaces, ending with a newline.
  std::string Text() const;

 private:
  std::string Object() const;
  Document& Set(std::string_view key, std::string text);

  // In order; each value as it is shown at the outermost level.  Not the JSON library's tree: to
  // destroy one takes memory, of which there may be none.
  std::vector<std::pair<std::string, std::string>> members_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_DOCUMENT_H_
