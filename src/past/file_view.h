// A raw image of the machine as a view: a regular file or a block device, read as needed and never
// written.
//
// Thread safety: all calls from any thread.
// Errors: EIO when the file is not what it was when it was opened (its size or the time of its last
// change): what has been shared with it would be neither.
#ifndef RNULLFS_PAST_FILE_VIEW_H_
#define RNULLFS_PAST_FILE_VIEW_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file_identity.h"
#include "rnullfs/unique_fd.h"
#include "rnullfs/view.h"

namespace rnullfs {

class FileView final : public View {
 public:
  // `name` is for sentences.  EINVAL when it is neither a file nor a block device, or an image that
  // is not raw.
  static absl::StatusOr<std::unique_ptr<FileView>> Open(std::string_view name, UniqueFd file);
  // As another process had opened it.
  FileView(UniqueFd file, const FileIdentity& identity)
      : file_(std::move(file)), identity_(identity) {}

  int Read(uint64_t offset, uint64_t length, Sink sink) override;
  uint64_t NextData(uint64_t offset) const override { return Seek(offset, /*data=*/true); }
  uint64_t NextHole(uint64_t offset) const override { return Seek(offset, /*data=*/false); }
  uint64_t size_bytes() const override { return identity_.size_bytes; }

  bool changed() const { return !IsAsItWas(file_.get(), identity_); }
  const FileIdentity& identity() const { return identity_; }
  int fd() const { return file_.get(); }

 private:
  uint64_t Seek(uint64_t offset, bool data) const;

  const UniqueFd file_;
  const FileIdentity identity_;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_FILE_VIEW_H_
