#include "store/pages.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/kill_point.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

constexpr uint64_t RoundDown(uint64_t offset, uint64_t unit = kPageSize) {
  return offset - offset % unit;
}
constexpr uint64_t RoundUp(uint64_t offset) { return RoundDown(offset + kPageSize - 1); }

}  // namespace

Pages::Pages(UniqueFd memfd, MemoryAccount& account, bool found)
    : arena_(std::move(memfd)),
      account_(account),
      file_knows_(found && arena_.length_sealed()),
      forgotten_(found) {
  if (!found) return;
  size_bytes_ = arena_.size_bytes();
  Settle(0);
}

Pages::~Pages() { const StripeLocks::Exclusive all(locks, 0, UINT64_MAX); }

Pages::Piece Pages::PieceAt(uint64_t begin, uint64_t end) {
  // Before the index is looked at: what is recalled in between would be in neither.
  const bool file_decides = FileDecides();
  const uint64_t first = FirstPage(begin);
  {
    XArray::Cursor cursor(index_);
    if (auto* const start = static_cast<char*>(cursor.Load(first)); start != nullptr) {
      uint64_t page = first + 1;
      while (page <= LastPage(end) && cursor.Load(page) == start + (page - first) * kPageSize) {
        ++page;
      }
      return {begin, std::min(end, page * kPageSize), start + begin % kPageSize, true};
    }
  }
  // Not at `first` again: somebody who has asked the file may have told the index of it meanwhile.
  uint64_t page = first + 1;
  const bool later = index_.Find(&page, LastPage(end)) != nullptr;
  const uint64_t vacant_end = later ? page * kPageSize : end;
  if (file_decides) return AskFile(begin, vacant_end);
  return {begin, vacant_end, nullptr, false};
}

bool Pages::FileDecides() const {
  return forgotten_.load(std::memory_order_acquire) || file_knows_.load(std::memory_order_relaxed);
}

// What turns out to be stored goes into the index, so that the next one needn't ask.  Should there
// be no memory for that, it will.
Pages::Piece Pages::AskFile(uint64_t begin, uint64_t end) {
  const Arena::Run run = arena_.RunAt(begin, end);
  if (!run.stored) return {begin, run.end, nullptr, false};
  TellIndex(begin, run.end);
  return {begin, run.end, arena_.At(begin), true};
}

// Of a range that is stored, within a window.  False when it cannot have all of it.
bool Pages::TellIndex(uint64_t begin, uint64_t end) {
  const uint64_t first = FirstPage(begin);
  char* const start = arena_.At(first * kPageSize);
  if (start == nullptr) return false;
  bool fits = true;
  for (uint64_t page = first; page <= LastPage(end); ++page) {
    fits = index_.Store(page, start + (page - first) * kPageSize).error == 0 && fits;
  }
  return fits;
}

bool Pages::WhollyStored(uint64_t begin, uint64_t end) {
  while (begin < end) {
    const Arena::Run run = arena_.RunAt(begin, end);
    if (!run.stored) return false;
    begin = run.end;
  }
  return true;
}

int Pages::Change(uint64_t begin, uint64_t end, How how, const char* data) {
  if (how == How::kFree) return Free(begin, end);
  while (begin < end) {
    const Piece piece = PieceAt(begin, end);
    int error = 0;
    if (piece.stored) {
      if (how != How::kFill) error = Overwrite(piece, data);
    } else if (how != How::kZero) {
      error = Fill(piece, data);
    }
    if (error != 0) return error;
    if (data != nullptr) data += piece.length();
    begin = piece.end;
  }
  return 0;
}

// With `data`, or with zeros.
// NOLINTNEXTLINE(readability-make-member-function-const): it changes what the disk reads
int Pages::Overwrite(const Piece& piece, const char* data) {
  if (piece.data != nullptr && data != nullptr) {
    std::memcpy(piece.data, data, piece.length());
    return 0;
  }
  if (piece.data != nullptr) {
    std::memset(piece.data, 0, piece.length());
    return 0;
  }
  if (data != nullptr) return arena_.Write(piece.begin, piece.length(), data);
  constexpr char kZeros[kPageSize] = {};
  for (uint64_t at = piece.begin; at < piece.end;) {
    const uint64_t length = std::min(piece.end - at, kPageSize);
    if (const int error = arena_.Write(at, length, kZeros); error != 0) return error;
    at += length;
  }
  return 0;
}

// Stores the pages of a hole with `data` in them, or zeros: all of them or none, while they are
// ours alone.
int Pages::Fill(const Piece& hole, const char* data) {
  const uint64_t first = FirstPage(hole.begin);
  const uint64_t last = LastPage(hole.end);
  const uint64_t bytes = (last - first + 1) * kPageSize;
  if (!account_.Take(bytes)) return ENOSPC;
  const int error = FillPages(hole, data);
  // Were a page left behind, the rest of it would come to light with the next write into it.  If
  // pages are shared nothing can: the index does not decide, and others may have stored them.
  if (error != 0 && !file_knows_.load(std::memory_order_relaxed)) {
    index_.EraseRange(first, last);
    [[maybe_unused]] const int not_punched = arena_.Punch(first * kPageSize, bytes);
    assert(not_punched == 0);
  }
  Settle(bytes);
  return error;
}

void Pages::Settle(uint64_t taken_bytes) {
  account_.Settle(taken_bytes, [this] { return arena_.AllocatedBytes(); });
}

