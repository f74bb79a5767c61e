// What a name in the tree, or an inode number, stands for: a directory or a file.
//
// An entry is made when a request asks for it and gone with the request: it holds what it speaks
// of (a device, say) and remembers nothing itself.  So its number is enough to find it, also for a
// process that has just taken the mount over, and nothing has to be kept in step.  A front end
// (src/fuse) knows these classes and nothing of those that are behind them.
//
// Thread safety: all calls from any thread.
// Errors: where nothing else is said an entry refuses, with the errno and the sentence here, which
// are configfs' own: EPERM for what does not belong in the tree, ENOENT for what is not there.
#ifndef RNULLFS_TREE_ENTRY_H_
#define RNULLFS_TREE_ENTRY_H_

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ownership.h"
#include "rnullfs/view.h"
#include "tree/device_node.h"
#include "tree/inode.h"

namespace rnullfs {

inline constexpr size_t kNameMax = 255;  // bytes

absl::Status NoSuchFile();   // ENOENT
absl::Status NameTooLong();  // ENAMETOOLONG
// What a name in a listing, a message or a shell's loop cannot be without harm: EINVAL, or
// ENAMETOOLONG.
absl::Status CheckName(std::string_view name);

// Who makes something, and how.  `request`: the number of the request, 0 for none; one that is
// heard again, because who did it died before the answer, is answered as then.
struct Creation {
  mode_t mode = 0755;
  uid_t uid = 0;
  gid_t gid = 0;
  uint64_t request = 0;
  IfOpen if_open = IfOpen::kRefuse;
};

// An open file.
class FileHandle {
 public:
  FileHandle() = default;
  virtual ~FileHandle() = default;
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  // The bytes at `offset`, at most `length`; empty at the end.
  virtual absl::StatusOr<std::string> Read(uint64_t offset, uint64_t length) = 0;

  // How many bytes were taken.  EACCES where there is nothing to write.  EAGAIN as IfOpen has it:
  // it is to be written again.
  virtual absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                         const Writer& writer = {});

  // ftruncate().
  virtual absl::Status Truncate(uint64_t length);

  // fallocate(2) to punch a hole, or to zero: [offset, offset + length) reads as zeros.
  virtual absl::Status Zero(uint64_t offset, uint64_t length);

  // What the file reads as, where that is a disk's contents: a front end may read from it without a
  // copy, and ask it for holes.
  virtual View* view() const { return nullptr; }
  // Whether that stays as it is but for what is written to the file, so that a kernel may keep it;
  // also what it has kept from an open that was before.
  virtual bool lasts() const { return view() != nullptr; }
  virtual bool lasted() const { return false; }
  // Whether a kernel that keeps it may read so much which nobody has asked for yet; who asks gets
  // it.
  virtual bool MayReadAhead(uint64_t /*offset*/, uint64_t /*length*/) { return true; }

  // close(), also of a duplicate: the last word on what has been written.
  virtual absl::Status Flush() { return absl::OkStatus(); }
};

// What can be asked of an entry.  One that is neither directory nor file is not there.
class Entry {
 public:
  Entry() = default;
  virtual ~Entry() = default;
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  virtual Inode inode() const { return 0; }
  // Whether the name stays until a request of the kernel's ends it, so that it need not ask again.
  virtual bool lasting() const { return true; }
  // Tells it from what had its inode number before.
  virtual uint64_t generation() const { return 0; }
  virtual absl::StatusOr<struct stat> Stat() const { return NoSuchFile(); }
  virtual absl::Status ChangeOwnership(const OwnershipChange& change);

  // Null where there is none.  A name that is found need not be listed.
  virtual std::shared_ptr<Entry> Lookup(std::string_view /*name*/) { return nullptr; }
  // Shows the entries behind `offset` (0: all), each with the offset that goes on behind it, until
  // `show` returns false.
  using Show =
      absl::FunctionRef<bool(std::string_view name, Inode inode, mode_t type, uint64_t next)>;
  virtual absl::Status List(uint64_t offset, Show show);
  // mkdir; returns what has been made.  EAGAIN as IfOpen has it.
  virtual absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                                      const Creation& creation);
  // rmdir; `name` is no file's.
  virtual absl::Status Remove(std::string_view name, uint64_t request, IfOpen if_open);
  // rename(2), with renameat2(2)'s flags.
  virtual absl::Status Rename(std::string_view name, Entry& to, std::string_view new_name,
                              unsigned flags, uint64_t request = 0);

  // With open(2)'s flags; EACCES to write where only reading is possible.  `handle`: the number by
  // which the open is known, also to a process that takes over and makes it again; 0 for none.
  // `opener`: who, in words.
  virtual absl::StatusOr<std::unique_ptr<FileHandle>> Open(int flags, uint64_t handle = 0,
                                                           std::string_view opener = {});
  // readlink(2), of a symbolic link.
  virtual absl::StatusOr<std::string> ReadLink() const;
  // Whether truncate(2) is possible, for which nobody has to hold the file open.  A text has no
  // length to change, and nothing more is to be done.
  virtual absl::Status Truncate(uint64_t length);
  // Whether that empties what lies behind the length, and the file is as long as before.
  virtual bool keeps_length() const { return false; }
};

class Directory : public Entry {
 public:
  absl::StatusOr<struct stat> Stat() const final;
  absl::Status List(uint64_t offset, Show show) final;  // "." and ".." have the offsets 1 and 2
  absl::Status Truncate(uint64_t length) final;

 protected:
  virtual Ownership ownership() const = 0;
  virtual Inode parent() const = 0;
  // How many directories it counts in its st_nlink.
  virtual uint64_t directories() const { return 0; }
  // As List(), with offsets of its own, which mean the same while other entries come and go.
  virtual void ListBehind(uint64_t offset, Show show) = 0;
};

class Link : public Entry {
 public:
  absl::StatusOr<struct stat> Stat() const final;
  absl::StatusOr<std::string> ReadLink() const final { return target(); }

 protected:
  virtual Ownership ownership() const = 0;
  virtual std::string target() const = 0;
};

class File : public Entry {
 public:
  absl::StatusOr<struct stat> Stat() const override;
  absl::StatusOr<std::unique_ptr<FileHandle>> Open(int flags, uint64_t handle,
                                                   std::string_view opener) final;
  absl::Status Truncate(uint64_t length) override;

 protected:
  virtual std::string_view name() const = 0;
  virtual Ownership ownership() const = 0;
  virtual bool writable() const { return false; }
  // What sysfs and configfs show for every attribute.
  virtual uint64_t size() const { return 4096; }
  virtual absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle,
                                                                 std::string_view opener) = 0;
};

// A Directory, Link or File of a device, owned as the place in the device is.
template <typename Kind>
class DeviceEntry : public Kind {
 public:
  DeviceEntry(std::shared_ptr<DeviceNode> node, Place place, mode_t mode)
      : node_(std::move(node)), place_(place), mode_(mode) {}

  Inode inode() const override { return MakeInode(node_->id(), place_); }
  absl::Status ChangeOwnership(const OwnershipChange& change) override {
    node_->ChangeOwnership(place_, mode_, change);
    return absl::OkStatus();
  }

 protected:
  Ownership ownership() const override { return node_->OwnershipOf(place_, mode_); }

  const std::shared_ptr<DeviceNode> node_;
  const Place place_;
  const mode_t mode_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_ENTRY_H_
