#include "rnullfs/page_store.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"
#include "store/arena.h"
#include "store/io_vector.h"
#include "store/pages.h"
#include "store/stripe_locks.h"

namespace rnullfs {
namespace {

// How much of a long range one hold of the locks does: meanwhile all other requests wait, and to
// free or to allocate 64 MiB takes milliseconds.
constexpr uint64_t kBatch = uint64_t{64} << 20;

constexpr uint64_t BatchEnd(uint64_t begin, uint64_t end) {
  return std::min(end, begin - begin % kBatch + kBatch);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageStore>> PageStore::Create(std::string_view name,
                                                             uint64_t (*available_memory)()) {
  absl::StatusOr<UniqueFd> memfd = CreateMemfd(name);
  if (!memfd.ok()) return memfd.status();
  return std::unique_ptr<PageStore>(
      new PageStore(std::make_unique<Pages>(*std::move(memfd), available_memory)));
}

PageStore::PageStore(std::unique_ptr<Pages> pages) : pages_(std::move(pages)) {}

PageStore::~PageStore() = default;

absl::Status PageStore::Resize(uint64_t size_bytes) {
  assert(size_bytes % kPageSize == 0);
  const int error = size_bytes > INT64_MAX ? EFBIG : pages_->Resize(size_bytes);
  if (error == EFBIG || error == EINVAL) {
    return Error(EINVAL, absl::StrCat("size: no file can have ", size_bytes, " bytes here"));
  }
  if (error != 0) return SystemError(error, absl::StrCat("ftruncate to ", size_bytes, " bytes"));
  return absl::OkStatus();
}

void PageStore::Read(uint64_t offset, uint64_t length, ReadSink sink) {
  if (length == 0) return sink({});
  const uint64_t end = offset + length;
  IoVector vector;
  const StripeLocks::Shared lock(pages_->locks, FirstPage(offset), LastPage(end));
  for (uint64_t begin = offset; begin < end;) {
    const Pages::Piece piece = pages_->PieceAt(begin, end);
    if (piece.data != nullptr) {
      vector.Append(piece.data, piece.length());
    } else {
      // Not through the mapping: to touch a hole there allocates its page.
      vector.AppendZeros(piece.length());
    }
    begin = piece.end;
  }
  sink(vector.blocks());
}

int PageStore::Write(uint64_t offset, uint64_t length, const void* data) {
  if (length == 0) return 0;
  const uint64_t end = offset + length;
  const StripeLocks::Exclusive lock(pages_->locks, FirstPage(offset), LastPage(end));
  for (uint64_t begin = offset; begin < end;) {
    const Pages::Piece piece = pages_->PieceAt(begin, end);
    const char* const source = static_cast<const char*>(data) + (begin - offset);
    if (piece.data != nullptr) {
      std::memcpy(piece.data, source, piece.length());
    } else if (const int error = pages_->Fill(piece, source); error != 0) {
      return error;
    }
    begin = piece.end;
  }
  return 0;
}

int PageStore::Discard(uint64_t offset, uint64_t length) {
  const uint64_t end = offset + length;
  uint64_t begin = pages_->FirstStored(offset, end);
  while (begin < end) {
    const uint64_t batch_end = BatchEnd(begin, end);
    const StripeLocks::Exclusive lock(pages_->locks, FirstPage(begin), LastPage(batch_end));
    if (const int error = pages_->Free(begin, batch_end); error != 0) return error;
    begin = pages_->FirstStored(batch_end, end);
  }
  return 0;
}

int PageStore::WriteZeroes(uint64_t offset, uint64_t length) {
  const uint64_t end = offset + length;
  uint64_t begin = pages_->FirstStored(offset, end);
  while (begin < end) {
    const uint64_t batch_end = BatchEnd(begin, end);
    const StripeLocks::Exclusive lock(pages_->locks, FirstPage(begin), LastPage(batch_end));
    pages_->ZeroStored(begin, batch_end);
    begin = pages_->FirstStored(batch_end, end);
  }
  return 0;
}

int PageStore::Allocate(uint64_t offset, uint64_t length) {
  if (length == 0) return 0;
  const uint64_t end = offset + length;
  // All or nothing, as far as can be known: half an allocation only takes memory from the others.
  if (!pages_->FitsInMemory(offset, end)) return ENOSPC;
  for (uint64_t begin = offset; begin < end;) {
    const uint64_t batch_end = BatchEnd(begin, end);
    const StripeLocks::Exclusive lock(pages_->locks, FirstPage(begin), LastPage(batch_end));
    if (const int error = pages_->FillHoles(begin, batch_end); error != 0) return error;
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

uint64_t PageStore::stored_pages() const { return pages_->stored_pages(); }

int PageStore::fd() const { return pages_->fd(); }

}  // namespace rnullfs