int Pages::FillPages(const Piece& hole, const char* data) {
  const int error = data != nullptr ? arena_.Write(hole.begin, hole.length(), data)
                                    : arena_.Allocate(hole.begin, hole.length());
  if (error != 0) return error;
  KillPoint("page-stored");
  for (uint64_t page = FirstPage(hole.begin); page <= LastPage(hole.end); ++page) {
    char* const address = arena_.At(page * kPageSize);
    if (address == nullptr) {
      file_knows_.store(true, std::memory_order_relaxed);
    } else if (index_.Store(page, address).error != 0 &&
               !file_knows_.load(std::memory_order_relaxed)) {
      return ENOSPC;
    }
  }
  return 0;
}

int Pages::Free(uint64_t begin, uint64_t end) {
  const uint64_t whole_begin = RoundUp(begin);
  const uint64_t whole_end = RoundDown(end);
  if (whole_begin >= whole_end) return Change(begin, end, How::kZero);
  int error = Change(begin, whole_begin, How::kZero);
  if (error == 0) error = Change(whole_end, end, How::kZero);
  // The index comes second: should punching fail, what is stored is still known to be.
  if (error == 0) error = arena_.Punch(whole_begin, whole_end - whole_begin);
  if (error != 0) return error;
  KillPoint("page-punched");
  index_.EraseRange(FirstPage(whole_begin), LastPage(whole_end));
  Settle(0);
  return 0;
}

bool Pages::FitsInMemory(uint64_t begin, uint64_t end) {
  uint64_t vacant = 0;
  while (begin < end) {
    const Arena::Run run = arena_.RunAt(begin, end);
    if (!run.stored) vacant += LastPage(run.end) - FirstPage(begin) + 1;
    begin = run.end;
  }
  return account_.Has(vacant * kPageSize);
}

int Pages::Resize(uint64_t size_bytes) {
  if (const int error = arena_.Resize(size_bytes); error != 0) return error;
  if (size_bytes < this->size_bytes()) {
    index_.EraseRange(FirstPage(size_bytes), UINT64_MAX);
    Settle(0);
  }
  size_bytes_ = size_bytes;
  return 0;
}

int Pages::Share() {
  if (const int error = arena_.SealLength(); error != 0) return error;
  const StripeLocks::Exclusive lock(locks, 0, UINT64_MAX);
  file_knows_ = true;
  return 0;
}

// Before it is emptied who has asked the file of what may since have been freed tells the index;
// behind it who has found that there is done with it.  In between the file decides.
void Pages::ForgetIndex() {
  locks.Drain();
  index_.EraseRange(0, UINT64_MAX);
  locks.Drain();
}

bool Pages::TryForgetIndex() {
  if (!locks.TryDrain()) return false;
  index_.EraseRange(0, UINT64_MAX);
  return locks.TryDrain();
}

int Pages::Collapse(uint64_t* offset, bool sparse) {
  const uint64_t last_end = RoundDown(size_bytes(), PageStore::kHugePageSize);
  for (int looked_at = 0; looked_at < PageStore::kHugeBatch; ++looked_at) {
    const uint64_t begin = RoundDown(FirstStored(*offset, size_bytes()), PageStore::kHugePageSize);
    if (begin >= last_end) {
      *offset = size_bytes();
      return 0;
    }
    const uint64_t end = begin + PageStore::kHugePageSize;
    *offset = end;
    // A discard meanwhile would be undone.
    const StripeLocks::Shared lock(locks, FirstPage(begin), LastPage(end));
    if (!sparse && !WhollyStored(begin, end)) continue;
    if (arena_.Collapse(begin, PageStore::kHugePageSize) == EINVAL) return EINVAL;
  }
  return 0;
}

// Where we have been, who stores a page tells the index, and who cannot gives it back (Fill()).
bool Pages::RecallSome() {
  constexpr uint64_t kStripe = StripeLocks::kPagesPerStripe * kPageSize;
  // Where the index will not decide it is left alone: it takes memory.
  if (!forgotten_.load(std::memory_order_relaxed) || file_knows_) return false;
  for (int looked_at = 0; looked_at < PageStore::kRecallBatch; ++looked_at) {
    const uint64_t begin = RoundDown(FirstStored(recalled_, size_bytes()));
    if (begin >= size_bytes()) {
      forgotten_.store(false, std::memory_order_release);
      return false;
    }
    const uint64_t end = std::min(RoundDown(begin, kStripe) + kStripe, size_bytes());
    const StripeLocks::Shared lock(locks, FirstPage(begin), LastPage(end));
    for (recalled_ = begin; recalled_ < end;) {
      const Arena::Run run = arena_.RunAt(recalled_, end);
      if (run.stored && !TellIndex(recalled_, run.end)) return false;
      recalled_ = run.end;
    }
  }
  return true;
}

int Pages::TakeBack(Arena& from) {
  const std::unique_ptr<char[]> page(new char[kPageSize]);
  for (uint64_t at = from.NextData(0, size_bytes()); at < size_bytes();
       at = from.NextData(at + kPageSize, size_bytes())) {
    if (FirstStored(at, at + kPageSize) == at) continue;
    if (const int error = from.Read(at, kPageSize, page.get()); error != 0) return error;
    // No asking: it was stored before.
    if (const int error = arena_.Write(at, kPageSize, page.get()); error != 0) return error;
    KillPoint("page-taken-back");
    from.Punch(at, kPageSize);
  }
  Settle(0);
  return 0;
}

}  // namespace rnullfs
