// Open files of text, by the number that the kernel holds for each.
//
// A number outlives the process that gave it: it says how the file was opened, so that one which
// takes over makes an open file again when it is asked for it.  Numbers of different processes
// differ in their upper bits; the lowest bit is O_APPEND.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_FUSE_TEXT_HANDLES_H_
#define RNULLFS_FUSE_TEXT_HANDLES_H_

#include <fcntl.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "rnullfs/mutex.h"
#include "tree/tree.h"

namespace rnullfs {

class TextHandles {
 public:
  // `process`: how many have served the mount before.
  explicit TextHandles(uint64_t process) : next_(process << 32 | 1) {}  // no number is 0

  // Opens the file; its number.
  absl::StatusOr<uint64_t> Open(Entry& entry, int flags, std::string_view opener) {
    const LockGuard lock(mutex_);
    const uint64_t handle = next_++ << 1 | ((flags & O_APPEND) != 0 ? 1 : 0);
    absl::StatusOr<std::unique_ptr<FileHandle>> file = entry.Open(flags, handle, opener);
    if (!file.ok()) return file.status();
    files_[handle] = *std::move(file);
    return handle;
  }

  // The open file; made again if another process had it open.  Null when that cannot be.
  std::shared_ptr<FileHandle> Find(Tree& tree, Inode inode, uint64_t handle) {
    const LockGuard lock(mutex_);
    const auto it = files_.find(handle);
    if (it != files_.end()) return it->second;
    absl::StatusOr<std::unique_ptr<FileHandle>> file =
        tree.Find(inode)->Open((handle & 1) != 0 ? O_RDONLY | O_APPEND : O_RDONLY, handle);
    if (!file.ok()) return nullptr;
    return files_.emplace(handle, *std::move(file)).first->second;
  }

  void Remove(uint64_t handle) {
    const LockGuard lock(mutex_);
    files_.erase(handle);
  }

 private:
  Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_);
  // Not abseil's map: without memory to grow one is left in pieces.
  std::unordered_map<uint64_t, std::shared_ptr<FileHandle>> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_TEXT_HANDLES_H_
