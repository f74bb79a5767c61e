#include "tree/view_file.h"

#include <algorithm>
#include <cerrno>

#include "rnullfs/error.h"

namespace rnullfs {

absl::StatusOr<std::string> ViewHandle::Read(uint64_t offset, uint64_t length) {
  const uint64_t size = view_->size_bytes();
  std::string bytes(std::min(length, size - std::min(offset, size)), '\0');
  const int error = bytes.empty() ? 0 : view_->CopyOut(offset, bytes.size(), bytes.data());
  if (error != 0) return SystemError(error, "disk");
  return bytes;
}

// Blocks: cp and tar take a file without any for a hole.  What has been discarded since is in the
// past.
absl::StatusOr<struct stat> ViewFile::Stat() const {
  absl::StatusOr<struct stat> st = File::Stat();
  const uint64_t past = node_->With(
      [](Disk& disk, const Doors& /*doors*/) { return disk.past().figures().stored_bytes; });
  const uint64_t stored = node_->facts().stored_bytes + past;
  st->st_blocks = static_cast<blkcnt_t>(std::min<uint64_t>(stored, st->st_size) / 512);
  return st;
}

absl::Status ViewFile::ChangeOwnership(const OwnershipChange& /*change*/) {
  return Error(EPERM, "disk: owner and mode are those of the device's disk; change that one's");
}

// The disk's, whoever that is given to.
Ownership ViewFile::ownership() const {
  const Ownership disk = node_->OwnershipOf(kDiskSlot, kDiskMode);
  Ownership ownership = node_->OwnershipOf(place_, 0444);  // times: it is never written to
  ownership.mode = disk.mode & ~mode_t{0222};
  ownership.uid = disk.uid;
  ownership.gid = disk.gid;
  return ownership;
}

absl::StatusOr<std::unique_ptr<FileHandle>> ViewFile::MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                                 std::string_view opener) {
  // Who had it open when another process served the mount is not known any more.
  absl::StatusOr<std::shared_ptr<View>> view =
      OpenView(opener.empty() ? "a process that fuser -v shows" : std::string(opener));
  if (!view.ok()) return view.status();
  return std::make_unique<ViewHandle>(*std::move(view), lasts());
}

}  // namespace rnullfs
