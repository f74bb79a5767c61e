#include "tree/entry.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

struct stat MakeStat(const Entry& entry, mode_t type, uint64_t links, uint64_t size) {
  const Ownership ownership = entry.ownership();
  struct stat st = {};
  st.st_ino = entry.inode();
  st.st_mode = type | ownership.mode;
  st.st_nlink = links;
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

// find(1) counts on the number of links.
struct stat Directory::Stat() const {
  return MakeStat(*this, S_IFDIR, 2 + directories(), 0);
}

absl::StatusOr<std::shared_ptr<Entry>> Directory::Make(std::string_view /*name*/,
                                                       const Creation& /*creation*/) {
  return Error(EPERM, "mkdir: devices are made in the root only");
}

absl::Status Directory::Remove(std::string_view name, uint64_t /*request*/, IfOpen /*if_open*/) {
  if (Lookup(name) == nullptr) return NoSuchFile();
  return Error(EPERM, "rmdir: a device's directories stay");
}

absl::Status Directory::Rename(std::string_view name, Directory& /*to*/,
                               std::string_view /*new_name*/, unsigned /*flags*/) {
  return Error(EPERM, absl::StrCat(Visible(name), ": nothing can be renamed here"));
}

absl::StatusOr<uint64_t> FileHandle::Write(uint64_t /*offset*/, std::string_view /*data*/,
                                           uint64_t /*request*/, IfOpen /*if_open*/) {
  return ReadOnly();
}

absl::Status FileHandle::Truncate(uint64_t /*length*/) { return ReadOnly(); }

struct stat File::Stat() const {
  return MakeStat(*this, S_IFREG, 1, size());
}

absl::Status File::Truncate(uint64_t /*length*/) const {
  return writable() ? absl::OkStatus() : ReadOnly();
}

}  // namespace rnullfs
