// All that the attributes of a device are rows of.
//
// Thread safety: a plain value.
#ifndef RNULLFS_SETTINGS_H_
#define RNULLFS_SETTINGS_H_

#include "rnullfs/bad_blocks.h"
#include "rnullfs/device_config.h"

namespace rnullfs {

using Settings = DeviceConfig;

}  // namespace rnullfs

#endif  // RNULLFS_SETTINGS_H_
