// A loop device on a disk, detached with the object: what writes to it does so through the kernel's
// page cache, as to any block device, and not piece by piece as to a file.
//
// Thread safety: none.
#ifndef RNULLFS_CTL_LOOP_DEVICE_H_
#define RNULLFS_CTL_LOOP_DEVICE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rnullfs {

class LoopDevice {
 public:
  // EIO with what losetup(8) says; only root can.
  static absl::StatusOr<LoopDevice> Attach(const std::string& disk, const std::string& block_size);
  LoopDevice(LoopDevice&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  LoopDevice& operator=(LoopDevice&&) = delete;
  ~LoopDevice() { static_cast<void>(Detach()); }
  const std::string& path() const { return path_; }
  // All that has been written to it has arrived then.
  absl::Status Detach();

 private:
  explicit LoopDevice(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_LOOP_DEVICE_H_
