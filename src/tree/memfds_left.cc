#include "tree/memfds_left.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/memfd_name.h"

namespace rnullfs {

MemfdsLeft::MemfdsLeft(std::vector<UniqueFd> memfds) {
  for (UniqueFd& memfd : memfds) {
    char link[PATH_MAX];
    const ssize_t length =
        readlink(absl::StrCat("/proc/self/fd/", memfd.get()).c_str(), link, sizeof link);
    struct stat status = {};
    if (length < 0 || fstat(memfd.get(), &status) != 0) continue;
    const std::string_view name(link, static_cast<size_t>(length));
    if (const auto disk = ParseDiskMemfd(name)) {
      memfds_.push_back({disk->id, status.st_ino, false, std::move(memfd)});
    } else if (const auto cache_of = ParseCacheMemfd(name)) {
      memfds_.push_back({*cache_of, status.st_ino, true, std::move(memfd)});
    }
  }
}

DeviceNode::Memfds MemfdsLeft::Take(const DeviceRecord& record) {
  DeviceNode::Memfds taken;
  for (Memfd& each : memfds_) {
    if (each.device_id != record.id) continue;
    if (each.cache) {
      if (!taken.cache.valid()) taken.cache = std::move(each.fd);
    } else if (!taken.disk.valid()) {
      taken.disk = std::move(each.fd);
    } else if (each.inode == record.memfd) {
      taken.moving_to = std::exchange(taken.disk, std::move(each.fd));
    } else {
      taken.moving_to = std::move(each.fd);
    }
  }
  return taken;
}

void MemfdsLeft::Drop(MemfdKeeper& keeper) {
  for (const Memfd& each : memfds_) {
    if (each.fd.valid()) keeper.Drop(each.fd.get());
  }
}

}  // namespace rnullfs
