#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

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
#include "guard/commands.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

// Copies what is stored; holes stay holes.
absl::Status CopySparse(int from, int to) {
  struct stat status = {};
  if (fstat(from, &status) != 0) return SystemError(errno, "fstat");
  if (ftruncate(to, status.st_size) != 0) return SystemError(errno, "ftruncate");
  for (off_t at = 0;;) {
    at = lseek(from, at, SEEK_DATA);
    if (at < 0 && errno == ENXIO) break;  // no more of it
    const off_t hole = at < 0 ? -1 : lseek(from, at, SEEK_HOLE);
    if (hole < 0 || lseek(to, at, SEEK_SET) < 0) return SystemError(errno, "looking for data");
    const ssize_t copied = sendfile(to, from, &at, static_cast<size_t>(hole - at));
    if (copied < 0 && errno != EINTR) return SystemError(errno, "writing");
  }
  return fsync(to) == 0 ? absl::OkStatus() : SystemError(errno, "fsync");
}

// Where in /proc a process's disks are, by name and inode.  One that is just being moved to another
// file has a part in each; a process may hold a file more than once.
using Disks = std::map<std::string, std::map<uint64_t, std::string>>;

// A process that lies about its descriptors could have whoever rescues open any file for it: looked
// at before it is opened.  A memfd has no name in any file system, and can be sealed.
absl::StatusOr<UniqueFd> OpenDisk(const std::string& path, uint64_t inode) {
  const absl::Status changed = Error(ESTALE, absl::StrCat(path, ": it is no disk any more"));
  const UniqueFd seen(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status = {};
  if (!seen.valid() || fstat(seen.get(), &status) != 0) return SystemError(errno, path);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 0 || status.st_ino != inode) return changed;
  UniqueFd memfd(open(absl::StrCat("/proc/self/fd/", seen.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!memfd.valid()) return SystemError(errno, path);
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
absl::Status CopyOut(const std::string& path, uint64_t inode, const std::string& image) {
  if (struct stat there = {}; lstat(image.c_str(), &there) == 0) {
    return Error(EEXIST, absl::StrCat(image, ": File exists, and is not overwritten"));
  }
  const absl::StatusOr<UniqueFd> from = OpenDisk(path, inode);
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

absl::StatusOr<Disks> FindDisks(pid_t pid) {
  Disks disks;
  const std::string directory = absl::StrCat("/proc/", pid, "/fd");
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path();
    std::error_code unreadable;
    const auto disk = ParseDiskMemfd(std::filesystem::read_symlink(path, unreadable).native());
    struct stat status = {};
    if (!disk.has_value() || stat(path.c_str(), &status) != 0) continue;
    disks[disk->device][status.st_ino] = path;
  }
  if (error) return SystemError(error.value(), directory);
  return disks;
}

}  // namespace

absl::Status Rescue(pid_t pid, const std::string& directory) {
  const absl::StatusOr<Disks> disks = FindDisks(pid);
  if (!disks.ok()) return disks.status();
  if (disks->empty()) {
    return Error(ENOENT, absl::StrCat("process ", pid,
                                      " holds no disks of rnullfs; status.json has "
                                      "guard_pid, and the log had it when the mount failed"));
  }
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return SystemError(errno, directory);
  std::vector<std::string> failed;
  size_t tried = 0;
  int error = 0;
  for (const auto& [name, parts] : *disks) {
    for (const auto& [inode, path] : parts) {
      const std::string part = parts.size() == 1 ? "" : absl::StrCat(".", inode);
      const absl::Status copied =
          CopyOut(path, inode, absl::StrCat(directory, "/", name, part, ".img"));
      ++tried;
      if (copied.ok()) continue;
      Log({copied.message().data(), copied.message().size()});
      if (error == 0) error = ErrnoOf(copied);
      failed.push_back(name);
    }
  }
  if (failed.empty()) return absl::OkStatus();
  return Error(error, absl::StrCat(failed.size(), " of ", tried,
                                   " disks are not rescued: ", absl::StrJoin(failed, ", ")));
}

}  // namespace rnullfs
