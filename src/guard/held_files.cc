#include "guard/held_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "base/kept_file.h"
#include "base/memfd_name.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Until `f` says false.
absl::Status ForEachDescriptor(pid_t pid, absl::FunctionRef<bool(const std::string& path)> f) {
  const std::string directory = absl::StrCat("/proc/", pid, "/fd");
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (!f(it->path())) break;
  }
  return error ? SystemError(error.value(), directory) : absl::OkStatus();
}

void Note(const std::string& path, HeldFiles& files) {
  std::error_code unreadable;
  const std::string link = std::filesystem::read_symlink(path, unreadable).native();
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return;
  const Held held = {.inode = status.st_ino, .path = path};
  if (IsStateMemfd(link)) files.state = held;
  if (const auto past = ParsePastMemfd(link)) files.pasts[*past] = held;
  if (const auto marks = ParseMarksMemfd(link)) files.marks[*marks] = held;
  if (const auto disk = ParseDiskMemfd(link)) {
    HeldDisk& known = files.disks[disk->device];
    known.id = disk->id;
    known.parts[held.inode] = held;
  }
}

// Who may not take descriptors of other processes opens the file with his own rights; but not who
// has more than the process may have.
UniqueFd TakeDescriptor(int process, const std::string& path) {
  const int number = std::atoi(path.c_str() + path.rfind('/') + 1);
  UniqueFd taken(static_cast<int>(syscall(SYS_pidfd_getfd, process, number, 0)));
  if (taken.valid()) return IsKeptFile(taken.get()) ? std::move(taken) : UniqueFd();
  if (errno != EPERM || geteuid() == 0) return UniqueFd();
  return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

}  // namespace

absl::StatusOr<HeldFiles> FindHeldFiles(pid_t pid) {
  HeldFiles files;
  absl::Status looked = ForEachDescriptor(pid, [&files](const std::string& path) {
    Note(path, files);
    return true;
  });
  if (!looked.ok()) return looked;
  return files;
}

absl::StatusOr<UniqueFd> OpenHeld(const Held& held) {
  const std::string& path = held.path;
  const absl::Status changed = Error(ESTALE, absl::StrCat(path, ": it is no disk any more"));
  const UniqueFd seen(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status = {};
  if (!seen.valid() || fstat(seen.get(), &status) != 0) return SystemError(errno, path);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 0 || status.st_ino != held.inode)
    return changed;
  UniqueFd memfd(open(absl::StrCat("/proc/self/fd/", seen.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!memfd.valid()) return SystemError(errno, path);
  if (fcntl(memfd.get(), F_GET_SEALS) < 0) return changed;
  return memfd;
}

absl::StatusOr<UniqueFd> TakeKeptFile(pid_t pid, const FileId& file) {
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  UniqueFd found;
  const absl::Status looked = ForEachDescriptor(pid, [&](const std::string& path) {
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0 || status.st_dev != file.device ||
        status.st_ino != file.inode) {
      return true;
    }
    found = TakeDescriptor(process.get(), path);
    if (found.valid() && FileIdOf(found.get()) != file) found.Reset();
    return !found.valid();
  });
  if (!looked.ok()) return looked;
  if (!found.valid()) {
    return Error(ENOENT, absl::StrCat("the file of the machine that it began as is not held, or "
                                      "cannot be taken from process ",
                                      pid));
  }
  return found;
}

}  // namespace rnullfs
