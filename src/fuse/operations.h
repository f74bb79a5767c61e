// FUSE requests, turned into calls of the tree and of devices: libfuse's table of operations.
//
// The user data of libfuse's session is our Session.  Text files are opened with direct I/O (what
// they show changes without the kernel) and are found by their number in fh; the disk carries the
// handle of its open there, and its requests find the device by inode number alone.
// Errors: what the tree and the devices say, as the errno of the system call.
#ifndef RNULLFS_FUSE_OPERATIONS_H_
#define RNULLFS_FUSE_OPERATIONS_H_

#include <fuse_lowlevel.h>

#include <chrono>
#include <memory>

#include "absl/functional/function_ref.h"
#include "fuse/parking.h"
#include "fuse/session.h"
#include "tree/tree.h"

namespace rnullfs {

// Every operation but init(), which is the session's.
fuse_lowlevel_ops Operations();

// The parts of them, a file each: for names and directories, for open files, for `disk` alone.
void AddNameOperations(fuse_lowlevel_ops& operations);
void AddFileOperations(fuse_lowlevel_ops& operations);
void AddDiskOperations(fuse_lowlevel_ops& operations);

inline Session& SessionOf(fuse_req_t request) {
  return *static_cast<Session*>(fuse_req_userdata(request));
}

inline Tree& TreeOf(fuse_req_t request) { return SessionOf(request).tree(); }

inline std::shared_ptr<Entry> EntryOf(fuse_req_t request, fuse_ino_t inode) {
  return TreeOf(request).Find(inode);
}

// Sizes and times change without the kernel.
inline constexpr double kAttrTimeoutSec = 0;

void Reply(fuse_req_t request, const absl::Status& status);
// Answers, and keeps the sentence of a refusal for last_error of what the inode belongs to.
void Refuse(fuse_req_t request, fuse_ino_t inode, const absl::Status& status);

// Null for a file that is gone.
std::shared_ptr<FileHandle> HandleOf(fuse_req_t request, fuse_ino_t inode,
                                     const fuse_file_info* file);

// Does `attempt`; where it has to wait (Parking), what `keep` makes of it does so when a disk of
// the device has been closed.
void AttemptOrPark(fuse_req_t request, uint64_t device_id, std::chrono::milliseconds patience,
                   absl::FunctionRef<bool(IfOpen)> attempt,
                   absl::FunctionRef<Parking::Attempt()> keep);

// Device::Submit(), whichever way the request has come.
void Submit(fuse_req_t request, Device& device, const Command& command, const Completion& done);

// The disk's side of the operations that text files have too.
void OpenDisk(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file);
void ReleaseDisk(fuse_req_t request, fuse_ino_t inode, const fuse_file_info* file);
void NoteClosingDisk(fuse_req_t request, fuse_ino_t inode, const fuse_file_info* file);
void ReadDisk(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset, int flags);
// The same of a view that is open.
void ReadView(fuse_req_t request, View& view, size_t length, off_t offset);
void WriteDisk(fuse_req_t request, fuse_ino_t inode, const char* data, size_t length, off_t offset,
               int flags);
void FlushDisk(fuse_req_t request, fuse_ino_t inode);
// truncate(2), ftruncate(2) and O_TRUNC, with what else the same request changes.
void TruncateDisk(fuse_req_t request, fuse_ino_t inode, uint64_t length,
                  const OwnershipChange& change);

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_OPERATIONS_H_
