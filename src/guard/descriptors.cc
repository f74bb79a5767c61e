#include "guard/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/kept_file.h"
#include "base/memfd_name.h"

namespace rnullfs {
namespace {

constexpr std::string_view kDiskPrefix = "/memfd:rnullfs:";

// What is left to a worker: its log, what it reads below /proc and /etc, a disk that moves.  Of a
// small limit a quarter.
constexpr rlim_t kReserve = 32;

}  // namespace

// A file of the machine may have any name, also that of what is told by it.
KeptKind KindOf(int fd) {
  if (IsKeptFile(fd)) return KeptKind::kDisk;
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  char target[PATH_MAX];
  const ssize_t length = readlink(path, target, sizeof target);
  if (length < 0) return KeptKind::kOther;
  const std::string_view link(target, static_cast<size_t>(length));
  if (link == "/dev/fuse") return KeptKind::kFuse;
  if (IsStateMemfd(link)) return KeptKind::kState;
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

KeptDescriptors::KeptDescriptors() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != dirfd(directory)) Note(fd);
  }
  closedir(directory);
}

void KeptDescriptors::Note(int fd) {
  highest_ = std::max(highest_, fd);
  const KeptKind kind = KindOf(fd);
  if (kind == KeptKind::kFuse) fuse_ = fd;
  if (kind == KeptKind::kState) state_ = fd;
}

int KeptDescriptors::Keep(UniqueFd fd) {
  if (!fd.valid() || !LeavesRoom(fd.get())) return EMFILE;
  Note(fd.Release());  // stays open
  return 0;
}

void KeptDescriptors::Drop(const FileId& file) const {
  for (int fd = STDERR_FILENO + 1; fd <= highest_; ++fd) {
    if (FileIdOf(fd) != file || KindOf(fd) != KeptKind::kDisk) continue;
    close(fd);
    return;
  }
}

std::vector<int> KeptDescriptors::Disks() const {
  std::vector<int> disks;
  for (int fd = STDERR_FILENO + 1; fd <= highest_; ++fd) {
    if (KindOf(fd) == KeptKind::kDisk) disks.push_back(fd);
  }
  return disks;
}

void KeptDescriptors::SetInherited(bool inherited) const {
  for (int fd = STDERR_FILENO + 1; fd <= highest_; ++fd) {
    if (KindOf(fd) != KeptKind::kOther) fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC);
  }
}

}  // namespace rnullfs
