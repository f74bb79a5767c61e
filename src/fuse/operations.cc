#include "fuse/operations.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "fuse/guarded.h"
#include "fuse/receive_loop.h"
#include "fuse/ring.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// The kernel learns of every other change because it makes it; `disk` comes and goes with power.
constexpr double kNameTimeoutSec = 3600;
// Sizes and times change without the kernel.
constexpr double kAttrTimeoutSec = 0;

// A ring's requests are answered by its own threads.
bool MayPark(fuse_req_t request) { return !CameThroughRing(request); }

void Reply(fuse_req_t request, const absl::Status& status) {
  fuse_reply_err(request, ErrnoOf(status));
}

void ReplyEntry(fuse_req_t request, const struct stat& st) {
  fuse_entry_param entry = {};
  entry.ino = st.st_ino;
  entry.attr = st;
  entry.attr_timeout = kAttrTimeoutSec;
  entry.entry_timeout = IsDisk(st.st_ino) ? 0 : kNameTimeoutSec;
  fuse_reply_entry(request, &entry);
}

void ReplyStat(fuse_req_t request, const absl::StatusOr<struct stat>& st) {
  if (!st.ok()) return Reply(request, st.status());
  fuse_reply_attr(request, &*st, kAttrTimeoutSec);
}

// Answers, and keeps the sentence of a refusal for last_error of what the inode belongs to.
void Refuse(fuse_req_t request, fuse_ino_t inode, const absl::Status& status) {
  Reply(request, TreeOf(request).Refuse(inode, status));
}

// Null for a file that is gone.
std::shared_ptr<TextFile> TextFileOf(fuse_req_t request, fuse_ino_t inode,
                                     const fuse_file_info* file) {
  return SessionOf(request).text_handles().Find(TreeOf(request), inode, file->fh);
}

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const absl::StatusOr<struct stat> st = TreeOf(request).Lookup(parent, name);
  if (!st.ok()) return Reply(request, st.status());
  ReplyEntry(request, *st);
}

void GetAttr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*file*/) {
  ReplyStat(request, TreeOf(request).Stat(inode));
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
  Tree& tree = TreeOf(request);
  const OwnershipChange change = ChangeFrom(*wanted, valid, Clock::Real().WallTime());
  if ((valid & FUSE_SET_ATTR_SIZE) != 0) {
    const auto length = static_cast<uint64_t>(wanted->st_size);
    if (IsDisk(inode)) return TruncateDisk(request, inode, length, change);
    const std::shared_ptr<TextFile> text =
        file == nullptr ? nullptr : TextFileOf(request, inode, file);
    const absl::Status status =
        text == nullptr ? tree.Truncate(inode, length) : text->Truncate(length);
    if (!status.ok()) return Refuse(request, inode, status);
  }
  if (absl::Status status = tree.ChangeOwnership(inode, change); !status.ok()) {
    return Reply(request, status);
  }
  ReplyStat(request, tree.Stat(inode));
}

void MakeDirectory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  Tree& tree = TreeOf(request);
  const fuse_ctx* caller = fuse_req_ctx(request);
  const auto node =
      tree.MakeDevice(parent, name, mode, caller->uid, caller->gid, ReceiveLoop::CurrentRequest());
  if (!node.ok()) return Refuse(request, parent, node.status());
  Lookup(request, parent, name);
}

void RemoveDirectory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Tree& tree = TreeOf(request);
  const absl::StatusOr<struct stat> there = tree.Lookup(parent, name);
  const auto remove = [request, parent, name = std::string(name), &tree](IfOpen if_open) {
    const absl::Status removed =
        tree.RemoveDevice(parent, name, ReceiveLoop::CurrentRequest(), if_open);
    if (ErrnoOf(removed) == EAGAIN) return false;
    Refuse(request, parent, removed);
    return true;
  };
  AttemptOrPark(request, there.ok() ? DeviceIdOf(there->st_ino) : 0, kCloseGrace, remove);
}

// What configfs does not let anyone do.
void NotMade(fuse_req_t request, fuse_ino_t directory, std::string_view what) {
  Refuse(request, directory,
         Error(EPERM, absl::StrCat(std::string(what),
                                   ": no file can be made here; those that a device has come with "
                                   "mkdir in the root of the mount")));
}
void MakeNode(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t, dev_t) {
  NotMade(request, parent, Visible(name));
}
void Create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t, fuse_file_info*) {
  NotMade(request, parent, Visible(name));
}
void MakeSymlink(fuse_req_t request, const char*, fuse_ino_t parent, const char* name) {
  NotMade(request, parent, Visible(name));
}
void MakeLink(fuse_req_t request, fuse_ino_t, fuse_ino_t parent, const char* name) {
  NotMade(request, parent, Visible(name));
}
void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Refuse(request, parent,
         Error(EPERM, absl::StrCat(Visible(name),
                                   ": the file stays as long as its directory; rmdir removes a "
                                   "device with all its files")));
}
void Rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t, const char*,
            unsigned) {
  Refuse(request, parent,
         Error(EPERM, absl::StrCat(Visible(name), ": nothing can be renamed here")));
}

void ReadDirectory(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                   fuse_file_info* /*file*/) {
  std::vector<char> buffer(size);
  size_t used = 0;
  const auto add = [&](std::string_view name, Inode entry, mode_t type, uint64_t next) {
    struct stat st = {};
    st.st_ino = entry;
    st.st_mode = type;
    const size_t needed =
        fuse_add_direntry(request, buffer.data() + used, size - used, std::string(name).c_str(),
                          &st, static_cast<off_t>(next));
    if (needed > size - used) return false;
    used += needed;
    return true;
  };
  const absl::Status status = TreeOf(request).List(inode, static_cast<uint64_t>(offset), add);
  if (!status.ok()) return Reply(request, status);
  fuse_reply_buf(request, buffer.data(), used);
}

