#include "disk/file_origin.h"

#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kept_file.h"
#include "base/open_as.h"
#include "base/our_mounts.h"
#include "base/visible.h"
#include "past/file_view.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// What keeps the file is the view, until nobody reads from it any more.
Origin OriginOf(const std::string& path, const OriginKey& key, std::shared_ptr<FileView> view,
                MemfdKeeper& keeper) {
  Origin origin;
  origin.key = key;
  origin.text = [path] { return path; };
  origin.trouble = [view, path] {
    if (!view->changed()) return std::string();
    return absl::StrCat("origin: ", Visible(path),
                        " is not what it was when it was written to origin; what the disk shares "
                        "with it cannot be read any more (EIO)");
  };
  origin.forget = [view, &keeper] { keeper.Drop(view->fd()); };
  origin.view = std::move(view);
  return origin;
}

}  // namespace

absl::StatusOr<Origin> OpenFileOrigin(const std::string& path, const Requester& who,
                                      MemfdKeeper& keeper) {
  absl::StatusOr<UniqueFd> file = OpenAs(who, path);
  if (!file.ok()) return file.status();
  if (LiesOnOurMount(file->get())) {
    return Error(EINVAL,
                 absl::StrCat("origin: ", Visible(path),
                              " lies on a disk of rnullfs, which could come to wait for "
                              "itself; write DISK or DISK@SNAPSHOT, or the path of a copy"));
  }
  absl::StatusOr<std::unique_ptr<FileView>> view = FileView::Open(path, *std::move(file));
  if (!view.ok()) return view.status();
  const int fd = (*view)->fd();
  struct stat status = {};
  if (fstat(fd, &status) != 0 || !MarkAsKept(fd)) return SystemError(errno, "origin");
  const OriginKey key = {.file_device = status.st_dev,
                         .file_inode = status.st_ino,
                         .file_bytes = (*view)->identity().size_bytes,
                         .file_modified = (*view)->identity().modified};
  Origin origin = OriginOf(path, key, *std::move(view), keeper);
  // Last: nothing fails any more that would have to drop it.
  if (absl::Status kept = KeepElsewhere(keeper, fd); !kept.ok()) return kept;
  return origin;
}

Origin FoundFileOrigin(const std::string& path, const OriginKey& key, UniqueFd file,
                       MemfdKeeper& keeper) {
  const FileIdentity identity = {.size_bytes = key.file_bytes, .modified = key.file_modified};
  return OriginOf(path, key, std::make_shared<FileView>(std::move(file), identity), keeper);
}

}  // namespace rnullfs
