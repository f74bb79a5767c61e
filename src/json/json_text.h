// The text of config.json on its way to being one JSON object (RFC 8259), as the JSON library's
// event parser takes it: what that complains of behind the text's last byte is incomplete, and what
// it complains of before is wrong.
//
// The library reads whole words.  One that is cut off by the end of the text is waited for, though
// it could not stand there: `{t` is refused with the byte behind the word, or when the file is
// closed.
//
// Thread safety: pure functions.  Cost: linear in the text; nothing recurses or builds a tree.
#ifndef RNULLFS_JSON_JSON_TEXT_H_
#define RNULLFS_JSON_JSON_TEXT_H_

#include <string_view>

#include "absl/status/status.h"

namespace rnullfs {

// How far a text that arrives in pieces has come.
enum class JsonText {
  kBlank,       // nothing but white space
  kIncomplete,  // the beginning of an object, as far as whole words tell
  kComplete,    // exactly one JSON object and white space
  kInvalid,     // no continuation can make it one JSON object that is taken
};

// Judges the grammar alone, not keys and values; but for numbers too large for a double, which the
// library reads no further than: a text with one is invalid.
JsonText ClassifyJson(std::string_view text);

// EINVAL for a text that is not one JSON object, with a sentence that says where that shows and
// what could stand there.  OK as well for one that is invalid by the size of a number: what it was
// for is known to who reads the values.
absl::Status CheckJson(std::string_view text);

}  // namespace rnullfs

#endif  // RNULLFS_JSON_JSON_TEXT_H_
