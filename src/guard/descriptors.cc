#include "guard/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/memfd_name.h"

namespace rnullfs {
namespace {

constexpr std::string_view kDiskPrefix = "/memfd:rnullfs:";
constexpr std::string_view kStateLink = "/memfd:rnullfs-state (deleted)";

// What is left to a worker: its log, what it reads below /proc and /etc, a disk that moves.  Of a
// small limit a quarter.
constexpr rlim_t kReserve = 32;

}  // namespace

KeptKind KindOf(int fd) {
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  char target[PATH_MAX];
  const ssize_t length = readlink(path, target, sizeof target);
  if (length < 0) return KeptKind::kOther;
  const std::string_view link(target, static_cast<size_t>(length));
  if (link == "/dev/fuse") return KeptKind::kFuse;
  if (link == kStateLink) return KeptKind::kState;
  return link.starts_with(kDiskPrefix) ? KeptKind::kDisk : KeptKind::kOther;
}

FileId FileIdOf(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return {};
  return {.device = status.st_dev, .inode = status.st_ino};
}

// The kernel gives out the lowest number that is free: all below are taken.
bool LeavesRoom(int fd) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;
  const rlim_t reserve = std::min(kReserve, limit.rlim_cur / 4);
  return static_cast<rlim_t>(fd) < limit.rlim_cur - reserve;
}

std::vector<int> CollectKept(int fd_max) {
  std::vector<int> kept;
  for (int fd = STDERR_FILENO + 1; fd <= fd_max; ++fd) {
    if (KindOf(fd) != KeptKind::kOther) kept.push_back(fd);
  }
  return kept;
}

void CloseKept(int fd_max, const FileId& file) {
  for (int fd = STDERR_FILENO + 1; fd <= fd_max; ++fd) {
    if (FileIdOf(fd) != file || KindOf(fd) != KeptKind::kDisk) continue;
    close(fd);
    return;
  }
}

void SetInherited(int fd_max, bool inherited) {
  for (int fd = STDERR_FILENO + 1; fd <= fd_max; ++fd) {
    if (KindOf(fd) != KeptKind::kOther) fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC);
  }
}

int HighestDescriptor() {
  int highest = STDERR_FILENO;
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return highest;
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > highest && fd != dirfd(directory)) highest = fd;
  }
  closedir(directory);
  return highest;
}

}  // namespace rnullfs
