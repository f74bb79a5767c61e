#include "config/warnings.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace rnullfs {

std::vector<std::string> Warnings(const DeviceConfig& config, const FaultRules& rules) {
  const bool loses_flushes = std::any_of(rules.begin(), rules.end(), [](const FaultRule& rule) {
    return rule.enabled && rule.action == FaultAction::kLost && rule.ops == kFaultFlush;
  });
  const bool waits = config.completion_nsec != DeviceConfig().completion_nsec;
  const std::pair<bool, std::string_view> all[] = {
      {!config.power, "power is 0: the disk is off, and there is no file disk; write 1 to power"},
      {!config.memory_backed,
       "memory_backed is 0: what is written is dropped, and reads give zeros; no file system can "
       "be made on it"},
      {waits && config.irqmode != IrqMode::kTimer,
       "completion_nsec has no effect: irqmode is not 2"},
      {config.discard && !config.memory_backed, "discard has no effect: memory_backed is 0"},
      {config.cache_size > 0 && !config.memory_backed,
       "cache_size has no effect: memory_backed is 0"},
      {loses_flushes && config.history == 0 && config.cache_size == 0,
       "faults: a flush that is lost costs nothing: history is 0, and so is cache_size"},
  };
  std::vector<std::string> warnings;
  for (const auto& [holds, warning] : all) {
    if (holds) warnings.emplace_back(warning);
  }
  return warnings;
}

}  // namespace rnullfs
