#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "guard/commands.h"
#include "guard/composer.h"
#include "guard/held_files.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

absl::Status CopySparse(int from, int to) {
  struct stat status = {};
  if (fstat(from, &status) != 0) return SystemError(errno, "fstat");
  if (ftruncate(to, status.st_size) != 0) return SystemError(errno, "ftruncate");
  return CopyData(from, 0, status.st_size, to);
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
absl::Status WriteImage(const std::string& image, absl::FunctionRef<absl::Status(int)> fill) {
  if (struct stat there = {}; lstat(image.c_str(), &there) == 0) {
    return Error(EEXIST, absl::StrCat(image, ": File exists, and is not overwritten"));
  }
  const std::string partial = absl::StrCat(image, ".partial");
  unlink(partial.c_str());  // of a rescue that was interrupted
  const UniqueFd to(open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!to.valid()) return SystemError(errno, partial);
  absl::Status done = fill(to.get());
  if (done.ok() && fsync(to.get()) != 0) done = SystemError(errno, "fsync");
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

// What is tried, and what has become of it.
class Rescuer {
 public:
  // All outlive it.
  Rescuer(std::string directory, const Composer& composer)
      : directory_(std::move(directory)), composer_(composer) {}

  void CopyDisk(const std::string& name, const HeldDisk& disk) {
    if (composer_.IsClone(disk)) return CopyClone(name, disk);
    for (const auto& [inode, held] : disk.parts) {
      const std::string part = disk.parts.size() == 1 ? "" : absl::StrCat(".", inode);
      Note(name, CopyPart(name + part, held));
    }
  }

  void CopySnapshots(const std::string& name, const HeldDisk& disk, const Held& held,
                     const LeftReader& reader) {
    const absl::StatusOr<UniqueFd> past = OpenHeld(held);
    if (!past.ok()) return Note(name + "@", past.status());
    const auto snapshots = reader.snapshots(past->get());
    if (!snapshots.ok()) return Note(name + "@", snapshots.status());
    for (const LeftReader::Snapshot& snapshot : *snapshots) {
      if (snapshot.name.empty()) continue;
      const std::string full_name = absl::StrCat(name, "@", snapshot.name);
      Note(full_name, WriteImage(ImageOf(full_name), [&](int to) {
             return composer_.WriteSnapshot(disk, snapshot, to);
           }));
    }
  }

  absl::Status Conclude() const {
    if (failed_.empty()) return absl::OkStatus();
    return Error(error_, absl::StrCat(failed_.size(), " of ", tried_,
                                      " disks are not rescued: ", absl::StrJoin(failed_, ", ")));
  }

 private:
  std::string ImageOf(const std::string& name) const {
    return absl::StrCat(directory_, "/", name, ".img");
  }

  absl::Status CopyPart(const std::string& name, const Held& held) const {
    const absl::StatusOr<UniqueFd> from = OpenHeld(held);
    if (!from.ok()) return from.status();
    return WriteImage(ImageOf(name), [&](int to) { return CopySparse(from->get(), to); });
  }

  // Where it cannot be whole, what it has of its own is under a name that does not look so.
  void CopyClone(const std::string& name, const HeldDisk& disk) {
    const absl::Status possible = composer_.Check(disk);
    if (possible.ok()) {
      return Note(name,
                  WriteImage(ImageOf(name), [&](int to) { return composer_.WriteDisk(disk, to); }));
    }
    const std::string own = name + ".own";
    std::string what = absl::StrCat(name, ": ", std::string(possible.message()));
    for (const auto& [inode, held] : disk.parts) {
      const absl::Status copied = CopyPart(own, held);
      absl::StrAppend(&what, "; ",
                      copied.ok() ? absl::StrCat("what has been written to it since it began as "
                                                 "another is in ",
                                                 ImageOf(own), ", where all else is zeros")
                                  : std::string(copied.message()));
    }
    Note(name, Error(ErrnoOf(possible), what));
  }

  void Note(const std::string& name, const absl::Status& copied) {
    ++tried_;
    if (copied.ok()) return;
    Log({copied.message().data(), copied.message().size()});
    if (error_ == 0) error_ = ErrnoOf(copied);
    failed_.push_back(name);
  }

  const std::string directory_;
  const Composer& composer_;
  std::vector<std::string> failed_;
  size_t tried_ = 0;
  int error_ = 0;  // the first one's
};

}  // namespace

absl::Status Rescue(pid_t pid, const std::string& directory, const LeftReader& reader,
                    bool snapshots) {
  const absl::StatusOr<HeldFiles> found = FindHeldFiles(pid);
  if (!found.ok()) return found.status();
  if (found->disks.empty()) {
    return Error(ENOENT, absl::StrCat("process ", pid,
                                      " holds no disks of rnullfs; status.json has "
                                      "guard_pid, and the log had it when the mount failed"));
  }
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return SystemError(errno, directory);
  const Composer composer(pid, *found, reader);
  Rescuer rescuer(directory, composer);
  for (const auto& [name, disk] : found->disks) {
    rescuer.CopyDisk(name, disk);
    const auto held = found->pasts.find(disk.id);
    if (!snapshots || held == found->pasts.end()) continue;
    rescuer.CopySnapshots(name, disk, held->second, reader);
  }
  return rescuer.Conclude();
}

}  // namespace rnullfs
