#include "tree/entry.h"

#include <fcntl.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

struct stat MakeStat(Inode inode, mode_t type, const Ownership& ownership, uint64_t size) {
  struct stat st = {};
  st.st_ino = inode;
  st.st_mode = type | ownership.mode;
  st.st_nlink = 1;
  st.st_uid = ownership.uid;
  st.st_gid = ownership.gid;
  st.st_size = static_cast<off_t>(size);
  st.st_blocks = static_cast<blkcnt_t>((size + 511) / 512);  // none: tar --sparse reads no byte
  st.st_blksize = PageStore::kPageSize;
  st.st_atim = ownership.accessed;
  st.st_mtim = ownership.modified;
  st.st_ctim = ownership.changed;
  return st;
}

absl::Status ReadOnly() { return Error(EACCES, "the file is read-only"); }

}  // namespace

absl::Status NoSuchFile() { return Error(ENOENT, "no such file"); }
absl::Status NameTooLong() { return Error(ENAMETOOLONG, "a name has at most 255 bytes"); }

absl::Status CheckName(std::string_view name) {
  if (name.size() > kNameMax) return NameTooLong();
  if (!name.empty() && !HasControls(name)) return absl::OkStatus();
  return Error(EINVAL, absl::StrCat("mkdir: ", Visible(name),
                                    " is not accepted; a device's name has no control characters, "
                                    "line separators or marks of writing direction"));
}

absl::StatusOr<uint64_t> FileHandle::Write(uint64_t /*offset*/, std::string_view /*data*/,
                                           const Writer& /*writer*/) {
  return ReadOnly();
}

absl::Status FileHandle::Truncate(uint64_t /*length*/) { return ReadOnly(); }

absl::Status Entry::ChangeOwnership(const OwnershipChange& /*change*/) { return NoSuchFile(); }
absl::Status Entry::List(uint64_t /*offset*/, Show /*show*/) { return NoSuchFile(); }
absl::StatusOr<std::unique_ptr<FileHandle>> Entry::Open(int /*flags*/, uint64_t /*handle*/,
                                                        std::string_view /*opener*/) {
  return NoSuchFile();
}
absl::Status Entry::Truncate(uint64_t /*length*/) { return NoSuchFile(); }

absl::Status FileHandle::Zero(uint64_t /*offset*/, uint64_t /*length*/) {
  return Error(EOPNOTSUPP, "the file has no holes");
}

absl::StatusOr<std::string> Entry::ReadLink() const {
  return Error(EINVAL, "this is no symbolic link");
}

absl::StatusOr<std::shared_ptr<Entry>> Entry::Make(std::string_view /*name*/,
                                                   const Creation& /*creation*/) {
  return Error(EPERM,
               "mkdir: devices are made in the root, snapshots in snapshots/, rules in faults/");
}

absl::Status Entry::Remove(std::string_view name, uint64_t /*request*/, IfOpen /*if_open*/) {
  if (Lookup(name) == nullptr) return NoSuchFile();
  return Error(EPERM, "rmdir: a device's directories stay");
}

absl::Status Entry::Rename(std::string_view name, Entry& /*to*/, std::string_view /*new_name*/,
                           unsigned /*flags*/, uint64_t /*request*/) {
  return Error(EPERM, absl::StrCat(Visible(name), ": nothing can be renamed here"));
}

absl::StatusOr<struct stat> Directory::Stat() const {
  struct stat st = MakeStat(inode(), S_IFDIR, ownership(), 0);
  st.st_nlink = 2 + directories();  // find(1) counts on it
  return st;
}

absl::Status Directory::List(uint64_t offset, Show show) {
  constexpr uint64_t kDots = 2;
  if (offset < 1 && !show(".", inode(), S_IFDIR, 1)) return absl::OkStatus();
  if (offset < 2 && !show("..", parent(), S_IFDIR, 2)) return absl::OkStatus();
  const auto show_behind = [&](std::string_view name, Inode entry, mode_t type, uint64_t next) {
    return show(name, entry, type, kDots + next);
  };
  ListBehind(offset < kDots ? 0 : offset - kDots, show_behind);
  return absl::OkStatus();
}

absl::Status Directory::Truncate(uint64_t /*length*/) {
  return Error(EISDIR, "a directory has no length");
}

absl::StatusOr<struct stat> Link::Stat() const {
  return MakeStat(inode(), S_IFLNK, ownership(), target().size());
}

absl::StatusOr<struct stat> File::Stat() const {
  return MakeStat(inode(), S_IFREG, ownership(), size());
}

absl::StatusOr<std::unique_ptr<FileHandle>> File::Open(int flags, uint64_t handle,
                                                       std::string_view opener) {
  if ((flags & O_ACCMODE) == O_RDONLY || writable()) return MakeHandle(flags, handle, opener);
  return Error(EACCES, absl::StrCat(std::string(name()), ": the file is read-only"));
}

absl::Status File::Truncate(uint64_t /*length*/) {
  return writable() ? absl::OkStatus() : ReadOnly();
}

}  // namespace rnullfs
