// The data path: requests for `disk`, on their way to the device.
//
// No lock is taken and nothing is looked up but the device's id: whoever holds the disk open keeps
// the device in place.  A request's FUSE handle travels as the tag of its completion.

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <string>

#include "base/kill_point.h"
#include "base/process.h"
#include "fuse/backing_ids.h"
#include "fuse/guarded.h"
#include "fuse/operations.h"
#include "fuse/receive_loop.h"
#include "fuse/ring.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// How long an open waits for one that is being closed to be gone: it would have to go its way.
constexpr std::chrono::milliseconds kOpenGrace(20);

// Null for a disk that nobody has open, which the kernel never asks about.
Device* DeviceOf(fuse_req_t request, fuse_ino_t inode) {
  const DeviceNode* node = TreeOf(request).OpenDiskOwner(inode);
  return node == nullptr ? nullptr : node->device();
}

// What a program that opens `disk` is refused and the loop driver is not: its sectors are of 512
// bytes, whatever the blocks of what it is attached to, and what the block layer wants zeroed it
// asks as a hole.  The difference is who asks, a thread of the kernel; it is looked for only where
// it matters.
Command AsLoopSays(fuse_req_t request, const Device& device, Command command) {
  const bool parts = command.direct && !device.IsWhole(command);
  const bool discards = command.op == Op::kDiscard && !command.truncates && !device.discards();
  if (!(parts || discards) || !IsKernelThread(fuse_req_ctx(request)->pid)) return command;
  command.sectors = parts;
  if (discards) command.op = Op::kWriteZeroes;
  return command;
}

void Submit(fuse_req_t request, Device& device, const Command& command, const Completion& done) {
  if (CameThroughRing(request)) return SubmitOnRing(device, command, done);
  device.Submit(command, done);
}

void Submit(fuse_req_t request, fuse_ino_t inode, const Command& command,
            void (*complete)(void*, const Answer&)) {
  Device* device = DeviceOf(request, inode);
  if (device == nullptr) {
    fuse_reply_err(request, ENODEV);
    return;
  }
  Submit(request, *device, AsLoopSays(request, *device, command),
         {.complete = complete, .tag = request});
}

void ReplyError(void* tag, const Answer& answer) {
  fuse_reply_err(static_cast<fuse_req_t>(tag), answer.error);
}

// Has every page mapped that the kernel is about to copy.  It finds those that are by itself; for
// others it takes the page fault's way, which ends at once in a process that has been killed, and
// then the request is not sent again: it has failed, with EIO.
void FaultIn(absl::Span<const iovec> blocks) {
  constexpr size_t kPageSize = PageStore::kPageSize;
  for (const iovec& block : blocks) {
    const volatile char* const bytes = static_cast<const char*>(block.iov_base);
    if (block.iov_len == 0) continue;
    for (size_t i = 0; i < block.iov_len; i += kPageSize) static_cast<void>(bytes[i]);
    static_cast<void>(bytes[block.iov_len - 1]);
  }
}

void ReplyRead(void* tag, const Answer& answer) {
  auto* request = static_cast<fuse_req_t>(tag);
  FaultIn(answer.data);
  if (answer.error != 0) {
    fuse_reply_err(request, answer.error);
  } else if (answer.data.size() == 1) {  // spares libfuse the copy of the vector
    const iovec& only = answer.data.front();
    fuse_reply_buf(request, static_cast<const char*>(only.iov_base), only.iov_len);
  } else {
    fuse_reply_iov(request, answer.data.data(), static_cast<int>(answer.data.size()));
  }
}

// A write is done whole or fails: a loop device takes a short one for success.
void ReplyWrite(void* tag, const Answer& answer) {
  auto* request = static_cast<fuse_req_t>(tag);
  if (answer.error != 0) {
    fuse_reply_err(request, answer.error);
  } else {
    fuse_reply_write(request, answer.bytes);
  }
}

void Allocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
              fuse_file_info* /*file*/) {
  if (!IsDisk(inode)) {
    fuse_reply_err(request, EOPNOTSUPP);
    return;
  }
  Op op = Op::kAllocate;
  switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case 0:
      break;
    case FALLOC_FL_PUNCH_HOLE:
      op = Op::kDiscard;
      break;
    case FALLOC_FL_ZERO_RANGE:
      op = Op::kWriteZeroes;
      break;
    default:
      fuse_reply_err(request, EOPNOTSUPP);
      return;
  }
  Submit(request, inode,
         {.op = op,
          .offset = static_cast<uint64_t>(offset),
          .length = static_cast<uint64_t>(length),
          .keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0},
         ReplyError);
}

void Seek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence,
          fuse_file_info* /*file*/) {
  if (!IsDisk(inode) || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  const Device* device = DeviceOf(request, inode);
  if (device == nullptr) {
    fuse_reply_err(request, ENODEV);
    return;
  }
  const uint64_t size = device->size_bytes();
  const auto from = static_cast<uint64_t>(offset);
  if (from >= size) {
    fuse_reply_err(request, ENXIO);
    return;
  }
  const uint64_t found = whence == SEEK_DATA ? device->NextData(from) : device->NextHole(from);
  if (whence == SEEK_DATA && found == size) {
    fuse_reply_err(request, ENXIO);
  } else {
    fuse_reply_lseek(request, static_cast<off_t>(found));
  }
}

// The kernel's number for a file that it is to serve by itself; 0, and errno, when it will not.
int OpenBacking([[maybe_unused]] fuse_req_t request, [[maybe_unused]] int memfd) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  return fuse_passthrough_open(request, memfd);
#else
  errno = EOPNOTSUPP;
  return 0;
#endif
}

// A change of length that is under way.
struct Truncation {
  fuse_req_t request;
  fuse_ino_t inode;
  OwnershipChange change;
  std::shared_ptr<DeviceNode> node;
  uint64_t hold;
};

// Does the rest of it.  `attributes` are such that the kernel drops what it has of the disk in its
// page cache, for who has mapped it: it does so when the answer has a length that it did not know
// (fuse_do_setattr() in fs/fuse/dir.c).  As a length is valid for no time, it asks for the true one
// before it uses it.
int Finish(const Truncation& truncation, struct stat& attributes) {
  Tree& tree = TreeOf(truncation.request);
  const absl::Status changed = tree.ChangeOwnership(truncation.inode, truncation.change);
  if (!changed.ok()) return ErrnoOf(changed);
  const absl::StatusOr<struct stat> st = tree.Stat(truncation.inode);
  if (!st.ok()) return ErrnoOf(st.status());
  attributes = *st;
  attributes.st_size += 1 + static_cast<off_t>(truncation.hold % 2);
  return 0;
}

void ReplyTruncation(void* tag, const Answer& answer) {
  const std::unique_ptr<Truncation> truncation(static_cast<Truncation*>(tag));
  fuse_req_t request = truncation->request;
  struct stat st = {};
  int error = answer.error;
  try {  // who calls back knows no exceptions
    if (error == 0) error = Finish(*truncation, st);
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
  }
  try {
    // First, so that who waits for the answer can switch the disk off.
    truncation->node->CloseDisk(truncation->hold);
  } catch (const std::bad_alloc&) {
    error = ENOMEM;  // it is closed, but that is not saved
  }
  KillPoint("truncated");
  if (error == 0) {
    fuse_reply_attr(request, &st, 0);
  } else {
    fuse_reply_err(request, error);
  }
}

// False, with IfOpen::kAgain, when it has to wait.
bool AnswerOpen(fuse_req_t request, const std::shared_ptr<DeviceNode>& node,
                const std::string& opener, fuse_file_info* file, IfOpen if_open) {
  const absl::StatusOr<DiskHandle> handle = node->OpenDisk(
      opener, file->flags, [request](int memfd) { return OpenBacking(request, memfd); },
      ReceiveLoop::CurrentRequest(), if_open);
  if (ErrnoOf(handle.status()) == EAGAIN) return false;
  if (!handle.ok()) {
    fuse_reply_err(request, ErrnoOf(handle.status()));
    return true;
  }
  file->fh = handle->number;
  Session& session = SessionOf(request);
  if (handle->backing_id != 0) session.huge_pages().Watch(node);
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  file->backing_id = handle->backing_id;
#endif
  // The store is memory already: a second cache in front of it would only hide requests and double
  // the bytes.  (With passthrough it would send the requests here after all.)
  file->direct_io = handle->backing_id == 0 ? 1 : 0;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 15)
  file->parallel_direct_writes = file->direct_io;
