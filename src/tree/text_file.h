// An open file of text that is only read; those that are written as well are device_directory.cc's.
//
// What the file shows is made when reading begins and stays the same until it has been read to its
// end, or begins again at the start, so that one reader never sees half of two states.  (configfs
// makes it anew after a write only; a monitor that rewinds wants to see what is.)
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_TREE_TEXT_FILE_H_
#define RNULLFS_TREE_TEXT_FILE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "rnullfs/mutex.h"
#include "tree/entry.h"

namespace rnullfs {

class TextFile : public FileHandle {
 public:
  // `show` makes its text.
  explicit TextFile(std::function<std::string()> show) : show_(std::move(show)) {}
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t length) override;

 private:
  const std::function<std::string()> show_;
  Mutex mutex_;
  // Dropped when it has been read to the end: who leaves a file open costs nothing.
  std::string shown_ ABSL_GUARDED_BY(mutex_);
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = UINT64_MAX;  // its length; UINT64_MAX before any
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TEXT_FILE_H_
