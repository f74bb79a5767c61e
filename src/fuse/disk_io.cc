// The data path: what programs and the loop driver ask of `disk`, on its way to the device.
//
// No lock is taken and nothing is looked up but the device's id: whoever holds the disk open keeps
// the device in place.  A request's FUSE handle travels as the tag of its completion.

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <cerrno>

#include "base/process.h"
#include "fuse/guarded.h"
#include "fuse/operations.h"
#include "fuse/receive_loop.h"
#include "fuse/ring.h"

namespace rnullfs {
namespace {

// Null for a disk whose power was cut, of which this process has no more; and for one that nobody
// has open, which the kernel never asks about.
Device* DeviceOf(fuse_req_t request, fuse_ino_t inode) {
  const DeviceNode* node = TreeOf(request).OpenDiskOwner(inode);
  return node == nullptr ? nullptr : node->device();
}

// What a program that opens `disk` is refused and the loop driver is not: its sectors are of 512
// bytes, whatever the blocks of what it is attached to, and what the block layer wants zeroed it
// asks as a hole.  The difference is who asks, a thread of the kernel; it is looked for only where
// it matters.
Command AsLoopSays(fuse_req_t request, const Device& device, Command command) {
  command.again = ReceiveLoop::IsSentAgain();
  const bool parts = command.direct && !device.IsWhole(command);
  const bool discards = command.op == Op::kDiscard && !command.truncates && !device.discards();
  if (!(parts || discards) || !IsKernelThread(fuse_req_ctx(request)->pid)) return command;
  command.sectors = parts;
  if (discards) command.op = Op::kWriteZeroes;
  return command;
}

void Submit(fuse_req_t request, fuse_ino_t inode, const Command& command,
            void (*complete)(void*, const Answer&)) {
  Device* device = DeviceOf(request, inode);
  if (device == nullptr) {
    fuse_reply_err(request, EIO);
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

// Of what is no device's disk nothing is ever allocated.
void AllocateInFile(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                    const fuse_file_info* file) {
  const std::shared_ptr<FileHandle> open = HandleOf(request, inode, file);
  const bool zeroes = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
  if (open == nullptr || !zeroes) {
    fuse_reply_err(request, EOPNOTSUPP);
    return;
  }
  Reply(request, open->Zero(static_cast<uint64_t>(offset), static_cast<uint64_t>(length)));
}

void Allocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
              fuse_file_info* file) {
  if (!IsDisk(inode)) return AllocateInFile(request, inode, mode, offset, length, file);
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

// In a device or a view: where it is, or a negative errno.
template <typename Contents>
off_t FindIn(const Contents& contents, off_t offset, int whence) {
  const uint64_t size = contents.size_bytes();
  const auto from = static_cast<uint64_t>(offset);
  if (from >= size) return -ENXIO;
  const uint64_t found = whence == SEEK_DATA ? contents.NextData(from) : contents.NextHole(from);
  return whence == SEEK_DATA && found >= size ? -ENXIO : static_cast<off_t>(found);
}

// What is there no more has no holes, which only a read says.
off_t FindIn(View& view, off_t offset, int whence) {
  const off_t found = FindIn<View>(view, offset, whence);
  const int error = view.CopyOut(0, 0, nullptr);
  return error != 0 ? -error : found;
}

off_t Find(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence,
           const fuse_file_info* file) {
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return -EINVAL;
  if (IsDisk(inode)) {
    const Device* const device = DeviceOf(request, inode);
    return device == nullptr || !device->has_power() ? -EIO : FindIn(*device, offset, whence);
  }
  const std::shared_ptr<FileHandle> open = HandleOf(request, inode, file);
  View* const view = open == nullptr ? nullptr : open->view();
  return view == nullptr ? -EINVAL : FindIn(*view, offset, whence);
}

void Seek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence, fuse_file_info* file) {
  const off_t found = Find(request, inode, offset, whence, file);
  if (found < 0) {
    fuse_reply_err(request, static_cast<int>(-found));
  } else {
    fuse_reply_lseek(request, found);
  }
}

}  // namespace

void Submit(fuse_req_t request, Device& device, const Command& command, const Completion& done) {
  if (CameThroughRing(request)) return SubmitOnRing(device, command, done);
  device.Submit(command, done);
}

void ReadDisk(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset, int flags) {
  Submit(request, inode,
         {.op = Op::kRead,
          .offset = static_cast<uint64_t>(offset),
          .length = length,
          .direct = (flags & O_DIRECT) != 0},
         ReplyRead);
}

void ReadView(fuse_req_t request, View& view, size_t length, off_t offset) {
  const auto from = static_cast<uint64_t>(offset);
  const uint64_t size = view.size_bytes();
  length = std::min<uint64_t>(length, size - std::min(from, size));
  const int error = view.Read(from, length, [request, length](absl::Span<const iovec> data) {
    ReplyRead(request, {.error = 0, .bytes = length, .data = data});
  });
  if (error != 0) fuse_reply_err(request, error);
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
