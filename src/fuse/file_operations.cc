// Requests for files: `disk` has its own way (disk_io.cc), all others are handles.

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "base/process.h"
#include "fuse/guarded.h"
#include "fuse/operations.h"
#include "fuse/receive_loop.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

void Open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (IsDisk(inode)) return OpenDisk(request, inode, file);
  TextHandles& handles = SessionOf(request).text_handles();
  const absl::StatusOr<uint64_t> handle =
      handles.Open(*EntryOf(request, inode), file->flags, ProcessName(fuse_req_ctx(request)->pid));
  if (!handle.ok()) return Refuse(request, inode, handle.status());
  file->fh = *handle;
  // Contents that do not change may lie in the page cache, and be mapped.
  const std::shared_ptr<FileHandle> open = handles.Find(TreeOf(request), inode, *handle);
  file->direct_io = open->lasts() ? 0 : 1;
  file->keep_cache = open->lasted() ? 1 : 0;
  // A reply that fails means that the opener is gone, and no release will come.
  if (fuse_reply_open(request, file) != 0) handles.Remove(*handle);
}

void Release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (IsDisk(inode)) {
    ReleaseDisk(request, inode, file);
  } else {
    SessionOf(request).text_handles().Remove(file->fh);
    SessionOf(request).parking().NoteClose(DeviceIdOf(inode));  // of a view, it may be
  }
  fuse_reply_err(request, 0);
}

// Whether the kernel fills its cache.  Who reads past that says who he is (fuse_send_read() in
// fs/fuse/file.c).
bool FillsCache(const FileHandle& open, const fuse_file_info& file) {
  return open.lasts() && file.lock_owner == 0;
}

void Read(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset, fuse_file_info* file) {
  if (IsDisk(inode)) return ReadDisk(request, inode, length, offset, file->flags);
  const std::shared_ptr<FileHandle> open = HandleOf(request, inode, file);
  if (open == nullptr) return Reply(request, Error(ENOENT, "the device has been removed"));
  if (View* const view = open->view()) {
    // What it has not got of what it asked for ahead the kernel asks for again, page by page, when
    // somebody needs it.
    if (FillsCache(*open, *file) && !open->MayReadAhead(static_cast<uint64_t>(offset), length)) {
      fuse_reply_err(request, EAGAIN);
      return;
    }
    return ReadView(request, *view, length, offset);
  }
  const absl::StatusOr<std::string> text = open->Read(static_cast<uint64_t>(offset), length);
  if (!text.ok()) return Reply(request, text.status());
  fuse_reply_buf(request, text->data(), text->size());
}

void Write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t length, off_t offset,
           fuse_file_info* file) {
  if (IsDisk(inode)) return WriteDisk(request, inode, data, length, offset, file->flags);
  const std::shared_ptr<FileHandle> open = HandleOf(request, inode, file);
  if (open == nullptr) return Reply(request, Error(ENOENT, "the device has been removed"));
  const auto write = [request, open, offset](std::string_view text, IfOpen if_open) {
    const fuse_ctx* const who = fuse_req_ctx(request);
    const absl::StatusOr<uint64_t> taken = open->Write(
        static_cast<uint64_t>(offset), text,
        {.request = ReceiveLoop::CurrentRequest(),
         .if_open = if_open,
         .who = {.pid = who->pid == 0 ? -1 : who->pid,  // the kernel has no number for us
                 .uid = who->uid,
                 .gid = who->gid}});
    if (ErrnoOf(taken.status()) == EAGAIN) return false;
    taken.ok() ? fuse_reply_write(request, *taken)
               : fuse_reply_err(request, ErrnoOf(taken.status()));
    return true;
  };
  const std::string_view text(data, length);
  AttemptOrPark(
      request, DeviceIdOf(inode), kCloseGrace, [&](IfOpen if_open) { return write(text, if_open); },
      [&] {  // the request's own bytes do not outlive this call
        return [write, kept = std::string(text)](IfOpen if_open) { return write(kept, if_open); };
      });
}

void Flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (IsDisk(inode)) NoteClosingDisk(request, inode, file);
  const std::shared_ptr<FileHandle> open = IsDisk(inode) ? nullptr : HandleOf(request, inode, file);
  Reply(request, open == nullptr ? absl::OkStatus() : open->Flush());
}

// Never ENOSYS: the kernel would stop sending fsync for the whole mount, the disks' included.
void Fsync(fuse_req_t request, fuse_ino_t inode, int /*datasync*/, fuse_file_info* /*file*/) {
  if (IsDisk(inode)) return FlushDisk(request, inode);
  fuse_reply_err(request, 0);
}

}  // namespace

void AddFileOperations(fuse_lowlevel_ops& operations) {
  operations.open = Guarded<Open>::Call;
  operations.release = Guarded<Release>::Call;
  operations.read = Guarded<Read>::Call;
  operations.write = Guarded<Write>::Call;
  operations.flush = Guarded<Flush>::Call;
  operations.fsync = Guarded<Fsync>::Call;
}

}  // namespace rnullfs
