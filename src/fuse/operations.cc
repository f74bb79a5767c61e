#include "fuse/operations.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "fuse/guarded.h"
#include "fuse/ring.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr std::chrono::milliseconds kLookAgain(20);

void ReplyStat(fuse_req_t request, const absl::StatusOr<struct stat>& st) {
  if (!st.ok()) return Reply(request, st.status());
  fuse_reply_attr(request, &*st, kAttrTimeoutSec);
}

void GetAttr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*file*/) {
  ReplyStat(request, EntryOf(request, inode)->Stat());
}

OwnershipChange ChangeFrom(const struct stat& wanted, int valid, timespec now) {
  OwnershipChange change;
  if ((valid & FUSE_SET_ATTR_MODE) != 0) change.mode = wanted.st_mode;
  if ((valid & FUSE_SET_ATTR_UID) != 0) change.uid = wanted.st_uid;
  if ((valid & FUSE_SET_ATTR_GID) != 0) change.gid = wanted.st_gid;
  if ((valid & FUSE_SET_ATTR_ATIME) != 0) change.accessed = wanted.st_atim;
  if ((valid & FUSE_SET_ATTR_MTIME) != 0) change.modified = wanted.st_mtim;
  if ((valid & FUSE_SET_ATTR_ATIME_NOW) != 0) change.accessed = now;
  if ((valid & FUSE_SET_ATTR_MTIME_NOW) != 0) change.modified = now;
  return change;
}

void SetAttr(fuse_req_t request, fuse_ino_t inode, struct stat* wanted, int valid,
             fuse_file_info* file) {
  const OwnershipChange change = ChangeFrom(*wanted, valid, Clock::Real().WallTime());
  const std::shared_ptr<Entry> entry = EntryOf(request, inode);
  if ((valid & FUSE_SET_ATTR_SIZE) != 0) {
    const auto length = static_cast<uint64_t>(wanted->st_size);
    if (IsDisk(inode)) return TruncateDisk(request, inode, length, change);
    const std::shared_ptr<FileHandle> text =
        file == nullptr ? nullptr : HandleOf(request, inode, file);
    const absl::Status status = text == nullptr ? entry->Truncate(length) : text->Truncate(length);
    if (!status.ok()) return Refuse(request, inode, status);
  }
  if (absl::Status status = entry->ChangeOwnership(change); !status.ok()) {
    return Reply(request, status);
  }
  absl::StatusOr<struct stat> stat = entry->Stat();
  // Only of what has become shorter the kernel empties its cache; it asks again for the length.
  if ((valid & FUSE_SET_ATTR_SIZE) != 0 && stat.ok() && entry->keeps_length()) {
    stat->st_size = wanted->st_size;
  }
  ReplyStat(request, stat);
}

// What disks may take and what they have taken; without a limit, the machine's memory.
struct statvfs MemoryIn(MemoryLimit& limit, uint64_t block_bytes) {
  limit.LookAgain();  // at what a close, or an end of a mapping, has left
  uint64_t total = limit.limit_bytes();
  uint64_t unused = total - std::min(total, limit.used_bytes());
  uint64_t left = std::min(unused, limit.left_bytes());
  if (total == MemoryLimit::kNone) {
    struct sysinfo memory = {};
    sysinfo(&memory);
    total = uint64_t{memory.totalram} * memory.mem_unit;
    unused = left = uint64_t{memory.freeram} * memory.mem_unit;
  }
  struct statvfs st = {};
  st.f_bsize = st.f_frsize = block_bytes;
  st.f_blocks = total / block_bytes;
  st.f_bfree = unused / block_bytes;
  st.f_bavail = left / block_bytes;
  return st;
}

// f_bsize becomes the discard granularity of a loop device on the disk (loop_config_discard()), so
// it is the disk's block size, as null_blk has it.
void StatFs(fuse_req_t request, fuse_ino_t inode) {
  Session& session = SessionOf(request);
  session.NoteTransport(CameThroughRing(request));
  const Tree& tree = session.tree();
  const std::shared_ptr<DeviceNode> node = tree.DiskOwner(inode);
  struct statvfs st = MemoryIn(
      session.memory(), node == nullptr ? PageStore::kPageSize : node->settings().config.blocksize);
  // An inode is a device: how many files each has is nobody's limit.
  st.f_files = kDevicesMax;
  st.f_ffree = st.f_favail = kDevicesMax - std::min(kDevicesMax, tree.device_count());
  st.f_namemax = 255;
  fuse_reply_statfs(request, &st);
}

}  // namespace

void Reply(fuse_req_t request, const absl::Status& status) {
  fuse_reply_err(request, ErrnoOf(status));
}

void Refuse(fuse_req_t request, fuse_ino_t inode, const absl::Status& status) {
  Reply(request, TreeOf(request).Refuse(inode, status));
}

std::shared_ptr<FileHandle> HandleOf(fuse_req_t request, fuse_ino_t inode,
                                     const fuse_file_info* file) {
  return SessionOf(request).text_handles().Find(TreeOf(request), inode, file->fh);
}

void AttemptOrPark(fuse_req_t request, uint64_t device_id, std::chrono::milliseconds patience,
                   absl::FunctionRef<bool(IfOpen)> attempt,
                   absl::FunctionRef<Parking::Attempt()> keep) {
  if (attempt(IfOpen::kAgain)) return;
  // A ring's thread must answer itself, and so wait itself.
  for (auto waited = kLookAgain; CameThroughRing(request); waited += kLookAgain) {
    std::this_thread::sleep_for(kLookAgain);
    if (attempt(waited < patience ? IfOpen::kAgain : IfOpen::kRefuse)) return;
  }
  SessionOf(request).parking().Park(device_id, patience, [request, kept = keep()](IfOpen if_open) {
    return GuardedAttempt(request, [&] { return kept(if_open); });
  });
}

fuse_lowlevel_ops Operations() {
  fuse_lowlevel_ops operations = {};
  operations.getattr = Guarded<GetAttr>::Call;
  operations.setattr = Guarded<SetAttr>::Call;
  operations.statfs = Guarded<StatFs>::Call;
  AddNameOperations(operations);
  AddFileOperations(operations);
  AddDiskOperations(operations);
  return operations;
}

}  // namespace rnullfs
