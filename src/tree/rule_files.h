// The files of a device's fault rules (rule_files.cc).
#ifndef RNULLFS_TREE_RULE_FILES_H_
#define RNULLFS_TREE_RULE_FILES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device/fault_file.h"
#include "tree/entry.h"
#include "tree/fault_rules.h"

namespace rnullfs {

inline constexpr uint8_t kRuleFilesView = kFaultRulesView + 1;
inline constexpr uint32_t kNewRuleSlot = FaultFile::kSerialMax + 1;
inline constexpr uint32_t kRulesSlot = FaultFile::kSerialMax + 2;

std::optional<std::string> RuleNameOf(DeviceNode& node, uint32_t serial);
std::optional<uint32_t> RuleSerialOf(DeviceNode& node, std::string_view name);

// A file that every rule has.
struct RuleFileName {
  std::string_view name;
  uint32_t number;
};
// As they are listed.
const std::vector<RuleFileName>& RuleFileNames();

// Where it is, of the rule with that serial.
Place RuleFilePlace(uint32_t serial, uint32_t number);
// What has such a place; null for none.
std::shared_ptr<Entry> FindRuleFile(const std::shared_ptr<DeviceNode>& node, Place place);

// `new` or `rules`, by its slot.
std::shared_ptr<Entry> MakeRulesFile(const std::shared_ptr<DeviceNode>& node, uint32_t slot);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_RULE_FILES_H_
