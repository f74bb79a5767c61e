#include "tree/memfds_left.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kept_file.h"
#include "base/memfd_name.h"

namespace rnullfs {

std::map<uint64_t, Disk::Memfds> MemfdsOf(const std::vector<DeviceRecord>& devices,
                                          std::vector<UniqueFd>& left) {
  std::map<uint64_t, uint64_t> named;
  for (const DeviceRecord& device : devices) named[device.id] = device.memfd;
  std::map<uint64_t, Disk::Memfds> memfds;
  for (UniqueFd& memfd : left) {
    if (IsKeptFile(memfd.get())) continue;  // whatever it is called
    char link[PATH_MAX];
    const ssize_t length =
        readlink(absl::StrCat("/proc/self/fd/", memfd.get()).c_str(), link, sizeof link);
    struct stat status = {};
    if (length < 0 || fstat(memfd.get(), &status) != 0) continue;
    const std::string_view name(link, static_cast<size_t>(length));
    const auto disk = ParseDiskMemfd(name);
    const auto cache = disk ? std::nullopt : ParseCacheMemfd(name);
    if (const auto past = ParsePastMemfd(name)) {
      memfds[*past].past = std::move(memfd);
      continue;
    }
    if (const auto marks = ParseMarksMemfd(name)) {
      memfds[*marks].marks = std::move(memfd);
      continue;
    }
    if (const auto faults = ParseFaultsMemfd(name)) {
      memfds[*faults].faults = std::move(memfd);
      continue;
    }
    if (const auto damage = ParseDamageMemfd(name)) {
      memfds[*damage].damage = std::move(memfd);
      continue;
    }
    if (!disk && !cache) continue;
    const uint64_t id = disk ? disk->id : *cache;
    Disk::Memfds& taken = memfds[id];
    if (cache) {
      taken.cache = std::move(memfd);
      continue;
    }
    // Of two disks' the record's is the first.
    if (taken.disk.valid() && status.st_ino == named[id]) std::swap(taken.disk, memfd);
    (taken.disk.valid() ? taken.moving_to : taken.disk) = std::move(memfd);
  }
  return memfds;
}

UniqueFd FileOf(const OriginKey& origin, std::vector<UniqueFd>& left) {
  for (UniqueFd& file : left) {
    struct stat status = {};
    if (!file.valid() || !IsKeptFile(file.get()) || fstat(file.get(), &status) != 0) continue;
    if (status.st_dev == origin.file_device && status.st_ino == origin.file_inode) {
      return std::move(file);
    }
  }
  return UniqueFd();
}

void DropMemfds(const std::map<uint64_t, Disk::Memfds>& untaken, const std::vector<UniqueFd>& left,
                MemfdKeeper& keeper) {
  const auto drop = [&keeper](const UniqueFd& file) {
    if (file.valid()) keeper.Drop(file.get());
  };
  for (const auto& [id, memfds] : untaken) {
    for (const UniqueFd* memfd : {&memfds.disk, &memfds.moving_to, &memfds.cache, &memfds.past,
                                  &memfds.marks, &memfds.faults, &memfds.damage}) {
      drop(*memfd);
    }
  }
  for (const UniqueFd& file : left) drop(file);
}

}  // namespace rnullfs
