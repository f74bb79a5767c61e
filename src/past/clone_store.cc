#include "past/clone_store.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/kill_point.h"
#include "past/page_bytes.h"
#include "rnullfs/error.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;
constexpr uint64_t kPagesPerStripe = StripeLocks::kPagesPerStripe;
constexpr uint64_t kStripe = kPagesPerStripe * kPageSize;

}  // namespace

CloneStore::CloneStore(PageStore& own, std::shared_ptr<View> origin,
                       std::unique_ptr<PageStore> marks)
    : own_(own),
      origin_(std::move(origin)),
      shared_pages_((origin_->size_bytes() + kPageSize - 1) / kPageSize),
      marks_(std::move(marks)) {}

absl::StatusOr<std::unique_ptr<CloneStore>> CloneStore::Create(PageStore& own,
                                                               std::shared_ptr<View> origin,
                                                               std::unique_ptr<PageStore>&& marks) {
  const uint64_t stripes = (origin->size_bytes() + kStripe - 1) / kStripe;
  const uint64_t bytes = (stripes * sizeof(Mark) + kPageSize - 1) / kPageSize * kPageSize;
  if (absl::Status sized = marks->Resize(bytes); !sized.ok()) return sized;
  std::unique_ptr<CloneStore> clone(new CloneStore(own, std::move(origin), std::move(marks)));
  if (const int error = clone->ReadMarks(); error != 0) {
    marks = std::move(clone->marks_);
    return SystemError(error, "what a clone shares with its origin");
  }
  return clone;
}

// Waits for those who have answered a read and have yet to let go of its locks.
CloneStore::~CloneStore() { const StripeLocks::Exclusive all(locks_, 0, UINT64_MAX); }

int CloneStore::ReadMarks() {
  std::array<Mark, kPageSize / sizeof(Mark)> marks;
  for (uint64_t at = marks_->NextData(0); at < marks_->size_bytes();
       at = marks_->NextData(at + kPageSize)) {
    if (const int error = marks_->CopyOut(at, kPageSize, reinterpret_cast<char*>(marks.data()));
        error != 0) {
      return error;
    }
    for (uint64_t i = 0; i < marks.size(); ++i) {
      const uint64_t stripe = at / sizeof(Mark) + i;
      if (marks[i] == 0) continue;
      if (stripes_.Store(stripe, XArray::MakeValue(marks[i])).error != 0) return ENOMEM;
    }
  }
  return 0;
}

CloneStore::Mark CloneStore::MarkOf(uint64_t stripe) const {
  const void* const entry = stripes_.Load(stripe);
  return entry == nullptr ? 0 : static_cast<Mark>(XArray::ToValue(entry));
}

// How far from `begin` on, at most to `end`, all pages are the clone's own, or all are shared.
CloneStore::Run CloneStore::RunAt(uint64_t begin, uint64_t end) const {
  const uint64_t shared_end = shared_pages_.load(std::memory_order_acquire) * kPageSize;
  if (begin >= shared_end) return {end, /*own=*/true};
  uint64_t page = FirstPage(begin);
  const bool own = (MarkOf(page / kPagesPerStripe) >> page % kPagesPerStripe & 1) != 0;
  const uint64_t last = LastPage(std::min(end, shared_end));
  while (page <= last) {
    const uint64_t stripe = page / kPagesPerStripe;
    const Mark mark = MarkOf(stripe);
    if (!own && mark == 0) {  // there may be many
      uint64_t next = stripe + 1;
      const bool more = stripes_.Find(&next, last / kPagesPerStripe) != nullptr;
      page = more ? next * kPagesPerStripe : last + 1;
      continue;
    }
    if (((mark >> page % kPagesPerStripe & 1) != 0) != own) break;
    ++page;
  }
  if (own && page * kPageSize >= shared_end) return {end, own};
  return {std::min(page * kPageSize, end), own};
}

// --- Changing ----------------------------------------------------------------------------------

int CloneStore::Make(uint64_t offset, uint64_t length, Change change) {
  const uint64_t end = offset + length;
  for (uint64_t begin = offset; begin < end;) {
    const uint64_t batch_end = BatchEnd(begin, end);
    const StripeLocks::Exclusive lock(locks_, FirstPage(begin), LastPage(batch_end));
    // What is left of a page that changes in part.
    int error = begin % kPageSize == 0 ? 0 : CopyIfShared(FirstPage(begin));
    if (error == 0 && batch_end % kPageSize != 0) error = CopyIfShared(LastPage(batch_end));
    if (error == 0) error = change(begin, batch_end - begin);
    KillPoint("clone-changed");
    if (error == 0) error = MakeOwn(FirstPage(begin), LastPage(batch_end));
    if (error != 0) return error;
    begin = batch_end;
  }
  return 0;
}

int CloneStore::Write(uint64_t offset, uint64_t length, const void* data) {
  const auto* const bytes = static_cast<const char*>(data);
  return Make(offset, length, [&](uint64_t begin, uint64_t count) {
    return own_.Write(begin, count, bytes + (begin - offset));
  });
}

int CloneStore::Discard(uint64_t offset, uint64_t length) {
  return Make(offset, length,
              [&](uint64_t begin, uint64_t count) { return own_.Discard(begin, count); });
}

int CloneStore::WriteZeroes(uint64_t offset, uint64_t length) {
  return Make(offset, length,
              [&](uint64_t begin, uint64_t count) { return own_.WriteZeroes(begin, count); });
}

