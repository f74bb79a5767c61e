// Inode numbers: which device, which view of it, which of its files.
//
//      63      56 55                        16 15         0
//     |   view   |         device id          |   slot     |    views below 0x80
//
//      63      56 55           32 31                      0
//     |   view   |   device id   |          slot           |    the other views, the wide ones
//
// So no table maps numbers to objects, and a number means the same to a process that takes the
// mount over.  Device ids are never used again, hence neither are inode numbers; id 0 is the root
// directory's.  View 0 is the device as it is, with the slots that device_directory.cc names; each
// other one belongs to a directory of the device's (device_directory.h), which says what its slots
// are.  What needs more slots than 2^16 has wide views, and only devices with ids that fit.
//
// View and slot together are the place that a file has among those of its device: the number
// without the device, closed up.  Those that are not wide are below 2^23.
//
// Thread safety: pure functions.
#ifndef RNULLFS_TREE_INODE_H_
#define RNULLFS_TREE_INODE_H_

#include <cstdint>

namespace rnullfs {

using Inode = uint64_t;
using Place = uint64_t;

inline constexpr int kViewBits = 8;
inline constexpr int kSlotBits = 16;
inline constexpr int kDeviceBits = 40;
inline constexpr uint64_t kDeviceIdMax = (uint64_t{1} << kDeviceBits) - 1;
inline constexpr Inode kRootInode = 1;  // what FUSE calls the root
inline constexpr uint32_t kDirectorySlot = 0;
inline constexpr uint32_t kDiskSlot = 4;
inline constexpr uint32_t kLastSlot = (1U << kSlotBits) - 1;  // attributes come from below
inline constexpr unsigned kDiskMode = 0600;                   // permission bits when new

inline constexpr uint8_t kWideViews = 0x80;  // from here on
inline constexpr int kWideSlotBits = 32;
inline constexpr uint64_t kWideDeviceIdMax = (uint64_t{1} << (64 - kViewBits - kWideSlotBits)) - 1;

constexpr int SlotBitsOf(uint8_t view) { return view < kWideViews ? kSlotBits : kWideSlotBits; }
constexpr bool HasView(uint64_t device_id, uint8_t view) {
  return device_id <= (view < kWideViews ? kDeviceIdMax : kWideDeviceIdMax);
}

// The slot has at most as many bits as the view has for it.
constexpr Place MakePlace(uint8_t view, uint32_t slot) {
  return Place{view} << SlotBitsOf(view) | slot;
}
constexpr uint8_t ViewOf(Place place) {
  const bool wide = place >> kWideSlotBits != 0;
  return static_cast<uint8_t>(place >> (wide ? kWideSlotBits : kSlotBits));
}
constexpr uint32_t SlotOf(Place place) {
  return static_cast<uint32_t>(place & ((uint64_t{1} << SlotBitsOf(ViewOf(place))) - 1));
}

// A slot is a place in view 0.  The device has the view (HasView()).
constexpr Inode MakeInode(uint64_t device_id, Place place) {
  const uint8_t view = ViewOf(place);
  return Inode{view} << (64 - kViewBits) | device_id << SlotBitsOf(view) | SlotOf(place);
}
constexpr uint64_t DeviceIdOf(Inode inode) {
  const auto view = static_cast<uint8_t>(inode >> (64 - kViewBits));
  return inode << kViewBits >> (kViewBits + SlotBitsOf(view));
}
constexpr Place PlaceOf(Inode inode) {
  const auto view = static_cast<uint8_t>(inode >> (64 - kViewBits));
  return MakePlace(view, static_cast<uint32_t>(inode & ((uint64_t{1} << SlotBitsOf(view)) - 1)));
}

// Whether it is a device's `disk`.
constexpr bool IsDisk(Inode inode) { return PlaceOf(inode) == kDiskSlot && DeviceIdOf(inode) != 0; }

}  // namespace rnullfs

#endif  // RNULLFS_TREE_INODE_H_
