// What there is of something that the history has forgotten, for who still has its number.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_FORGOTTEN_H_
#define RNULLFS_TREE_FORGOTTEN_H_

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "rnullfs/error.h"
#include "tree/entry.h"

namespace rnullfs {

inline absl::Status Forgotten() { return Error(ESTALE, "the history has forgotten the moment"); }
class ForgottenHandle final : public FileHandle {
 public:
  absl::StatusOr<std::string> Read(uint64_t /*offset*/, uint64_t /*length*/) override {
    return Forgotten();
  }
};

class ForgottenEntry final : public Entry {
 public:
  explicit ForgottenEntry(Inode inode) : inode_(inode) {}
  Inode inode() const override { return inode_; }
  absl::StatusOr<struct stat> Stat() const override { return Forgotten(); }
  absl::Status List(uint64_t /*offset*/, Show /*show*/) override { return Forgotten(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> Open(int /*flags*/, uint64_t /*handle*/,
                                                   std::string_view /*opener*/) override {
    return std::make_unique<ForgottenHandle>();
  }

 private:
  const Inode inode_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_FORGOTTEN_H_
