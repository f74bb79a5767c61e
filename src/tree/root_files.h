// The files of the root: `features`, `status.json`, and `power`, which takes `cut`.  That reads as
// nothing, so that who copies a directory copies nothing.
//
// A disk that an earlier version made may be called as one of them is: it comes first.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_ROOT_FILES_H_
#define RNULLFS_TREE_ROOT_FILES_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/types/span.h"
#include "tree/entry.h"
#include "tree/tree.h"

namespace rnullfs {

struct RootRow {
  std::string_view name;
  Inode inode;  // never changes its meaning; 1 is the root itself
  mode_t mode;
  uint64_t size;  // kOfText: as long as its text is
  static constexpr uint64_t kOfText = UINT64_MAX;
};

absl::Span<const RootRow> RootRows();
// Null for none.
const RootRow* FindRootRow(std::string_view name);
const RootRow* FindRootRow(Inode inode);

class RootFile final : public File {
 public:
  RootFile(Tree& tree, const RootRow& row) : tree_(tree), row_(row) {}
  Inode inode() const override { return row_.inode; }
  absl::Status ChangeOwnership(const OwnershipChange& change) override {
    return tree_.ChangeOwnershipOf(row_.inode, change);
  }

 private:
  std::string_view name() const override { return row_.name; }
  Ownership ownership() const override { return tree_.OwnershipOf(row_.inode); }
  bool writable() const override { return (row_.mode & 0222) != 0; }
  uint64_t size() const override {
    return row_.size == RootRow::kOfText ? tree_.Status().size() : row_.size;
  }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle,
                                                         std::string_view opener) override;

  Tree& tree_;
  const RootRow& row_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_ROOT_FILES_H_
