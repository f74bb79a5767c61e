// A `disk` that can only be read: some view of a device, with the owner and the mode of its disk.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_VIEW_FILE_H_
#define RNULLFS_TREE_VIEW_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "rnullfs/view.h"
#include "tree/entry.h"

namespace rnullfs {

// An open one.  A front end may read from view() itself, and so without a copy.
class ViewHandle final : public FileHandle {
 public:
  explicit ViewHandle(std::shared_ptr<View> view, bool lasts)
      : view_(std::move(view)), lasts_(lasts) {}
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t length) override;
  View* view() const override { return view_.get(); }
  bool lasts() const override { return lasts_; }

 private:
  const std::shared_ptr<View> view_;
  const bool lasts_;
};

class ViewFile : public DeviceEntry<File> {
 public:
  ViewFile(std::shared_ptr<DeviceNode> node, Place place)
      : DeviceEntry(std::move(node), place, 0444) {}
  absl::StatusOr<struct stat> Stat() const override;
  absl::Status ChangeOwnership(const OwnershipChange& change) override;

 protected:
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle,
                                                         std::string_view opener) override;

 private:
  std::string_view name() const override { return "disk"; }
  Ownership ownership() const override;
  // `who` opens it.
  virtual absl::StatusOr<std::shared_ptr<View>> OpenView(const std::string& who) = 0;
  virtual bool lasts() const { return true; }
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_VIEW_FILE_H_
