// Inode numbers: which device, which view of it, which of its files.
//
//      63      56 55                        16 15         0
//     |   view   |         device id          |   slot     |
//
// So no table maps numbers to objects, and a number means the same to a process that takes the
// mount over.  Device ids are never used again, hence neither are inode numbers; id 0 is the root
// directory's.  View 0 is the device as it is, with the slots that device_directory.cc names; each
// other one belongs to a directory of the device's (device_directory.h), which says what its slots
// are.  View and slot together are the place that a file has among those of its device.
//
// Thread safety: pure functions.
#ifndef RNULLFS_TREE_INODE_H_
#define RNULLFS_TREE_INODE_H_

#include <cstdint>

namespace rnullfs {

using Inode = uint64_t;

inline constexpr int kSlotBits = 16;
inline constexpr int kDeviceBits = 40;
inline constexpr uint64_t kDeviceIdMax = (uint64_t{1} << kDeviceBits) - 1;
inline constexpr Inode kRootInode = 1;  // what FUSE calls the root
inline constexpr uint32_t kDirectorySlot = 0;
inline constexpr uint32_t kDiskSlot = 4;
inline constexpr unsigned kDiskMode = 0600;  // permission bits when new

constexpr uint32_t MakePlace(uint8_t view, uint16_t slot) {
  return uint32_t{view} << kSlotBits | slot;
}
constexpr uint8_t ViewOf(uint32_t place) { return place >> kSlotBits; }
constexpr uint16_t SlotOf(uint32_t place) { return place & UINT16_MAX; }

// A slot is a place in view 0.
constexpr Inode MakeInode(uint64_t device_id, uint32_t place) {
  return uint64_t{ViewOf(place)} << (kDeviceBits + kSlotBits) | device_id << kSlotBits |
         SlotOf(place);
}
constexpr uint64_t DeviceIdOf(Inode inode) { return inode >> kSlotBits & kDeviceIdMax; }
constexpr uint32_t PlaceOf(Inode inode) {
  return MakePlace(inode >> (kDeviceBits + kSlotBits), inode & UINT16_MAX);
}

// Whether it is a device's `disk`.
constexpr bool IsDisk(Inode inode) { return PlaceOf(inode) == kDiskSlot && DeviceIdOf(inode) != 0; }

}  // namespace rnullfs

#endif  // RNULLFS_TREE_INODE_H_
