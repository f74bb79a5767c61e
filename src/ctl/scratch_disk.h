// A disk for one search: a mount of its own, a file system on it if one is wanted, and a workload
// that has run there while all that it did was logged.
//
// What it makes is gone with the object, unless it is to stay.
//
// Thread safety: none.
// Errors: what a command said that failed (EIO), what a device refused; ECANCELED when the user
// wants no more.
#ifndef RNULLFS_CTL_SCRATCH_DISK_H_
#define RNULLFS_CTL_SCRATCH_DISK_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ctl/command.h"
#include "ctl/loop_device.h"
#include "ctl/scratch_mount.h"

namespace rnullfs {

class ScratchDisk {
 public:
  struct Options {
    std::string rnullfs;  // the program
    std::string mkfs;     // ext4, xfs, btrfs...; empty: the workload has the disk itself
    std::string mount_options;
    std::string size;
    std::string block_size;
    Command workload;  // {mount} where the file system is, {} the disk, {device} its directory
  };
  explicit ScratchDisk(Options options) : options_(std::move(options)) {}
  ScratchDisk(const ScratchDisk&) = delete;
  ScratchDisk& operator=(const ScratchDisk&) = delete;
  ~ScratchDisk();

  // Makes it, and has the workload run.  Its log begins with the mark `begin`, and ends with `end`
  // after the file system was unmounted.
  absl::Status Run();
  std::string device() const { return mount_.path() + "/disk"; }
  const std::string& mount() const { return mount_.path(); }
  void Keep() { mount_.Keep(); }

 private:
  absl::Status MakeDisk() const;
  absl::Status MountFileSystem();
  absl::Status UnmountFileSystem();

  const Options options_;
  // Each stands on the one before it.
  ScratchMount mount_;
  std::optional<LoopDevice> loop_;
  std::string file_system_;  // where it is mounted
};

// What recovers and checks a file system, where the user does not say.
struct FileSystemCommands {
  std::string_view name;
  std::string_view recover;
  std::string_view check;
};
absl::Span<const FileSystemCommands> KnownFileSystems();

}  // namespace rnullfs

#endif  // RNULLFS_CTL_SCRATCH_DISK_H_
