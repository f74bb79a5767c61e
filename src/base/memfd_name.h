// What the memfds of a mount are called: a process that has nothing but their descriptors (one that
// takes the mount over, one that rescues the disks) can tell by it what is in them.
//
// Thread safety: pure functions.
#ifndef RNULLFS_BASE_MEMFD_NAME_H_
#define RNULLFS_BASE_MEMFD_NAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rnullfs {

inline constexpr std::string_view kStateMemfdName = "rnullfs-state";

// "rnullfs:7:fast", for a disk of the device with that id.
std::string DiskMemfdName(uint64_t id, std::string_view device);

// "rnullfs:7:/fast", for its write cache: no device's name has a slash.
std::string CacheMemfdName(uint64_t id, std::string_view device);

// "rnullfs:7:past/fast", for what its pages were.
std::string PastMemfdName(uint64_t id, std::string_view device);

// "rnullfs:7:marks/fast", for what it no longer shares with its origin.
std::string MarksMemfdName(uint64_t id, std::string_view device);

// "rnullfs:7:faults/fast", for what its fault rules have counted.
std::string FaultsMemfdName(uint64_t id, std::string_view device);

// "rnullfs:7:damage/fast", for what it shows instead of what it has.
std::string DamageMemfdName(uint64_t id, std::string_view device);

struct DiskMemfd {
  uint64_t id;
  std::string device;  // cut where the kernel cuts the names of memfds
};

// From what /proc/PID/fd/N links to, "/memfd:rnullfs:7:fast (deleted)".
std::optional<DiskMemfd> ParseDiskMemfd(std::string_view link);
// The id in the same of a cache.
std::optional<uint64_t> ParseCacheMemfd(std::string_view link);
// The same of a past.
std::optional<uint64_t> ParsePastMemfd(std::string_view link);
// The same of marks.
std::optional<uint64_t> ParseMarksMemfd(std::string_view link);
// The same of the counts of fault rules.
std::optional<uint64_t> ParseFaultsMemfd(std::string_view link);
// The same of damage.
std::optional<uint64_t> ParseDamageMemfd(std::string_view link);
bool IsStateMemfd(std::string_view link);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_MEMFD_NAME_H_
