// config.json: the whole configuration as one JSON object.
//
// Thread safety: pure functions.
#ifndef RNULLFS_JSON_JSON_H_
#define RNULLFS_JSON_JSON_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rnullfs/settings.h"

namespace rnullfs {

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
