// The text of a saved record: what has to be looked at before the JSON library does, and bytes in
// it.
//
// Bytes are text in which each is the character of its number (U+0000 to U+00FF).
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_RECORD_TEXT_H_
#define RNULLFS_CONFIG_RECORD_TEXT_H_

#include <string>
#include <string_view>

namespace rnullfs {

std::string ToUtf8(std::string_view bytes);

// `text` is valid UTF-8.  False for a character past U+00FF.
bool FromUtf8(std::string_view text, std::string& bytes);

// Whether objects and arrays nest deeper than any record of ours: what is kept unread is written by
// recursion.
bool TooDeep(std::string_view json);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_RECORD_TEXT_H_
