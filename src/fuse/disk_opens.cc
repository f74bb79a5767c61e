// Who has `disk` open, and changes of its length, which hold it as an open does.

#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <string>

#include "base/kill_point.h"
#include "base/process.h"
#include "fuse/backing_ids.h"
#include "fuse/operations.h"
#include "fuse/receive_loop.h"
#include "fuse/ring.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// How long an open waits for one that is being closed to be gone: it would have to go its way.
constexpr std::chrono::milliseconds kOpenGrace(20);

// The kernel's number for a file that it is to serve by itself; 0, and errno, when it will not.
int OpenBacking([[maybe_unused]] fuse_req_t request, [[maybe_unused]] int memfd) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  return fuse_passthrough_open(request, memfd);
#else
  errno = EOPNOTSUPP;
  return 0;
#endif
}

// False, with IfOpen::kAgain, when it has to wait.
bool AnswerOpen(fuse_req_t request, const std::shared_ptr<DeviceNode>& node,
                const std::string& opener, fuse_file_info file, IfOpen if_open) {
  const absl::StatusOr<DiskHandle> handle = node->OpenDisk(
      opener, file.flags, [request](int memfd) { return OpenBacking(request, memfd); },
      ReceiveLoop::CurrentRequest(), if_open);
  if (ErrnoOf(handle.status()) == EAGAIN) return false;
  if (!handle.ok()) {
    fuse_reply_err(request, ErrnoOf(handle.status()));
    return true;
  }
  file.fh = handle->number;
  Session& session = SessionOf(request);
  if (handle->backing_id != 0) session.huge_pages().Watch(node);
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  file.backing_id = handle->backing_id;
#endif
  // The store is memory already: a second cache in front of it would only hide requests and double
  // the bytes.  (With passthrough it would send the requests here after all.)
  file.direct_io = handle->backing_id == 0 ? 1 : 0;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 15)
  file.parallel_direct_writes = file.direct_io;
#endif
  // Nobody has it who would close it; the request is gone, whatever came of its answer.
  if (fuse_reply_open(request, &file) != 0) {
    CloseBacking(session.fuse_fd(), node->CloseDisk(handle->number));
  }
  return true;
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
  const std::shared_ptr<Entry> disk = EntryOf(truncation.request, truncation.inode);
  const absl::Status changed = disk->ChangeOwnership(truncation.change);
  if (!changed.ok()) return ErrnoOf(changed);
  const absl::StatusOr<struct stat> st = disk->Stat();
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

}  // namespace

void OpenDisk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  const std::shared_ptr<DeviceNode> node = TreeOf(request).DiskOwner(inode);
  if (node == nullptr) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  auto open = [request, node, opener = ProcessName(fuse_req_ctx(request)->pid), file = *file](
                  IfOpen if_open) { return AnswerOpen(request, node, opener, file, if_open); };
  // The close that it would wait for may come by the same ring.
  if (CameThroughRing(request)) {
    open(IfOpen::kRefuse);
    return;
  }
  AttemptOrPark(request, DeviceIdOf(inode), kOpenGrace, open, [&] { return open; });
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

void TruncateDisk(fuse_req_t request, fuse_ino_t inode, uint64_t length,
                  const OwnershipChange& change) {
  const std::shared_ptr<DeviceNode> node = TreeOf(request).DiskOwner(inode);
  if (const absl::Status possible = EntryOf(request, inode)->Truncate(length); !possible.ok()) {
    fuse_reply_err(request, ErrnoOf(possible));
    return;
  }
  // First: who holds the disk has to let go of it, whatever happens.
  auto truncation = std::make_unique<Truncation>(Truncation{request, inode, change, node, 0});
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
  truncation->hold = *hold;
  Submit(request, device, command, {.complete = ReplyTruncation, .tag = truncation.release()});
}

}  // namespace rnullfs