int CloneStore::Allocate(uint64_t offset, uint64_t length) {
  return Make(offset, length, [&](uint64_t begin, uint64_t count) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (uint64_t page = FirstPage(begin); page <= LastPage(begin + count); ++page) {
      if (const int error = CopyIfShared(page); error != 0) return error;
    }
    return own_.Allocate(begin, count);
  });
}

int CloneStore::CopyIfShared(uint64_t page) {
  const uint64_t place = page * kPageSize;
  if (RunAt(place, place + kPageSize).own) return 0;
  char bytes[kPageSize] = {};
  int error =
      ReadOrigin(place, kPageSize, [&](absl::Span<const iovec> parts) { Join(parts, bytes); });
  if (error != 0) return error;
  error = IsZero(bytes) ? own_.Discard(place, kPageSize) : own_.Write(place, kPageSize, bytes);
  return error != 0 ? error : MakeOwn(page, page);
}

// At most the pages of a batch.
int CloneStore::MakeOwn(uint64_t first, uint64_t last) {
  const uint64_t shared = shared_pages_.load(std::memory_order_acquire);
  if (first >= shared) return 0;
  last = std::min(last, shared - 1);
  std::array<Mark, kBatch / kStripe> marks;
  const uint64_t first_stripe = first / kPagesPerStripe;
  const uint64_t stripes = last / kPagesPerStripe - first_stripe + 1;
  bool changed = false;
  for (uint64_t i = 0; i < stripes; ++i) {
    const uint64_t stripe_first = (first_stripe + i) * kPagesPerStripe;
    const uint64_t low = std::max(first, stripe_first) - stripe_first;
    const uint64_t high = std::min(last, stripe_first + kPagesPerStripe - 1) - stripe_first;
    const Mark before = MarkOf(first_stripe + i);
    marks[i] = before | (UINT32_MAX >> (kPagesPerStripe - 1 - high + low)) << low;
    changed = changed || marks[i] != before;
  }
  if (!changed) return 0;
  const int error =
      marks_->Write(first_stripe * sizeof(Mark), stripes * sizeof(Mark), marks.data());
  if (error != 0) return error;
  for (uint64_t i = 0; i < stripes; ++i) {
    if (stripes_.Store(first_stripe + i, XArray::MakeValue(marks[i])).error != 0) return ENOMEM;
  }
  return 0;
}

int CloneStore::PrepareToDiscard(uint64_t begin) {
  const uint64_t shared_end = shared_pages_.load(std::memory_order_acquire) * kPageSize;
  const uint64_t end = std::min(size_bytes(), shared_end);
  if (begin >= end) return 0;
  const uint64_t first_stripe = FirstPage(begin) / kPagesPerStripe;
  const uint64_t stripes = LastPage(end) / kPagesPerStripe - first_stripe + 1;
  int error = marks_->Allocate(first_stripe * sizeof(Mark), stripes * sizeof(Mark));
  while (error == 0 && begin < end) {
    const uint64_t batch_end = BatchEnd(begin, end);
    const StripeLocks::Exclusive lock(locks_, FirstPage(begin), LastPage(batch_end));
    for (; error == 0 && begin < batch_end; begin = begin / kStripe * kStripe + kStripe) {
      const uint64_t stripe = begin / kStripe;
      if (stripes_.Load(stripe) != nullptr) continue;
      error = stripes_.Store(stripe, XArray::MakeValue(0)).error;
    }
  }
  return error;
}

int CloneStore::Grow(uint64_t size_bytes) {
  for (uint64_t begin = this->size_bytes(); begin < size_bytes;) {
    const uint64_t end = BatchEnd(begin, size_bytes);
    const StripeLocks::Exclusive lock(locks_, FirstPage(begin), LastPage(end));
    if (FirstPage(begin) >= shared_pages_.load(std::memory_order_acquire)) break;
    if (const int error = MakeOwn(FirstPage(begin), LastPage(end)); error != 0) return error;
    begin = end;
  }
  return 0;
}

// What the origin does not have needs no copy.
int CloneStore::StandAlone(uint64_t pages_max) {
  if (stands_alone()) return 0;
  const uint64_t end = size_bytes();
  for (uint64_t begin = NextShared(0); begin < end; begin = NextShared(begin)) {
    if (pages_max < kPagesPerStripe) return EAGAIN;
    pages_max -= kPagesPerStripe;
    const uint64_t stripe_end = std::min(begin - begin % kStripe + kStripe, end);
    const StripeLocks::Exclusive lock(locks_, FirstPage(begin), LastPage(stripe_end));
    for (; begin < stripe_end; begin += kPageSize) {
      if (const int error = CopyIfShared(FirstPage(begin)); error != 0) return error;
      KillPoint("clone-page-copied");
    }
  }
  // From here on whoever takes over takes all for the clone's own, and only then is nothing marked.
  marks_->Disown();
  KillPoint("clone-complete");
  shared_pages_.store(0, std::memory_order_release);
  locks_.Drain();  // who has seen it otherwise holds one
  origin_.reset();
  marks_.reset();
  KillPoint("clone-alone");
  return 0;
}

// The first page's place that the origin has something for, or a write that failed has left
// something in.
uint64_t CloneStore::NextShared(uint64_t offset) const {
  const uint64_t end =
      std::min(size_bytes(), shared_pages_.load(std::memory_order_acquire) * kPageSize);
  while (offset < end) {
    const Run run = RunAt(offset, end);
    const uint64_t data =
        run.own ? run.end : std::min({origin_->NextData(offset), own_.NextData(offset), end});
    if (data < run.end) return data - data % kPageSize;
    offset = run.end;
  }
  return UINT64_MAX;
}

}  // namespace rnullfs
