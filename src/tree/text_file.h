// An open file of text: everything in the tree but `disk`.
//
// What the file shows is made when reading begins and stays the same until it begins again at the
// start, so that one reader never sees half of two states.  (configfs makes it anew after a write
// only; a monitor that rewinds wants to see what is.)  Writing an attribute takes one write(2) as
// one value, whatever its offset, of at most 4095 bytes, as configfs does (fs/configfs/file.c).
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_TREE_TEXT_FILE_H_
#define RNULLFS_TREE_TEXT_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/attributes.h"
#include "rnullfs/mutex.h"
#include "tree/config_edit.h"
#include "tree/device_node.h"

namespace rnullfs {

class TextFile {
 public:
  // A file that is only read; `show` makes its text.
  explicit TextFile(std::function<std::string()> show) : show_(std::move(show)) {}
  virtual ~TextFile() = default;
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  // The bytes at `offset`, at most `length`; empty at the end.
  std::string Read(uint64_t offset, uint64_t length);

  // How many bytes were taken.  EACCES where there is nothing to write.
  // EAGAIN as IfOpen has it: it is to be written again.
  virtual absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                         IfOpen if_open = IfOpen::kWait);

  // ftruncate() on this open file.
  virtual absl::Status Truncate(uint64_t length);

  // close(), also of a duplicate: the last word on what has been written.
  virtual absl::Status Flush() { return absl::OkStatus(); }

 protected:
  std::string Show() const { return show_(); }

 private:
  const std::function<std::string()> show_;
  Mutex mutex_;
  std::string shown_ ABSL_GUARDED_BY(mutex_);
};

class AttributeFile final : public TextFile {
 public:
  AttributeFile(std::shared_ptr<DeviceNode> node, const Attribute& attribute);
  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                 IfOpen if_open = IfOpen::kWait) override;
  absl::Status Truncate(uint64_t length) override;

 private:
  const std::shared_ptr<DeviceNode> node_;
  const Attribute& attribute_;
};

class ConfigFile final : public TextFile {
 public:
  ConfigFile(std::shared_ptr<DeviceNode> node, bool append, bool again = false);
  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                 IfOpen if_open = IfOpen::kWait) override;
  absl::Status Truncate(uint64_t length) override;

  // EINVAL when the text is not an object yet.  It is kept all the same, for the write that
  // completes it.
  absl::Status Flush() override;

 private:
  const std::shared_ptr<DeviceNode> node_;
  const bool append_;
  Mutex edit_mutex_;
  ConfigEdit edit_ ABSL_GUARDED_BY(edit_mutex_);
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TEXT_FILE_H_
