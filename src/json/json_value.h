// JSON text as a JsonValue.
//
// Thread safety: pure functions.
#ifndef RNULLFS_JSON_JSON_VALUE_H_
#define RNULLFS_JSON_JSON_VALUE_H_

#include <string>
#include <string_view>

#include "rnullfs/value_type.h"

namespace rnullfs {

// What lies deeper in `text` is left out: no attribute has so many levels.
inline constexpr size_t kJsonLevelsMax = 5;

// `text` is one JSON object by the grammar.  Integers have the digits that they are shown with.  A
// number beyond the range of a double is the last of what is read.
JsonValue ReadJson(std::string_view text);

}  // namespace rnullfs

#endif  // RNULLFS_JSON_JSON_VALUE_H_
