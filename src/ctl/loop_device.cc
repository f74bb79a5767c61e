#include "ctl/loop_device.h"

#include "ctl/command.h"

namespace rnullfs {

absl::StatusOr<LoopDevice> LoopDevice::Attach(const std::string& disk,
                                              const std::string& block_size) {
  absl::StatusOr<std::string> path = Do("losetup", "-f", "--show", "-b", block_size, disk);
  if (!path.ok()) return path.status();
  return LoopDevice(*std::move(path));
}

absl::Status LoopDevice::Detach() {
  if (path_.empty()) return absl::OkStatus();
  return CleanUp("losetup", "-d", std::exchange(path_, {}));
}

}  // namespace rnullfs
