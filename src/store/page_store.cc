#include "rnullfs/page_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "rnullfs/error.h"
#include "store/arena.h"
#include "store/io_vector.h"
#include "store/memory_account.h"
#include "store/pages.h"
#include "store/sharing.h"
#include "store/stripe_locks.h"

namespace rnullfs {
namespace {

// What changes a disk's pages comes by here, but for a move to another file.
int Change(Pages& pages, uint64_t begin, uint64_t end, Pages::How how, const char* data = nullptr) {
  const StripeLocks::Exclusive lock(pages.locks, FirstPage(begin), LastPage(end));
  return pages.Change(begin, end, how, data);
}

// The same for any length, where only what is stored is concerned.
int ChangeStored(Pages& pages, uint64_t begin, uint64_t end, Pages::How how) {
  while ((begin = pages.FirstStored(begin, end)) < end) {
    const uint64_t batch_end = BatchEnd(begin, end);
    if (const int error = Change(pages, begin, batch_end, how); error != 0) return error;
    begin = batch_end;
  }
  return 0;
}

constexpr uint64_t kStep = uint64_t{2} << 20;  // of a move: so much is stored twice meanwhile

// Moves all that is stored to `to`, which is empty and no smaller, by way of `unmapped`, kStep
// bytes; 0 or an errno, after which some has been moved.  Who dies meanwhile leaves each page in
// one of the two, or in both (Pages::TakeBack()).  Both must be alone.
int MovePages(Pages& from, Pages& to, char* unmapped) {
  const uint64_t size_bytes = from.size_bytes();
  for (uint64_t begin = from.FirstStored(0, size_bytes); begin < size_bytes;) {
    const uint64_t end = std::min(begin + kStep, size_bytes);
    const StripeLocks::Exclusive lock(from.locks, FirstPage(begin), LastPage(end));
    const StripeLocks::Exclusive to_lock(to.locks, FirstPage(begin), LastPage(end));
    const Pages::Piece piece = from.PieceAt(begin, end);
    const char* data = piece.data;
    int error = 0;
    if (data == nullptr && piece.stored) {
      error = from.CopyOut(piece, unmapped);
      data = unmapped;
    }
    if (error == 0 && data != nullptr) {
      error = to.Change(piece.begin, piece.end, Pages::How::kWrite, data);
    }
    if (error != 0) return error;
    KillPoint("grow-page-copied");
    error = from.Change(piece.begin, piece.end, Pages::How::kFree);
    if (error != 0) return error;
    KillPoint("grow-page-freed");
    begin = from.FirstStored(piece.end, size_bytes);
  }
  return 0;
}

absl::StatusOr<UniqueFd> CreateMemfdFor(std::string_view name) {
  absl::StatusOr<UniqueFd> memfd = CreateMemfd(name);
  if (!memfd.ok() && ErrnoOf(memfd.status()) == EMFILE) return NoDescriptorLeft();
  return memfd;
}

// A file for a disk, which from then on does not end with this process.
absl::StatusOr<UniqueFd> CreateKeptMemfd(std::string_view name, MemfdKeeper& keeper) {
  absl::StatusOr<UniqueFd> memfd = CreateMemfdFor(name);
  if (!memfd.ok()) return memfd.status();
  if (absl::Status kept = KeepElsewhere(keeper, memfd->get()); !kept.ok()) return kept;
  return memfd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageStore>> PageStore::Create(std::string_view name,
                                                             MemoryLimit& memory,
                                                             MemfdKeeper& keeper) {
  absl::StatusOr<UniqueFd> memfd = CreateMemfdFor(name);
  if (!memfd.ok()) return memfd.status();
  std::unique_ptr<PageStore> store(
      new PageStore(name, memory, keeper, *std::move(memfd), /*found=*/false));
  // Last: nothing fails any more that would have to drop it.
  if (absl::Status kept = KeepElsewhere(keeper, store->fd()); !kept.ok()) return kept;
  KillPoint("store-kept");
  return store;
}

absl::StatusOr<std::unique_ptr<PageStore>> PageStore::Adopt(std::string_view name,
                                                            MemoryLimit& memory,
                                                            MemfdKeeper& keeper, UniqueFd memfd,
                                                            UniqueFd moving_to) {
  std::unique_ptr<PageStore> store(
      new PageStore(name, memory, keeper, std::move(memfd), /*found=*/true));
  if (!moving_to.valid()) return store;
  Arena moved(std::move(moving_to));
  if (const int error = store->pages_->TakeBack(moved); error != 0) {
    return SystemError(error, "taking a disk back from where it was being moved");
  }
  keeper.Drop(moved.fd());
  return store;
}

PageStore::PageStore(std::string_view name, MemoryLimit& memory, MemfdKeeper& keeper,
                     UniqueFd memfd, bool found)
    : name_(name),
      keeper_(keeper),
      account_(std::make_unique<MemoryAccount>(memory)),
      pages_(std::make_unique<Pages>(std::move(memfd), *account_, found)),
      sharing_(std::make_unique<Sharing>(pages_, *account_, memory)) {}

PageStore::~PageStore() = default;

absl::Status PageStore::Share() { return sharing_->Share(/*anyway=*/false); }
absl::Status PageStore::ShareAgain() { return sharing_->Share(/*anyway=*/true); }
void PageStore::Unshare() { sharing_->Unshare(); }
bool PageStore::Held() { return sharing_->Held(); }
void PageStore::EndHolding() { sharing_->EndHolding(); }

// Emptied when nobody looks for it any more: who still has it mapped has no memory that no account
// knows of.
void PageStore::GiveBack() {
  Disown();
  pages_->Empty();
}

bool PageStore::grows_in_place() const { return !pages_->was_shared(); }

absl::Status PageStore::Resize(uint64_t size_bytes) {
  assert(size_bytes % kPageSize == 0);
  const int error = size_bytes > INT64_MAX ? EFBIG : pages_->Resize(size_bytes);
  if (error == EPERM) return MoveAndGrow(size_bytes);
  if (error == EFBIG || error == EINVAL) {
    return Error(EINVAL, absl::StrCat("size: no file can have ", size_bytes, " bytes here"));
  }
  if (error != 0) return SystemError(error, absl::StrCat("ftruncate to ", size_bytes, " bytes"));
  return absl::OkStatus();
}

// A seal is for good, so that a larger disk takes a new file.
absl::Status PageStore::MoveAndGrow(uint64_t size_bytes) {
  constexpr char kNoMemory[] = "size: there is no memory to move the disk to where it can grow";
  const std::unique_ptr<char[]> unmapped(new (std::nothrow) char[kStep]);
  if (unmapped == nullptr) return Error(ENOMEM, kNoMemory);
  // Kept from the first page on that lies there alone.
  absl::StatusOr<UniqueFd> memfd = CreateKeptMemfd(name_, keeper_);
  if (!memfd.ok()) return memfd.status();
  auto grown = std::make_unique<Pages>(*std::move(memfd), *account_, /*found=*/false);
  if (const int error = grown->Resize(size_bytes); error != 0) {
    keeper_.Drop(grown->fd());
    return SystemError(error, absl::StrCat("ftruncate to ", size_bytes, " bytes"));
  }
  // Who still holds the old file has no part in the disk any more.  And whoever wants memory would
  // look for them, at `pages_`, which changes here.
  EndHolding();
  // What is stored already needs no asking, wherever it goes.
  account_->Reserve(pages_->AllocatedBytes());
  KillPoint("grow-begun");
  const int error = MovePages(*pages_, *grown, unmapped.get());
  KillPoint("grow-moved");
  const int not_moved_back = error == 0 ? 0 : MovePages(*grown, *pages_, unmapped.get());
  if (error == 0) std::swap(pages_, grown);
  account_->EndReservation([this] { return pages_->AllocatedBytes(); });
  // What is left there is the disk's: whoever takes over finds it with the keeper.
  if (not_moved_back != 0) return Error(error, kNoMemory);
  keeper_.Drop(grown->fd());
  KillPoint("grow-dropped");
  grown->Empty();
  return error == 0 ? absl::OkStatus() : Error(error, kNoMemory);
}

absl::StatusOr<uint64_t> PageStore::Collapse(uint64_t offset, bool sparse) {
  const int error = pages_->Collapse(&offset, sparse);
  if (error == EINVAL) return Error(EINVAL, "the kernel has no huge pages for shared memory");
  return offset;
}

bool PageStore::RecallSome() { return pages_->RecallSome(); }

bool PageStore::CouldShare(uint64_t size_bytes) const { return account_->CouldReserve(size_bytes); }

int PageStore::Read(uint64_t offset, uint64_t length, Sink sink) {
  if (length == 0) {
    sink({});
    return 0;
  }
  const uint64_t end = offset + length;
  IoVector vector;
  const StripeLocks::Shared lock(pages_->locks, FirstPage(offset), LastPage(end));
  for (uint64_t begin = offset; begin < end;) {
    const Pages::Piece piece = pages_->PieceAt(begin, end);
    if (piece.data != nullptr) {
      vector.Append(piece.data, piece.length());
    } else if (piece.stored) {
      char* const copy = vector.AppendNew(piece.length());
      const int error = copy == nullptr ? ENOMEM : pages_->CopyOut(piece, copy);
      if (error != 0) return error;
    } else {
      // Not through the mapping: to touch a hole there allocates its page.
      vector.AppendZeros(piece.length());
    }
    begin = piece.end;
  }
  sink(vector.blocks());
  return 0;
}

int PageStore::Write(uint64_t offset, uint64_t length, const void* data) {
  if (length == 0) return 0;
  return Change(*pages_, offset, offset + length, Pages::How::kWrite,
                static_cast<const char*>(data));
}

int PageStore::Discard(uint64_t offset, uint64_t length) {
  return ChangeStored(*pages_, offset, offset + length, Pages::How::kFree);
}

int PageStore::WriteZeroes(uint64_t offset, uint64_t length) {
  return ChangeStored(*pages_, offset, offset + length, Pages::How::kZero);
}

int PageStore::Allocate(uint64_t offset, uint64_t length) {
  if (length == 0) return 0;
  const uint64_t end = offset + length;
  // All or nothing, as far as can be known: half an allocation only takes memory from the others.
  if (!pages_->FitsInMemory(offset, end)) return ENOSPC;
  for (uint64_t begin = offset; begin < end;) {
    const uint64_t batch_end = BatchEnd(begin, end);
    const int error = Change(*pages_, begin, batch_end, Pages::How::kFill);
    if (error != 0) return error;
    begin = batch_end;
  }
  return 0;
}

uint64_t PageStore::NextData(uint64_t offset) const {
  return pages_->FirstStored(offset, pages_->size_bytes());
}

uint64_t PageStore::NextHole(uint64_t offset) const {
  return pages_->FirstVacant(offset, pages_->size_bytes());
}

uint64_t PageStore::size_bytes() const { return pages_->size_bytes(); }

uint64_t PageStore::stored_pages() const { return pages_->AllocatedBytes() / kPageSize; }

timespec PageStore::modified() const {
  struct stat status = {};
  fstat(pages_->fd(), &status);
  return status.st_mtim;
}

int PageStore::fd() const { return pages_->fd(); }

}  // namespace rnullfs
