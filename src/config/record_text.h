// The text of a saved record: what has to be looked at before the JSON library does, how it is
// written, and bytes in it.
//
// Bytes are text in which each is the character of its number (U+0000 to U+00FF).
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_RECORD_TEXT_H_
#define RNULLFS_CONFIG_RECORD_TEXT_H_

#include <string>
#include <string_view>
#include <utility>

namespace rnullfs {

std::string ToUtf8(std::string_view bytes);

// `text` is valid UTF-8.  False for a character past U+00FF.
bool FromUtf8(std::string_view text, std::string& bytes);

// Whether objects and arrays nest deeper than any record of ours: what is kept unread is written by
// recursion.
bool TooDeep(std::string_view json);

// `text`, which is valid UTF-8, as a JSON string.
std::string JsonText(std::string_view text);

// An object or an array on its way to being text.
class JsonListing {
 public:
  explicit JsonListing(char open) : text_(1, open) {}
  void Add(std::string_view value);
  void Add(std::string_view key, std::string_view value);
  // The members of an object that has other keys, as text without white space; empty for none.
  void AddMembersOf(std::string_view object);
  std::string Close(char close) && { return std::move(text_ += close); }

 private:
  std::string text_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_RECORD_TEXT_H_
