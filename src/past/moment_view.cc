#include "past/moment_view.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "past/parts.h"
#include "past/past.h"
#include "store/io_vector.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

}  // namespace

// What has not changed since is handed out where it lies below, in the one call in which that holds
// still.
int MomentView::Read(uint64_t offset, uint64_t length, Sink sink) {
  const uint64_t end = offset + length;
  if (length == 0) {
    if (!held_ && moment_ < past_.oldest()) return ESTALE;
    sink({});
    return 0;
  }
  const StripeLocks::Shared lock(past_.locks_, FirstPage(offset), LastPage(end));
  if (!held_ && moment_ < past_.oldest()) return ESTALE;
  if (RunOfNow(offset, end) == end && end <= past_.size_bytes()) {
    return past_.below_->Read(offset, length, sink);
  }
  int error = 0;
  const auto gather = [&](absl::Span<const iovec> now, uint64_t now_begin, uint64_t now_end) {
    IoVector vector;
    Parts parts(now, now_begin);
    error = Gather(offset, end, parts, now_end, vector);
    if (error == 0) sink(vector.blocks());
  };
  // What lies behind the disk's end, as it is now, had been a hole when it was cut off.
  const uint64_t now_end = std::clamp(past_.size_bytes(), offset, end);
  const uint64_t now_begin = NextOfNow(offset, now_end);
  if (now_begin == now_end) {
    gather({}, now_end, now_end);
    return error;
  }
  const int unread =
      past_.below_->Read(now_begin, now_end - now_begin,
                         [&](absl::Span<const iovec> now) { gather(now, now_begin, now_end); });
  return unread != 0 ? unread : error;
}

// How far from `begin` on the disk is now what it was.
uint64_t MomentView::RunOfNow(uint64_t begin, uint64_t end) const {
  uint64_t page = FirstPage(begin);
  while (page <= LastPage(end) && !past_.index_.At(page, moment_)) ++page;
  return std::clamp(page * kPageSize, begin, end);
}

// Where it is, from `begin` on.
uint64_t MomentView::NextOfNow(uint64_t begin, uint64_t end) const {
  while (begin < end && past_.index_.At(FirstPage(begin), moment_)) {
    begin = std::min(end, (FirstPage(begin) + 1) * kPageSize);
  }
  return begin;
}

// `now` has what the disk is now, as far as `now_end`, where it is what it was.
int MomentView::Gather(uint64_t begin, uint64_t end, Parts& now, uint64_t now_end,
                       IoVector& to) const {
  while (begin < end) {
    const uint64_t run_end = RunOfNow(begin, end);
    if (run_end == begin) {
      if (const int error = GatherVersion(begin, end, to); error != 0) return error;
      begin = std::min(end, (FirstPage(begin) + 1) * kPageSize);
      continue;
    }
    const uint64_t there = std::clamp(now_end, begin, run_end);
    now.AppendTo(to, begin, there);
    to.AppendZeros(run_end - there);
    begin = run_end;
  }
  return 0;
}

// Of the page that `begin` lies in.
int MomentView::GatherVersion(uint64_t begin, uint64_t end, IoVector& to) const {
  const uint64_t page = FirstPage(begin);
  const Version version = *past_.index_.At(page, moment_);
  const uint64_t within = begin % kPageSize;
  const uint64_t length = std::min(end - begin, kPageSize - within);
  VersionFile& file = *past_.file_;
  if (file.IsHole(version)) {
    to.AppendZeros(length);
    return 0;
  }
  if (const char* const contents = file.Contents(version); contents != nullptr) {
    to.Append(contents + within, length);
    return 0;
  }
  char* const copy = to.AppendNew(length);
  return copy == nullptr ? ENOMEM : file.CopyOut(version, within, length, copy);
}

// The next data, or hole, of the disk as it is now.
uint64_t MomentView::NextNow(uint64_t offset, bool data) const {
  const StripeLocks::Shared lock(past_.locks_, FirstPage(offset), FirstPage(offset));
  const uint64_t end = past_.size_bytes();
  if (offset >= end) return data ? size_bytes_ : offset;
  const uint64_t found = data ? past_.below_->NextData(offset) : past_.below_->NextHole(offset);
  return data && found >= end ? size_bytes_ : found;
}

uint64_t MomentView::NextData(uint64_t offset) const {
  uint64_t now = 0;  // the next data of the disk as it is, once it has been asked
  while (offset < size_bytes_) {
    if (now <= offset) now = NextNow(offset, /*data=*/true);
    const uint64_t page = past_.NextChanged(FirstPage(offset));
    if (page > FirstPage(now)) return std::min(now, size_bytes_);
    const uint64_t begin = std::max(offset, page * kPageSize);
    switch (StateOf(page)) {
      case State::kData:
        return std::min(begin, size_bytes_);
      case State::kAsNow:
        if (FirstPage(now) == page) return std::min(now, size_bytes_);
        break;
      case State::kHole:
        break;
    }
    offset = (page + 1) * kPageSize;
  }
  return size_bytes_;
}

uint64_t MomentView::NextHole(uint64_t offset) const {
  while (offset < size_bytes_) {
    const uint64_t page = FirstPage(offset);
    switch (StateOf(page)) {
      case State::kHole:
        return offset;
      case State::kAsNow: {
        const uint64_t hole = NextNow(offset, /*data=*/false);
        if (StateOf(page) != State::kAsNow) break;  // it has changed before that was looked for
        const uint64_t changed = past_.NextChanged(page + 1);
        if (FirstPage(hole) < changed) return std::min(hole, size_bytes_);
        offset = changed * kPageSize;
        break;
      }
      case State::kData:
        offset = (page + 1) * kPageSize;
        break;
    }
  }
  return size_bytes_;
}

MomentView::State MomentView::StateOf(uint64_t page) const {
  const StripeLocks::Shared lock(past_.locks_, page, page);
  const std::optional<Version> version = past_.index_.At(page, moment_);
  if (!version) return State::kAsNow;
  return past_.file_->IsHole(*version) ? State::kHole : State::kData;
}

}  // namespace rnullfs
