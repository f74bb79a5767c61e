#include "guard/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>

#include "base/memfd_name.h"

namespace rnullfs {
namespace {

constexpr std::string_view kDiskPrefix = "/memfd:rnullfs:";
constexpr std::string_view kStateLink = "/memfd:rnullfs-state (deleted)";

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

std::vector<int> CollectKept(int fd_max) {
  std::vector<int> kept;
  for (int fd = STDERR_FILENO + 1; fd <= fd_max; ++fd) {
    if (KindOf(fd) != KeptKind::kOther) kept.push_back(fd);
  }
  return kept;
}

void CloseKept(int fd_max, uint64_t inode) {
  for (int fd = STDERR_FILENO + 1; fd <= fd_max; ++fd) {
    struct stat status = {};
    if (fstat(fd, &status) != 0 || status.st_ino != inode) continue;
    if (KindOf(fd) == KeptKind::kOther) continue;
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
