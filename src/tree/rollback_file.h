// `rollback`: takes the name of a snapshot or a mark, or the number of a moment, and the disk is
// what it was.
//
// It reads as nothing, so that who copies a directory copies nothing.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_ROLLBACK_FILE_H_
#define RNULLFS_TREE_ROLLBACK_FILE_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "tree/entry.h"

namespace rnullfs {

// A write to it: the name that DiskPast::RollBack() takes, and a newline.
absl::Status RollBack(DeviceNode& node, std::string_view text, const Writer& writer = {});

inline constexpr uint32_t kRollbackSlot = kLastSlot;
inline constexpr mode_t kRollbackMode = 0600;

class RollbackFile final : public DeviceEntry<File> {
 public:
  explicit RollbackFile(std::shared_ptr<DeviceNode> node)
      : DeviceEntry(std::move(node), kRollbackSlot, kRollbackMode) {}

 private:
  std::string_view name() const override { return "rollback"; }
  bool writable() const override { return true; }
  uint64_t size() const override { return 0; }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle,
                                                         std::string_view opener) override;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_ROLLBACK_FILE_H_
