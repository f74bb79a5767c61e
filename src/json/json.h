// JSON text: config.json, which is the whole configuration as one object (RFC 8259), and what saved
// records are read with.
//
// The JSON library's event parser reads it, by whole words: what it complains of behind the text's
// last byte is incomplete, and what it complains of before is wrong.  So a word that is cut off by
// the end of the text is waited for, though it could not stand there: `{t` is refused with the byte
// behind the word, or when the file is closed.
//
// Thread safety: pure functions.  Cost: linear in the text, however deep it nests.
#ifndef RNULLFS_JSON_JSON_H_
#define RNULLFS_JSON_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rnullfs/settings.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

// How far a text that arrives in pieces has come.
enum class JsonText : uint8_t {
  kBlank,       // nothing but white space
  kIncomplete,  // the beginning of an object, as far as whole words tell
  kComplete,    // exactly one JSON object and white space
  kInvalid,     // no continuation can make it one JSON object that is taken
};

struct JsonReading {
  JsonText text = JsonText::kComplete;
  size_t at = 0;                   // where what is invalid begins
  std::string_view expected = {};  // what could stand there, or at the end
  // The object; integers have the digits that they are shown with.  Also of a text that is invalid
  // by a number alone, which is too large for a double: up to that, as what it is for has to be
  // said.  Else null.
  JsonValue value = {};
  bool too_deep = false;  // what lies below kJsonLevelsMax is left out of `value`
};

// Whoever has the value goes down by recursion, its destructor to begin with.
inline constexpr size_t kJsonLevelsMax = 64;

// Judges the grammar, not keys and values.  `judge`: makes no value.
JsonReading ReadJson(std::string_view text, bool judge = false);

// Any piece of JSON, not only an object; EINVAL for a text that is none, or goes on behind it.
absl::StatusOr<JsonValue> ReadJsonValue(std::string_view text);

inline JsonText ClassifyJson(std::string_view text) { return ReadJson(text, /*judge=*/true).text; }

// What config.json shows: every attribute with its type (booleans true/false, numbers), in the
// table's order, pretty-printed, with a newline at the end.
std::string ShowJson(const Settings& settings);

// The settings after writing `text` over them: the keys it names are changed, the others
// stay.  All or nothing.  EINVAL, with a sentence naming key, value and what is accepted, for text
// that is not one JSON object (with the position), an unknown key, a key that stands twice, a wrong
// type or a value out of range; ENOSPC for more bad blocks than there may be.
absl::StatusOr<Settings> ApplyJson(std::string_view text, const Settings& settings);

}  // namespace rnullfs

#endif  // RNULLFS_JSON_JSON_H_