#endif
  // Nobody has it who would close it; the request is gone, whatever came of its answer.
  if (fuse_reply_open(request, file) != 0) {
    CloseBacking(session.fuse_fd(), node->CloseDisk(handle->number));
  }
  return true;
}

}  // namespace

void TruncateDisk(fuse_req_t request, fuse_ino_t inode, uint64_t length,
                  const OwnershipChange& change) {
  const Tree& tree = TreeOf(request);
  const std::shared_ptr<DeviceNode> node = tree.DiskOwner(inode);
  if (const absl::Status possible = tree.Truncate(inode, length); !possible.ok()) {
    fuse_reply_err(request, ErrnoOf(possible));
    return;
  }
  const absl::StatusOr<uint64_t> hold = node->HoldDisk(ProcessName(fuse_req_ctx(request)->pid));
  if (!hold.ok()) {
    fuse_reply_err(request, ErrnoOf(hold.status()));
    return;
  }
  Device& device = *node->device();
  const Command command = {.op = Op::kDiscard,
                           .offset = length,
                           .length = device.size_bytes() - length,
                           .truncates = true};
  auto truncation = std::make_unique<Truncation>(Truncation{request, inode, change, node, *hold});
  Submit(request, device, command, {.complete = ReplyTruncation, .tag = truncation.release()});
}

void OpenDisk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  const std::shared_ptr<DeviceNode> node = TreeOf(request).DiskOwner(inode);
  if (node == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  const auto open = [request, node, opener = ProcessName(fuse_req_ctx(request)->pid),
                     file = *file](IfOpen if_open) {
    fuse_file_info answer = file;
    return AnswerOpen(request, node, opener, &answer, if_open);
  };
  AttemptOrPark(request, DeviceIdOf(inode), kOpenGrace, open);
}

void NoteClosingDisk(fuse_req_t request, fuse_ino_t inode, const fuse_file_info* file) {
  if (DeviceNode* node = TreeOf(request).OpenDiskOwner(inode)) node->NoteClosing(file->fh);
}

void ReleaseDisk(fuse_req_t request, fuse_ino_t inode, const fuse_file_info* file) {
  if (DeviceNode* node = TreeOf(request).OpenDiskOwner(inode)) {
    Session& session = SessionOf(request);
    const int backing_id = node->CloseDisk(file->fh);
    if (backing_id != 0) KillPoint("backing-unclosed");
    CloseBacking(session.fuse_fd(), backing_id);
    if (backing_id != 0) KillPoint("backing-closed");
    session.parking().NoteClose(DeviceIdOf(inode));
  }
}

void ReadDisk(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset, int flags) {
  Submit(request, inode,
         {.op = Op::kRead,
          .offset = static_cast<uint64_t>(offset),
          .length = length,
          .direct = (flags & O_DIRECT) != 0},
         ReplyRead);
}

// O_DSYNC stands for the open's flag and for RWF_DSYNC (fuse_write_flags() in fs/fuse/file.c).
void WriteDisk(fuse_req_t request, fuse_ino_t inode, const char* data, size_t length, off_t offset,
               int flags) {
  Submit(request, inode,
         {.op = Op::kWrite,
          .offset = static_cast<uint64_t>(offset),
          .length = length,
          .data = data,
          .direct = (flags & O_DIRECT) != 0,
          .fua = (flags & O_DSYNC) != 0},
         ReplyWrite);
}

void FlushDisk(fuse_req_t request, fuse_ino_t inode) {
  Submit(request, inode, {.op = Op::kFlush}, ReplyError);
}

void AddDiskOperations(fuse_lowlevel_ops& operations) {
  operations.fallocate = Guarded<Allocate>::Call;
  operations.lseek = Guarded<Seek>::Call;
}

}  // namespace rnullfs
