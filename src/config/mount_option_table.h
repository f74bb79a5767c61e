// The -o options with a value that are no attributes: of the mount itself.
//
// Thread safety: a constant table.
#ifndef RNULLFS_CONFIG_MOUNT_OPTION_TABLE_H_
#define RNULLFS_CONFIG_MOUNT_OPTION_TABLE_H_

#include <string_view>

#include "absl/types/span.h"
#include "config/mount_options.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

struct MountOption {
  std::string_view name;
  std::string_view value;    // what --help has behind the =
  std::string_view summary;  // with what it takes, and the default
  const ValueType* type;     // null: handed on to the mount as it is
  void (*set)(MountOptions& options, const Value& value);
};

absl::Span<const MountOption> MountOptionTable();

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MOUNT_OPTION_TABLE_H_
