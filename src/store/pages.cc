#include "store/pages.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

constexpr uint64_t RoundDown(uint64_t offset) { return offset - offset % kPageSize; }
constexpr uint64_t RoundUp(uint64_t offset) { return RoundDown(offset + kPageSize - 1); }

}  // namespace

PageStore::Pages::Pages(UniqueFd memfd, uint64_t (*available_memory)())
    : arena_(std::move(memfd)), budget_(available_memory) {}

PageStore::Pages::Piece PageStore::Pages::PieceAt(uint64_t begin, uint64_t end) const {
  XArray::Cursor cursor(index_);
  const uint64_t first = FirstPage(begin);
  auto* const start = static_cast<char*>(cursor.Load(first));
  if (start == nullptr) return {begin, FirstStored(begin, end), nullptr};
  uint64_t page = first + 1;
  while (page <= LastPage(end) && cursor.Load(page) == start + (page - first) * kPageSize) ++page;
  return {begin, std::min(end, page * kPageSize), start + begin % kPageSize};
}

int PageStore::Pages::Fill(const Piece& hole, const char* data) {
  const uint64_t first = FirstPage(hole.begin);
  const uint64_t last = LastPage(hole.end);
  const uint64_t count = last - first + 1;
  if (!budget_.Take(count * kPageSize)) return ENOSPC;
  const int error = FillPages(hole, data);
  if (error == 0) {
    stored_pages_.fetch_add(count, std::memory_order_relaxed);
    return 0;
  }
  index_.EraseRange(first, last);
  // Were a page left behind, the rest of it would come to light with the next write into it.
  const int not_punched = arena_.Punch(first * kPageSize, count * kPageSize);
  assert(not_punched == 0);
  return error;
}

int PageStore::Pages::FillPages(const Piece& hole, const char* data) {
  const int error = data != nullptr ? arena_.Write(hole.begin, hole.length(), data)
                                    : arena_.Allocate(hole.begin, hole.length());
  if (error != 0) return error;
  for (uint64_t page = FirstPage(hole.begin); page <= LastPage(hole.end); ++page) {
    char* const address = arena_.At(page * kPageSize);
    if (address == nullptr || index_.Store(page, address).error != 0) return ENOSPC;
  }
  return 0;
}

int PageStore::Pages::FillHoles(uint64_t begin, uint64_t end) {
  while (begin < end) {
    const Piece piece = PieceAt(begin, end);
    if (piece.data == nullptr) {
      if (const int error = Fill(piece, nullptr); error != 0) return error;
    }
    begin = piece.end;
  }
  return 0;
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes what the disk reads
void PageStore::Pages::ZeroStored(uint64_t begin, uint64_t end) {
  while (begin < end) {
    const Piece piece = PieceAt(begin, end);
    if (piece.data != nullptr) std::memset(piece.data, 0, piece.length());
    begin = piece.end;
  }
}

int PageStore::Pages::Free(uint64_t begin, uint64_t end) {
  const uint64_t whole_begin = RoundUp(begin);
  const uint64_t whole_end = RoundDown(end);
  if (whole_begin >= whole_end) {
    ZeroStored(begin, end);
    return 0;
  }
  ZeroStored(begin, whole_begin);
  ZeroStored(whole_end, end);
  // The index comes second: should punching fail, what is stored is still known to be.
  if (const int error = arena_.Punch(whole_begin, whole_end - whole_begin); error != 0)
    return error;
  stored_pages_.fetch_sub(index_.EraseRange(FirstPage(whole_begin), LastPage(whole_end)),
                          std::memory_order_relaxed);
  return 0;
}

uint64_t PageStore::Pages::FirstStored(uint64_t begin, uint64_t end) const {
  if (begin >= end) return end;
  uint64_t page = FirstPage(begin);
  if (index_.Find(&page, LastPage(end)) == nullptr) return end;
  return std::max(begin, page * kPageSize);
}

uint64_t PageStore::Pages::FirstVacant(uint64_t begin, uint64_t end) const {
  if (begin >= end) return end;
  const std::optional<uint64_t> page = index_.FindVacant(FirstPage(begin), LastPage(end));
  return page.has_value() ? std::max(begin, *page * kPageSize) : end;
}

bool PageStore::Pages::FitsInMemory(uint64_t begin, uint64_t end) const {
  uint64_t vacant = LastPage(end) - FirstPage(begin) + 1;
  index_.ForEach(FirstPage(begin), LastPage(end), [&vacant](uint64_t, void*) { --vacant; });
  return budget_.Has(vacant * kPageSize);
}

int PageStore::Pages::Resize(uint64_t size_bytes) {
  if (const int error = arena_.Resize(size_bytes); error != 0) return error;
  if (size_bytes < size_bytes_) {
    stored_pages_ -= index_.EraseRange(FirstPage(size_bytes), UINT64_MAX);
  }
  size_bytes_ = size_bytes;
  return 0;
}

}  // namespace rnullfs
