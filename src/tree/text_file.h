// An open file of text, which all files of the tree are but `disk`.
//
// What the file shows is made when reading begins and stays the same until it has been read to its
// end, or begins again at the start, so that one reader never sees half of two states.  (configfs
// makes it anew after a write only; a monitor that rewinds wants to see what is.)  Writing an
// attribute takes one write(2) as one value, whatever its offset, of at most 4095 bytes, as
// configfs does (fs/configfs/file.c).
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_TREE_TEXT_FILE_H_
#define RNULLFS_TREE_TEXT_FILE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/attributes.h"
#include "rnullfs/mutex.h"
#include "tree/device_node.h"
#include "tree/entry.h"

namespace rnullfs {

class TextFile : public FileHandle {
 public:
  // A file that is only read; `show` makes its text.
  explicit TextFile(std::function<std::string()> show) : show_(std::move(show)) {}
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t length) override;

 private:
  const std::function<std::string()> show_;
  Mutex mutex_;
  // Dropped when it has been read to the end: who leaves a file open costs nothing.
  std::string shown_ ABSL_GUARDED_BY(mutex_);
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = UINT64_MAX;  // its length; UINT64_MAX before any
};

class AttributeFile final : public TextFile {
 public:
  AttributeFile(std::shared_ptr<DeviceNode> node, const Attribute& attribute);
  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data, uint64_t request = 0,
                                 IfOpen if_open = IfOpen::kWait) override;
  absl::Status Truncate(uint64_t length) override;

 private:
  const std::shared_ptr<DeviceNode> node_;
  const Attribute& attribute_;
};

class ConfigFile final : public TextFile {
 public:
  // `handle`: the number of this open, the same for a process that takes it over.
  ConfigFile(std::shared_ptr<DeviceNode> node, bool append, uint64_t handle);
  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data, uint64_t request = 0,
                                 IfOpen if_open = IfOpen::kWait) override;
  absl::Status Truncate(uint64_t length) override;

  // EINVAL when the text is not an object yet.  It is kept all the same, for the write that
  // completes it.
  absl::Status Flush() override;

 private:
  const std::shared_ptr<DeviceNode> node_;
  const bool append_;
  const uint64_t handle_;
  std::atomic<uint64_t> end_{0};  // where the last piece that was taken ended
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TEXT_FILE_H_
