// `damage`: what of a disk shows something else than it has, a line for each range; a write of
// `heal` takes all or some of it away.
//
//     2048-2055 corrupt rot 81734     sectors, what was done, the rule's name, the newest change
//     then
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_DAMAGE_FILE_H_
#define RNULLFS_TREE_DAMAGE_FILE_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "tree/entry.h"

namespace rnullfs {

// A write to it.  EINVAL for what is no `heal`.
absl::Status HealDamage(DeviceNode& node, std::string_view text, const Writer& writer = {});

inline constexpr uint32_t kDamageSlot = kLastSlot - 1;
inline constexpr mode_t kDamageMode = 0644;

class DamageFile final : public DeviceEntry<File> {
 public:
  explicit DamageFile(std::shared_ptr<DeviceNode> node)
      : DeviceEntry(std::move(node), kDamageSlot, kDamageMode) {}

 private:
  std::string_view name() const override { return "damage"; }
  bool writable() const override { return true; }
  uint64_t size() const override;
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle,
                                                         std::string_view opener) override;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_DAMAGE_FILE_H_
