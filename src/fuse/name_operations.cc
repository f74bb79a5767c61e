// Requests for names and directories.

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "fuse/guarded.h"
#include "fuse/operations.h"
#include "fuse/receive_loop.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// The kernel learns of every other change because it makes it.
constexpr double kNameTimeoutSec = 3600;

void ReplyEntry(fuse_req_t request, const Entry& found) {
  const absl::StatusOr<struct stat> st = found.Stat();
  if (!st.ok()) return Reply(request, st.status());
  fuse_entry_param entry = {};
  entry.ino = st->st_ino;
  entry.generation = found.generation();
  entry.attr = *st;
  entry.attr_timeout = kAttrTimeoutSec;
  entry.entry_timeout = found.lasting() ? kNameTimeoutSec : 0;
  fuse_reply_entry(request, &entry);
}

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const absl::StatusOr<std::shared_ptr<Entry>> entry = TreeOf(request).Lookup(parent, name);
  if (!entry.ok()) return Reply(request, entry.status());
  ReplyEntry(request, **entry);
}

void MakeDirectory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  const fuse_ctx* caller = fuse_req_ctx(request);
  auto make = [=, name = std::string(name), uid = caller->uid, gid = caller->gid](IfOpen if_open) {
    const Creation creation = {.mode = mode,
                               .uid = uid,
                               .gid = gid,
                               .request = ReceiveLoop::CurrentRequest(),
                               .if_open = if_open};
    const absl::StatusOr<std::shared_ptr<Entry>> made =
        EntryOf(request, parent)->Make(name, creation);
    if (ErrnoOf(made.status()) == EAGAIN) return false;
    if (made.ok()) {
      ReplyEntry(request, **made);
    } else {
      Refuse(request, parent, made.status());
    }
    return true;
  };
  AttemptOrPark(request, DeviceIdOf(parent), kCloseGrace, make, [&] { return make; });
}

void RemoveDirectory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Tree& tree = TreeOf(request);
  const absl::StatusOr<std::shared_ptr<Entry>> there = tree.Lookup(parent, name);
  auto remove = [request, parent, name = std::string(name), &tree](IfOpen if_open) {
    const absl::Status removed = tree.Remove(parent, name, ReceiveLoop::CurrentRequest(), if_open);
    if (ErrnoOf(removed) == EAGAIN) return false;
    Refuse(request, parent, removed);
    return true;
  };
  AttemptOrPark(request, there.ok() ? DeviceIdOf((*there)->inode()) : 0, kCloseGrace, remove,
                [&] { return remove; });
}

void Rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
            const char* new_name, unsigned flags) {
  Refuse(request, parent,
         EntryOf(request, parent)
             ->Rename(name, *EntryOf(request, new_parent), new_name, flags,
                      ReceiveLoop::CurrentRequest()));
}

// What configfs does not let anyone do: nodes, files, links; whatever is said of them.
template <typename... Rest>
void MakeFile(fuse_req_t request, fuse_ino_t parent, const char* name, Rest...) {
  Refuse(request, parent,
         Error(EPERM, absl::StrCat(Visible(name),
                                   ": no file can be made here; those that a device has come with "
                                   "mkdir in the root of the mount")));
}
template <typename Target>
void MakeLink(fuse_req_t request, Target, fuse_ino_t parent, const char* name) {
  MakeFile(request, parent, name);
}
void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Refuse(request, parent,
         Error(EPERM, absl::StrCat(Visible(name),
                                   ": the file stays as long as its directory; rmdir removes that "
                                   "with all its files: a device, a snapshot, a fault rule")));
}
void ReadDirectory(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                   fuse_file_info* /*file*/) {
  std::vector<char> buffer(size);
  size_t used = 0;
  const auto add = [&](std::string_view name, Inode entry, mode_t type, uint64_t next) {
    struct stat st = {};
    st.st_ino = entry;
    st.st_mode = type;
    const size_t needed =
        fuse_add_direntry(request, buffer.data() + used, size - used, std::string(name).c_str(),
                          &st, static_cast<off_t>(next));
    if (needed > size - used) return false;
    used += needed;
    return true;
  };
  const absl::Status status = EntryOf(request, inode)->List(static_cast<uint64_t>(offset), add);
  if (!status.ok()) return Reply(request, status);
  fuse_reply_buf(request, buffer.data(), used);
}

void ReadLink(fuse_req_t request, fuse_ino_t inode) {
  const absl::StatusOr<std::string> target = EntryOf(request, inode)->ReadLink();
  if (!target.ok()) return Reply(request, target.status());
  fuse_reply_readlink(request, target->c_str());
}

void SyncDirectory(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) {
  fuse_reply_err(request, 0);
}

}  // namespace

void AddNameOperations(fuse_lowlevel_ops& operations) {
  operations.lookup = Guarded<Lookup>::Call;
  operations.mkdir = Guarded<MakeDirectory>::Call;
  operations.rmdir = Guarded<RemoveDirectory>::Call;
  operations.rename = Guarded<Rename>::Call;
  operations.mknod = Guarded<MakeFile<mode_t, dev_t>>::Call;
  operations.create = Guarded<MakeFile<mode_t, fuse_file_info*>>::Call;
  operations.unlink = Guarded<Unlink>::Call;
  operations.symlink = Guarded<MakeLink<const char*>>::Call;
  operations.link = Guarded<MakeLink<fuse_ino_t>>::Call;
  operations.readlink = Guarded<ReadLink>::Call;
  operations.readdir = Guarded<ReadDirectory>::Call;
  operations.fsyncdir = Guarded<SyncDirectory>::Call;
}

}  // namespace rnullfs
