#include "ctl/scratch_disk.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "ctl/files.h"
#include "ctl/interrupt.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// A mount replays what the file system's own log has; a program that does so without one is
// quicker.
// In a namespace of its own it goes with the process, also when that is killed.
constexpr std::string_view kMountXfs =
    "unshare -m sh -c 'mount -o loop,nouuid \"$1\" /mnt && umount /mnt' mount {}";
constexpr FileSystemCommands kFileSystems[] = {
    {"ext3", "e2fsck -E journal_only -p {}", "e2fsck -fn {}"},
    {"ext4", "e2fsck -E journal_only -p {}", "e2fsck -fn {}"},
    {"ext2", "", "e2fsck -fn {}"},
    {"xfs", kMountXfs, "xfs_repair -n -f {}"},
    {"btrfs", "", "btrfs check --readonly {}"},
};

// fuse2fs writes its last when its mount has gone already.
void WaitForClose(const std::string& device) {
  for (int i = 0; i < 500; ++i) {
    const absl::StatusOr<JsonValue> stats = ReadJsonFile(device + "/stats.json");
    if (!stats.ok() || NumberIn(*stats, "disk_opens") == 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// mkfs asks no questions of what is no device.
std::string_view FlagsOf(std::string_view file_system) {
  return file_system == "btrfs" || file_system == "xfs" ? "-f" : "-F";
}

}  // namespace

absl::Span<const FileSystemCommands> KnownFileSystems() { return kFileSystems; }

// What the workload has left may use what has been mounted: it is taken out of sight then, and goes
// when that ends.
ScratchDisk::~ScratchDisk() {
  if (!file_system_.empty() && !UnmountFileSystem().ok()) {
    UnmountLazily(file_system_);
    rmdir(file_system_.c_str());
  }
}

absl::Status ScratchDisk::Run() {
  absl::Status status = mount_.Make(options_.rnullfs);
  if (status.ok()) status = MakeDisk();
  if (status.ok() && !options_.mkfs.empty()) status = MountFileSystem();
  if (status.ok()) status = WriteFile(device() + "/log/mark", "begin");
  if (!status.ok()) return status;
  const CommandResult run = options_.workload.RunHere(
      {{"{mount}", file_system_}, {"{device}", device()}, {"{}", device() + "/disk"}});
  if (Interrupt::happened()) return Error(ECANCELED, "interrupted");
  if (run.status != 0) {
    return Error(EIO,
                 absl::StrCat("run: exit status ", run.status, ": ", options_.workload.text()));
  }
  if (!file_system_.empty()) status = UnmountFileSystem();
  if (status.ok()) return WriteFile(device() + "/log/mark", "end");
  return Error(EIO, absl::StrCat(std::string(status.message()),
                                 "\n--run has to end what it has started before it ends itself"));
}

absl::Status ScratchDisk::MakeDisk() const {
  if (absl::Status made = MakeDirectory(device()); !made.ok()) return made;
  return SetAttributes(device(), {{"memory_backed", "1"},
                                  {"size", options_.size},
                                  {"blocksize", options_.block_size},
                                  {"discard", "1"},
                                  {"history", kAllOfIt},
                                  {"power", "1"}});
}

// Through a loop device for root, which tells mkfs its block size; else with fuse2fs, which knows
// ext2 to ext4.
absl::Status ScratchDisk::MountFileSystem() {
  const bool root = geteuid() == 0;
  std::string disk = device() + "/disk";
  if (root) {
    absl::StatusOr<LoopDevice> loop = LoopDevice::Attach(disk, options_.block_size);
    if (!loop.ok()) return loop.status();
    loop_.emplace(*std::move(loop));
    disk = loop_->path();
  }
  // An ordinary user is to have what he makes.
  const bool owns = !root && options_.mkfs.starts_with("ext");
  absl::StatusOr<std::string> done = Do("mkfs." + options_.mkfs, "-q", FlagsOf(options_.mkfs),
                                        owns ? "-E" : "", owns ? "root_owner" : "", disk);
  if (!done.ok()) return done.status();
  absl::StatusOr<std::string> room = MakeTemporaryDirectory();
  if (!room.ok()) return room.status();
  const std::string how = options_.mount_options.empty() ? "" : "-o" + options_.mount_options;
  done = root ? Do("mount", how, disk, *room) : Do("fuse2fs", how, disk, *room);
  file_system_ = *std::move(room);
  return done.status();
}

absl::Status ScratchDisk::UnmountFileSystem() {
  absl::Status status = Unmount(file_system_);
  if (!status.ok()) return status;
  if (loop_) status.Update(loop_->Detach());
  if (!loop_) WaitForClose(device());
  if (rmdir(file_system_.c_str()) == 0) file_system_.clear();
  return status;
}

}  // namespace rnullfs
