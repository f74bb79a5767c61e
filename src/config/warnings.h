// What a configuration has that does less than somebody may expect of it, as sentences.
//
// Nothing of it is an error, as nothing of it is one to the kernel's drivers; stats.json shows
// them. Thread safety: a pure function.
#ifndef RNULLFS_CONFIG_WARNINGS_H_
#define RNULLFS_CONFIG_WARNINGS_H_

#include <string>
#include <vector>

#include "rnullfs/device_config.h"
#include "rnullfs/fault_rule.h"

namespace rnullfs {

std::vector<std::string> Warnings(const DeviceConfig& config, const FaultRules& rules = {});

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_WARNINGS_H_
