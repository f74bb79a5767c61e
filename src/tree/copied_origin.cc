#include "tree/copied_origin.h"

#include <fcntl.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/visible.h"
#include "disk/file_origin.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// As the kernel would walk: a mark, or now, is a link to what is beside it.
std::shared_ptr<Entry> Walk(DeviceDirectory& device, std::string_view path) {
  std::shared_ptr<Entry> at;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(std::string(path), '/'))) {
    Entry& in = at == nullptr ? device : *at;
    std::shared_ptr<Entry> found = in.Lookup(part);
    if (found == nullptr) return nullptr;
    if (const absl::StatusOr<std::string> target = found->ReadLink(); target.ok()) {
      found = in.Lookup(*target);
    }
    if (found == nullptr) return nullptr;
    at = std::move(found);
  }
  return at->Lookup("disk");
}

}  // namespace

absl::StatusOr<Origin> CopyOrigin(DeviceDirectory& device, std::string_view path,
                                  const std::string& text, const std::string& user,
                                  MemoryLimit& memory, MemfdKeeper& keeper) {
  if (!path.starts_with("crash/") && !path.starts_with("at/")) {
    return Error(EINVAL, absl::StrCat("origin: of what is in a disk's directory it takes "
                                      "DISK/crash/CUT/STATE and DISK/at/NUMBER; a snapshot is "
                                      "DISK@SNAPSHOT, and the path of an image begins with /"));
  }
  const std::shared_ptr<Entry> disk = Walk(device, path);
  if (disk == nullptr) {
    return Error(ENOENT, absl::StrCat("origin: there is no ", Visible(text),
                                      ": no such cut, state or moment, or the history has "
                                      "forgotten it"));
  }
  absl::StatusOr<std::unique_ptr<FileHandle>> open =
      disk->Open(O_RDONLY, /*handle=*/0, absl::StrCat(Visible(user), ", a clone"));
  if (!open.ok()) return open.status();
  View* const view = (*open)->view();
  if (view == nullptr) return Error(EINVAL, "origin: this is no disk");
  return CopiedOrigin(text, *view, memory, keeper);
}

}  // namespace rnullfs
