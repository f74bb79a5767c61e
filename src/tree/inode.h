// Inode numbers: which device, which of its files.
//
// A number is made of a device's id and a slot, so that no table maps numbers to objects and a
// number means the same to a process that takes the mount over.  Device ids are never used again,
// hence neither are inode numbers.  Id 0 is the root directory's.
// Thread safety: pure functions.
#ifndef RNULLFS_TREE_INODE_H_
#define RNULLFS_TREE_INODE_H_

#include <cstdint>

namespace rnullfs {

using Inode = uint64_t;

inline constexpr int kSlotBits = 16;
inline constexpr Inode kRootInode = 1;  // what FUSE calls the root
inline constexpr uint32_t kDirectorySlot = 0;

constexpr Inode MakeInode(uint64_t device_id, uint32_t slot) {
  return device_id << kSlotBits | slot;
}
constexpr uint64_t DeviceIdOf(Inode inode) { return inode >> kSlotBits; }
constexpr uint32_t SlotOf(Inode inode) { return inode & ((1u << kSlotBits) - 1); }

}  // namespace rnullfs

#endif  // RNULLFS_TREE_INODE_H_
