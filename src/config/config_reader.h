// Sets in a device's settings what a JSON object says: attributes by name, those of a directory as
// an object in the object.
//
// Thread safety: a pure function.
#ifndef RNULLFS_CONFIG_CONFIG_READER_H_
#define RNULLFS_CONFIG_CONFIG_READER_H_

#include "absl/status/status.h"
#include "rnullfs/attributes.h"

namespace rnullfs {

// The first complaint in the order of the text, in which case `settings` may be changed by halves:
// EINVAL, or ENOSPC for more bad blocks than there may be.
absl::Status ReadConfig(const JsonValue& object, Settings& settings);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_CONFIG_READER_H_
