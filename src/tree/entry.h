// What a name in the tree, or an inode number, stands for: a directory or a file.
//
// An entry is made when a request asks for it and gone with the request: it holds what it speaks
// of (a device, say) and remembers nothing itself.  So its number is enough to find it, also for a
// process that has just taken the mount over, and nothing has to be kept in step.  A front end
// (src/fuse) knows these classes and nothing of those that are behind them.
//
// Thread safety: all calls from any thread.
// Errors: where nothing else is said an entry refuses, with the errno and the sentence here.
#ifndef RNULLFS_TREE_ENTRY_H_
#define RNULLFS_TREE_ENTRY_H_

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ownership.h"
#include "tree/device_node.h"
#include "tree/inode.h"

namespace rnullfs {

inline constexpr size_t kNameMax = 255;  // bytes

absl::Status NoSuchFile();   // ENOENT
absl::Status NameTooLong();  // ENAMETOOLONG
// What a name in a listing, a message or a shell's loop cannot be without harm: EINVAL, or
// ENAMETOOLONG.
absl::Status CheckName(std::string_view name);

class Entry {
 public:
  Entry() = default;
  virtual ~Entry() = default;
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  virtual Inode inode() const = 0;
  virtual mode_t mode() const = 0;  // permission bits when new
  virtual Ownership ownership() const = 0;
  virtual void ChangeOwnership(const OwnershipChange& change) = 0;
  virtual struct stat Stat() const = 0;

  // Whether the name stays until a request of the kernel's ends it, so that it need not ask again.
  virtual bool lasting() const { return true; }
};

// Who makes something, and how.  `request`: the number of the request, 0 for none; one that is
// heard again, because who did it died before the answer, is answered as then.
struct Creation {
  mode_t mode = 0755;
  uid_t uid = 0;
  gid_t gid = 0;
  uint64_t request = 0;
};

class Directory : public Entry {
 public:
  struct stat Stat() const override;
  virtual Inode parent() const = 0;
  // How many directories it counts in its st_nlink.
  virtual uint64_t directories() const { return 0; }

  // Null where there is none.  A name that is found need not be listed.
  virtual std::shared_ptr<Entry> Lookup(std::string_view name) = 0;

  // Shows the entries behind `cursor` (0: all), each with the cursor that goes on behind it, until
  // `show` returns false.  A cursor means the same while other entries come and go.
  using Show =
      absl::FunctionRef<bool(std::string_view name, Inode inode, mode_t type, uint64_t next)>;
  virtual void List(uint64_t cursor, Show show) = 0;

  // mkdir; returns what has been made.
  virtual absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                                      const Creation& creation);
  // rmdir; `name` is no file's.
  virtual absl::Status Remove(std::string_view name, uint64_t request, IfOpen if_open);
  // rename(2), with renameat2(2)'s flags.
  virtual absl::Status Rename(std::string_view name, Directory& to, std::string_view new_name,
                              unsigned flags);
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

  // How many bytes were taken.  EACCES where there is nothing to write.  `request` is the FUSE
  // request's number, by which one that is heard again is recognized; 0 for none.  EAGAIN as IfOpen
  // has it: it is to be written again.
  virtual absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                         uint64_t request = 0, IfOpen if_open = IfOpen::kWait);

  // ftruncate().
  virtual absl::Status Truncate(uint64_t length);

  // close(), also of a duplicate: the last word on what has been written.
  virtual absl::Status Flush() { return absl::OkStatus(); }
};

class File : public Entry {
 public:
  struct stat Stat() const override;
  virtual std::string_view name() const = 0;
  // What sysfs and configfs show for every attribute.
  virtual uint64_t size() const { return 4096; }
  bool writable() const { return (mode() & 0222) != 0; }

  // With open(2)'s flags, which ask for nothing that writable() denies.  `handle`: the number by
  // which the open is known, also to a process that takes over and makes it again; 0 for none.
  virtual absl::StatusOr<std::unique_ptr<FileHandle>> Open(int flags, uint64_t handle) = 0;

  // Whether truncate(2) is possible, for which nobody has to hold the file open.  A text has no
  // length to change, and nothing more is to be done.
  virtual absl::Status Truncate(uint64_t length) const;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_ENTRY_H_
