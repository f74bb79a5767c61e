// config.json: the whole configuration as one JSON object.
//
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_JSON_H_
#define RNULLFS_CONFIG_JSON_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rnullfs/settings.h"

namespace rnullfs {

// What config.json shows: every attribute with its type (booleans true/false, numbers), in the
// table's order, pretty-printed, with a newline at the end.
std::string ShowJson(const Settings& settings);

// How far a text that arrives in pieces has come.
enum class JsonText {
  kBlank,       // nothing but white space
  kIncomplete,  // a beginning that more bytes can still turn into one JSON object
  kComplete,    // exactly one JSON object and white space
  kInvalid,     // no continuation can make it one JSON object; ApplyJson() says why
};

// Judges the grammar (RFC 8259) alone, not keys and values.  Linear in the text.
JsonText ClassifyJson(std::string_view text);

// What there is after writing `text` over `settings`: the keys it names are changed, the others
// stay.  All or nothing.  EINVAL, with a sentence naming key, value and what is accepted, for text
// that is not one JSON object (with the position), an unknown key, a key that stands twice, a wrong
// type or a value out of range; ENOSPC for more bad blocks than there may be.
absl::StatusOr<Settings> ApplyJson(std::string_view text, const Settings& settings);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_JSON_H_
