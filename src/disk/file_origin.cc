#include "disk/file_origin.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <new>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/kept_file.h"
#include "base/open_as.h"
#include "base/our_mounts.h"
#include "base/visible.h"
#include "past/file_view.h"
#include "past/written_log.h"
#include "rnullfs/error.h"
#include "store/memory_account.h"

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

FileIdentity IdentityOf(const OriginKey& key) {
  return {.size_bytes = key.file_bytes, .modified = key.file_modified};
}

// Marks the file as one that is kept, and tells what another process knows it by.
absl::StatusOr<OriginKey> KeyFor(const FileView& file) {
  struct stat status = {};
  if (fstat(file.fd(), &status) != 0 || !MarkAsKept(file.fd())) return SystemError(errno, "origin");
  return OriginKey{.file_device = status.st_dev,
                   .file_inode = status.st_ino,
                   .file_bytes = file.identity().size_bytes,
                   .file_modified = file.identity().modified};
}

absl::StatusOr<Origin> KeptOrigin(const std::string& path, std::shared_ptr<FileView> view,
                                  MemfdKeeper& keeper) {
  const absl::StatusOr<OriginKey> key = KeyFor(*view);
  if (!key.ok()) return key.status();
  const int fd = view->fd();
  Origin origin = OriginOf(path, *key, std::move(view), keeper);
  // Last: nothing fails any more that would have to drop it.
  if (absl::Status kept = KeepElsewhere(keeper, fd); !kept.ok()) return kept;
  return origin;
}

// The data of a view, and no holes.
int CopyData(View& view, MemoryAccount& account, int file) {
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  const std::unique_ptr<char[]> piece(new (std::nothrow) char[kPiece]);
  if (piece == nullptr) return ENOMEM;
  uint64_t stored = 0;
  const uint64_t size = view.size_bytes();
  for (uint64_t begin = view.NextData(0); begin < size; begin = view.NextData(begin)) {
    const uint64_t end = std::min(view.NextHole(begin), begin + kPiece);
    if (!account.Take(end - begin)) return ENOSPC;
    stored += end - begin;
    account.Settle(end - begin, [stored] { return stored; });
    if (const int error = view.CopyOut(begin, end - begin, piece.get()); error != 0) return error;
    const ssize_t written = pwrite(file, piece.get(), end - begin, static_cast<off_t>(begin));
    if (written != static_cast<ssize_t>(end - begin)) return written < 0 ? errno : ENOSPC;
    begin = end;
  }
  return 0;
}

// What is charged for it, as long as somebody reads from it.
struct ChargedView {
  explicit ChargedView(MemoryLimit& memory) : account(memory) {}
  MemoryAccount account;
  std::shared_ptr<View> view;
};

absl::StatusOr<UniqueFd> MakeEmpty(uint64_t size_bytes) {
  UniqueFd file(memfd_create("rnullfs-origin", MFD_CLOEXEC));
  if (!file.valid() || ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
    return SystemError(errno, "origin");
  }
  return file;
}

absl::StatusOr<std::shared_ptr<FileView>> ViewOf(UniqueFd file) {
  FileIdentity identity;
  if (const int error = Identify(file.get(), identity); error != 0) {
    return SystemError(error, "origin");
  }
  return std::make_shared<FileView>(std::move(file), identity);
}

std::function<void()> Forgetting(std::shared_ptr<WrittenLog> log, MemfdKeeper& keeper) {
  return [log = std::move(log), &keeper] { keeper.Drop(log->file().fd()); };
}

void AddLog(const OriginKey& key, std::shared_ptr<WrittenLog> log, std::function<void()> forget,
            Origin& origin) noexcept {
  origin.log_key = key;
  origin.forget_log = std::move(forget);
  origin.log = std::move(log);
}

// What there was before a log is nothing: an image of that is shared as any, so that only who goes
// through the log has to know of it.
absl::StatusOr<Origin> LogOrigin(const std::string& path, std::shared_ptr<FileView> file,
                                 MemfdKeeper& keeper) {
  absl::StatusOr<std::shared_ptr<WrittenLog>> log = WrittenLog::Open(path, std::move(file));
  if (!log.ok()) return log.status();
  const FileView& written = (*log)->file();
  const absl::StatusOr<OriginKey> key = KeyFor(written);
  if (!key.ok()) return key.status();
  std::function<void()> forget = Forgetting(*log, keeper);
  absl::StatusOr<UniqueFd> before = MakeEmpty(std::max<uint64_t>((*log)->needs().size_bytes, 1));
  if (!before.ok()) return before.status();
  absl::StatusOr<std::shared_ptr<FileView>> view = ViewOf(*std::move(before));
  if (!view.ok()) return view.status();
  absl::StatusOr<Origin> origin = KeptOrigin(path, *std::move(view), keeper);
  if (!origin.ok()) return origin;
  absl::Cleanup undo = [&] { origin->LetGo(); };
  if (absl::Status kept = KeepElsewhere(keeper, written.fd()); !kept.ok()) return kept;
  std::move(undo).Cancel();
  AddLog(*key, *std::move(log), std::move(forget), *origin);
  return origin;
}

}  // namespace

absl::StatusOr<Origin> CopiedOrigin(const std::string& name, View& view, MemoryLimit& memory,
                                    MemfdKeeper& keeper) {
  absl::StatusOr<UniqueFd> file = MakeEmpty(view.size_bytes());
  if (!file.ok()) return file.status();
  const auto charged = std::make_shared<ChargedView>(memory);
  const int error = CopyData(view, charged->account, file->get());
  if (error == ENOSPC || error == ENOMEM) {
    return Error(ENOSPC, absl::StrCat("origin: there is no memory for a copy of ", Visible(name)));
  }
  if (error != 0) return SystemError(error, absl::StrCat("origin: ", Visible(name)));
  absl::StatusOr<std::shared_ptr<FileView>> copy = ViewOf(*std::move(file));
  if (!copy.ok()) return copy.status();
  absl::StatusOr<Origin> origin = KeptOrigin(name, *std::move(copy), keeper);
  if (!origin.ok()) return origin;
  charged->view = std::move(origin->view);
  origin->view = std::shared_ptr<View>(charged, charged->view.get());
  return origin;
}

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
  if (WrittenLog::IsOne(**view)) return LogOrigin(path, *std::move(view), keeper);
  return KeptOrigin(path, *std::move(view), keeper);
}

Origin FoundFileOrigin(const std::string& path, const OriginKey& key, UniqueFd file,
                       MemfdKeeper& keeper) {
  return OriginOf(path, key, std::make_shared<FileView>(std::move(file), IdentityOf(key)), keeper);
}

void AddFoundLog(const OriginKey& key, UniqueFd file, MemfdKeeper& keeper, Origin& origin) {
  auto view = std::make_shared<FileView>(std::move(file), IdentityOf(key));
  auto log = std::make_shared<WrittenLog>(origin.text(), std::move(view));
  AddLog(key, log, Forgetting(log, keeper), origin);
}

}  // namespace rnullfs
