// A device's fault rules as directories (fault_rules.cc).
#ifndef RNULLFS_TREE_FAULT_RULES_H_
#define RNULLFS_TREE_FAULT_RULES_H_

#include <cstdint>
#include <memory>

#include "tree/entry.h"
#include "tree/moments.h"

namespace rnullfs {

inline constexpr uint8_t kFaultRulesView = kMomentsView + 3;  // and the one behind it

// What has the place in faults/, as a Section has it.
std::shared_ptr<Entry> FindInFaultRules(const std::shared_ptr<DeviceNode>& node, Place place);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_FAULT_RULES_H_
