#include "config/warnings.h"

namespace rnullfs {

std::vector<std::string> Warnings(const DeviceConfig& config) {
  const DeviceConfig defaults;
  std::vector<std::string> warnings;
  if (!config.power) {
    warnings.emplace_back(
        "power is 0: the disk is off, and there is no file disk; write 1 to power");
  }
  if (!config.memory_backed) {
    warnings.emplace_back(
        "memory_backed is 0: what is written is dropped, and reads give zeros; no file system can "
        "be made on it");
  }
  if (config.irqmode != IrqMode::kTimer && config.completion_nsec != defaults.completion_nsec) {
    warnings.emplace_back("completion_nsec has no effect: irqmode is not 2");
  }
  if (config.discard && !config.memory_backed) {
    warnings.emplace_back("discard has no effect: memory_backed is 0");
  }
  if (config.cache_size > 0 && !config.memory_backed) {
    warnings.emplace_back("cache_size has no effect: memory_backed is 0");
  }
  return warnings;
}

}  // namespace rnullfs