void Open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (IsDisk(inode)) return OpenDisk(request, inode, file);
  TextHandles& handles = SessionOf(request).text_handles();
  const uint64_t handle = handles.Next(file->flags);
  absl::StatusOr<std::unique_ptr<TextFile>> text = TreeOf(request).Open(inode, file->flags, handle);
  if (!text.ok()) return Refuse(request, inode, text.status());
  handles.Add(handle, *std::move(text));
  file->fh = handle;
  file->direct_io = 1;
  // A reply that fails means that the opener is gone, and no release will come.
  if (fuse_reply_open(request, file) != 0) handles.Remove(handle);
}

void Release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (IsDisk(inode)) {
    ReleaseDisk(request, inode, file);
  } else {
    SessionOf(request).text_handles().Remove(file->fh);
  }
  fuse_reply_err(request, 0);
}

void Read(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset, fuse_file_info* file) {
  if (IsDisk(inode)) return ReadDisk(request, inode, length, offset, file->flags);
  const std::shared_ptr<TextFile> open = TextFileOf(request, inode, file);
  if (open == nullptr) return Reply(request, Error(ENOENT, "the device has been removed"));
  const std::string text = open->Read(static_cast<uint64_t>(offset), length);
  fuse_reply_buf(request, text.data(), text.size());
}

void Write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t length, off_t offset,
           fuse_file_info* file) {
  if (IsDisk(inode)) return WriteDisk(request, inode, data, length, offset, file->flags);
  const std::shared_ptr<TextFile> open = TextFileOf(request, inode, file);
  if (open == nullptr) return Reply(request, Error(ENOENT, "the device has been removed"));
  // Only a copy outlives this call, and hardly any write has to wait.
  const auto write = [request, open, offset](std::string_view text, IfOpen if_open) {
    const absl::StatusOr<uint64_t> taken =
        open->Write(static_cast<uint64_t>(offset), text, ReceiveLoop::CurrentRequest(), if_open);
    if (ErrnoOf(taken.status()) == EAGAIN) return false;
    taken.ok() ? fuse_reply_write(request, *taken)
               : fuse_reply_err(request, ErrnoOf(taken.status()));
    return true;
  };
  if (!MayPark(request)) {
    write({data, length}, IfOpen::kWait);
  } else if (!write({data, length}, IfOpen::kAgain)) {
    SessionOf(request).parking().Park(
        DeviceIdOf(inode), kCloseGrace,
        [request, write, text = std::string(data, length)](IfOpen if_open) {
          return GuardedAttempt(request, [&] { return write(text, if_open); });
        });
  }
}

void Flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (IsDisk(inode)) NoteClosingDisk(request, inode, file);
  const std::shared_ptr<TextFile> open = IsDisk(inode) ? nullptr : TextFileOf(request, inode, file);
  Reply(request, open == nullptr ? absl::OkStatus() : open->Flush());
}

// Never ENOSYS: the kernel would stop sending fsync for the whole mount, the disks' included.
void Fsync(fuse_req_t request, fuse_ino_t inode, int /*datasync*/, fuse_file_info* /*file*/) {
  if (IsDisk(inode)) return FlushDisk(request, inode);
  fuse_reply_err(request, 0);
}

void FsyncDirectory(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) {
  fuse_reply_err(request, 0);
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
  struct statvfs st =
      MemoryIn(session.memory(), node == nullptr ? PageStore::kPageSize : node->settings().config.blocksize);
  // An inode is a device: how many files each has is nobody's limit.
  st.f_files = kDevicesMax;
  st.f_ffree = st.f_favail = kDevicesMax - std::min(kDevicesMax, tree.device_count());
  st.f_namemax = 255;
  fuse_reply_statfs(request, &st);
}

}  // namespace

void AttemptOrPark(fuse_req_t request, uint64_t device_id, std::chrono::milliseconds patience,
                   const Parking::Attempt& attempt) {
  if (!MayPark(request)) {
    attempt(IfOpen::kWait);
  } else if (!attempt(IfOpen::kAgain)) {
    SessionOf(request).parking().Park(device_id, patience, [request, attempt](IfOpen if_open) {
      return GuardedAttempt(request, [&] { return attempt(if_open); });
    });
  }
}

fuse_lowlevel_ops Operations() {
  fuse_lowlevel_ops operations = {};
  operations.lookup = Guarded<Lookup>::Call;
  operations.getattr = Guarded<GetAttr>::Call;
  operations.setattr = Guarded<SetAttr>::Call;
  operations.mkdir = Guarded<MakeDirectory>::Call;
  operations.rmdir = Guarded<RemoveDirectory>::Call;
  operations.mknod = Guarded<MakeNode>::Call;
  operations.create = Guarded<Create>::Call;
  operations.unlink = Guarded<Unlink>::Call;
  operations.symlink = Guarded<MakeSymlink>::Call;
  operations.link = Guarded<MakeLink>::Call;
  operations.rename = Guarded<Rename>::Call;
  operations.readdir = Guarded<ReadDirectory>::Call;
  operations.fsyncdir = Guarded<FsyncDirectory>::Call;
  operations.open = Guarded<Open>::Call;
  operations.release = Guarded<Release>::Call;
  operations.read = Guarded<Read>::Call;
  operations.write = Guarded<Write>::Call;
  operations.flush = Guarded<Flush>::Call;
  operations.fsync = Guarded<Fsync>::Call;
  operations.statfs = Guarded<StatFs>::Call;
  AddDiskOperations(operations);
  return operations;
}

}  // namespace rnullfs
