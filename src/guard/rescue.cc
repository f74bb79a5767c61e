#include "guard/rescue.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/memfd_name.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

// Copies what is stored of [begin, end); holes stay holes.
absl::Status CopyData(int from, int to, off_t begin, off_t end) {
  if (lseek(to, begin, SEEK_SET) < 0) return SystemError(errno, "lseek");
  while (begin < end) {
    const ssize_t copied = sendfile(to, from, &begin, static_cast<size_t>(end - begin));
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return SystemError(errno, "writing");
    if (copied == 0) break;  // it has become smaller
  }
  return absl::OkStatus();
}

absl::Status CopySparse(int from, int to) {
  struct stat status = {};
  if (fstat(from, &status) != 0) return SystemError(errno, "fstat");
  if (ftruncate(to, status.st_size) != 0) return SystemError(errno, "ftruncate");
  for (off_t at = 0; at < status.st_size;) {
    const off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // no more of it
    const off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
    if (hole < 0) return SystemError(errno, "looking for data");
    if (absl::Status copied = CopyData(from, to, data, hole); !copied.ok()) return copied;
    at = hole;
  }
  return fsync(to) == 0 ? absl::OkStatus() : SystemError(errno, "fsync");
}

struct Disk {
  std::string memfd;  // a path in /proc
  std::string device;
  uint64_t id;
};

// A process that lies about its descriptors could have whoever rescues open any file for it: looked
// at before it is opened.  A memfd has no name in any file system, and can be sealed.
absl::StatusOr<UniqueFd> OpenDisk(const Disk& disk, uint64_t inode) {
  const absl::Status changed = Error(ESTALE, absl::StrCat(disk.memfd, ": it is no disk any more"));
  const UniqueFd seen(open(disk.memfd.c_str(), O_PATH | O_CLOEXEC));
  struct stat status = {};
  if (!seen.valid() || fstat(seen.get(), &status) != 0) return SystemError(errno, disk.memfd);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 0 || status.st_ino != inode) return changed;
  UniqueFd memfd(open(absl::StrCat("/proc/self/fd/", seen.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!memfd.valid()) return SystemError(errno, disk.memfd);
  if (fcntl(memfd.get(), F_GET_SEALS) < 0) return changed;
  return memfd;
}

// As rename(2), but never over a file.
absl::Status Publish(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  // Not every file system knows that; those do not all have hard links either.
  if (errno == EINVAL && access(to.c_str(), F_OK) != 0 && rename(from.c_str(), to.c_str()) == 0) {
    return absl::OkStatus();
  }
  return SystemError(errno, to);
}

// Under another name until it is whole; what does not become whole is removed, because the next
// disk may want the room.
absl::Status CopyOut(const Disk& disk, uint64_t inode, const std::string& image) {
  if (struct stat there = {}; lstat(image.c_str(), &there) == 0) {
    return Error(EEXIST, absl::StrCat(image, ": File exists, and is not overwritten"));
  }
  const absl::StatusOr<UniqueFd> from = OpenDisk(disk, inode);
  if (!from.ok()) return from.status();
  const std::string partial = absl::StrCat(image, ".partial");
  unlink(partial.c_str());  // of a rescue that was interrupted
  const UniqueFd to(open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!to.valid()) return SystemError(errno, partial);
  absl::Status done = CopySparse(from->get(), to.get());
  if (done.ok()) done = Publish(partial, image);
  if (!done.ok()) {
    unlink(partial.c_str());
    return Error(ErrnoOf(done), absl::StrCat(image, ": ", std::string(done.message())));
  }
  struct stat status = {};
  fstat(to.get(), &status);
  std::printf("%s: %lld bytes, %lld stored\n", image.c_str(),
              static_cast<long long>(status.st_size),
              static_cast<long long>(status.st_blocks) * 512);
  return absl::OkStatus();
}

// By inode: a process may hold a file more than once.
absl::StatusOr<std::map<uint64_t, Disk>> FindDisks(pid_t pid) {
  std::map<uint64_t, Disk> disks;
  const std::string directory = absl::StrCat("/proc/", pid, "/fd");
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path();
    std::error_code unreadable;
    const std::string link = std::filesystem::read_symlink(path, unreadable);
    const auto disk = ParseDiskMemfd(link);
    struct stat status = {};
    if (unreadable || !disk.has_value() || stat(path.c_str(), &status) != 0) continue;
    disks[status.st_ino] = {.memfd = path, .device = disk->device, .id = disk->id};
  }
  if (error) return SystemError(error.value(), directory);
  return disks;
}

}  // namespace

absl::Status Rescue(pid_t pid, const std::string& directory) {
  const absl::StatusOr<std::map<uint64_t, Disk>> disks = FindDisks(pid);
  if (!disks.ok()) return disks.status();
  if (disks->empty()) {
    return Error(ENOENT, absl::StrCat("process ", pid,
                                      " holds no disks of rnullfs; status.json has "
                                      "guard_pid, and the log had it when the mount failed"));
  }
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return SystemError(errno, directory);
  std::vector<std::string> failed;
  int error = 0;
  for (const auto& [inode, disk] : *disks) {
    const std::string& name = disk.device;  // clang 14 lets no lambda have the binding itself
    // Two of one name: a disk that was just being moved to another file, a part in each.
    const bool alone = std::count_if(disks->begin(), disks->end(), [&](const auto& other) {
                         return other.second.device == name;
                       }) == 1;
    const std::string image = alone ? absl::StrCat(directory, "/", disk.device, ".img")
                                    : absl::StrCat(directory, "/", disk.device, ".", inode, ".img");
    const absl::Status copied = CopyOut(disk, inode, image);
    if (copied.ok()) continue;
    Log({copied.message().data(), copied.message().size()});
    if (error == 0) error = ErrnoOf(copied);
    failed.push_back(disk.device);
  }
  if (failed.empty()) return absl::OkStatus();
  return Error(error, absl::StrCat(failed.size(), " of ", disks->size(),
                                   " disks are not rescued: ", absl::StrJoin(failed, ", ")));
}

}  // namespace rnullfs
