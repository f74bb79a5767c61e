// A power cut on a disk without a write cache: what no flush has covered may be lost.
//
// A page is made of what the last flush has covered, and of those of the later changes that the cut
// keeps, in their order (rnullfs/power_cut.h); so it never has something while it lacks what was
// durable before that.  History that has been forgotten can no more be taken away: it counts as
// covered.  To whoever looks at moments all of it is one change more.
//
// The header says what is under way, as for a rollback.  A page that has been made what it will be
// becomes that again, so that who comes after a death goes on.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <unordered_set>

#include "base/kill_point.h"
#include "past/page_bytes.h"
#include "past/past.h"
#include "store/page_sectors.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

// What there is no memory for is not counted; the power has gone all the same.
void Add(std::unordered_set<uint64_t>& numbers, uint64_t number) {
  try {
    numbers.insert(number);
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

// What a page comes to be.
struct Past::Left {
  char bytes[kPageSize];
  bool hole = false;  // it was one, and nothing newer is kept
  uint64_t sectors_lost = 0;
};

// A flush covers what was counted before it; what counts while it is under way it may cover.
// What one that was lost meanwhile has promised beyond that it does not cover.
void Past::NoteDurable(uint64_t number) {
  const LockGuard lock(flushes_);
  NoteCovered(number);
  const uint64_t firm = file_->header().firm;
  if (firm == 0) return;
  file_->header().firm = covered() > number ? std::max(firm, number + 1) : 0;
}

// So much has been promised.
void Past::NoteCovered(uint64_t number) {
  std::atomic<uint64_t>& durable = file_->header().durable;
  uint64_t before = durable;
  while (before < number + 1 && !durable.compare_exchange_weak(before, number + 1)) {
  }
}

uint64_t Past::covered() const {
  const uint64_t after = file_->header().durable;
  return after == 0 ? 0 : after - 1;
}

uint64_t Past::durable() const { return std::max(covered(), oldest()); }

uint64_t Past::firm() const {
  const uint64_t after = file_->header().firm;
  return after == 0 ? durable() : std::max(after - 1, oldest());
}

int Past::FlushFalsely() {
  const LockGuard lock(flushes_);
  if (file_->header().firm == 0) file_->header().firm = covered() + 1;
  KillPoint("flush-lost");
  NoteCovered(Count({.kind = LogEntry::Kind::kFlush, .flags = LogEntry::kLost}));
  return 0;
}

int Past::ForEachBroken(const PowerCut& cut, Differ differ) {
  if (file_->header().firm == 0) return 0;
  const Unflushed so = {.from = firm(), .until = sequence(), .cut = cut};
  const Unflushed promised = {.from = durable(), .until = so.until, .cut = cut};
  int failed = 0;
  ForEachUnflushed(so.from, [&](uint64_t page) {
    Left is;
    Left would_be;
    int error = 0;
    {
      const StripeLocks::Shared lock(locks_, page, page);
      error = MakeLeft(page, so, is, [](uint64_t /*number*/) {});
      if (error == 0) error = MakeLeft(page, promised, would_be, [](uint64_t /*number*/) {});
    }
    const bool same = std::memcmp(is.bytes, would_be.bytes, kPageSize) == 0;
    if (error == 0 && !same) error = differ(page, is.bytes, would_be.bytes);
    if (error != 0) failed = error;
  });
  return failed;
}

CutLoss Past::WhatIsLost(const PowerCut& cut) {
  CutLoss loss;
  loss.forgotten = durable() - covered();
  std::unordered_set<uint64_t> requests;
  const Unflushed unflushed = {.from = firm(), .until = sequence(), .cut = cut};
  ForEachUnflushed(unflushed.from, [&](uint64_t page) {
    const StripeLocks::Shared lock(locks_, page, page);
    Left left;
    const int error =
        MakeLeft(page, unflushed, left, [&](uint64_t number) { Add(requests, number); });
    if (error == 0) loss.sectors += left.sectors_lost;
  });
  loss.requests = requests.size();
  return loss;
}

int Past::LoseUnflushed(const PowerCut& cut) {
  VersionFile::Header& header = file_->header();
  header.cut_until = sequence();
  header.cut_keeps = static_cast<uint64_t>(cut.keeps);
  header.cut_seed = cut.seed;
  header.cut_block_sectors = cut.block_sectors;
  header.cut_from.store(durable() + 1, std::memory_order_release);
  KillPoint("cut-noted");
  return FinishCut();
}

// What the header says, whoever began it.
int Past::FinishCut() {
  VersionFile::Header& header = file_->header();
  const Unflushed unflushed = {
      .from = header.cut_from - 1,
      .until = header.cut_until,
      .cut = {.keeps = static_cast<CutKeeps>(header.cut_keeps.load()),
              .seed = header.cut_seed,
              .block_sectors = static_cast<uint32_t>(header.cut_block_sectors)}};
  const uint64_t number = Count({.kind = LogEntry::Kind::kPowerCut});
  bool history = true;
  int failed = 0;
  ForEachUnflushed(unflushed.from, [&](uint64_t page) {
    int error = LoseOfPage(page, unflushed, number, history);
    while (error == ENOSPC && MakeRoom(std::min(unflushed.from + 1, number))) {
      error = LoseOfPage(page, unflushed, number, history);
    }
    if (error == ENOSPC && history) {
      history = false;
      error = LoseOfPage(page, unflushed, number, history);
    }
    // It stays as it is, which a cut may leave as well.
    if (error != 0) failed = error;
    KillPoint("page-cut");
  });
  NoteDurable(sequence());
  header.cut_from.store(0, std::memory_order_release);
  Trim();
  return failed;
}

int Past::LoseOfPage(uint64_t page, const Unflushed& unflushed, uint64_t number, bool history) {
  const StripeLocks::Exclusive lock(locks_, page, page);
  Left left;
  int error = MakeLeft(page, unflushed, left, [](uint64_t /*number*/) {});
  if (error != 0 || left.sectors_lost == 0) return error;
  error = KeepPage(page, number, history);
  if (error != 0) return error;
  const uint64_t place = page * kPageSize;
  return left.hole ? below_->Discard(place, kPageSize)
                   : below_->WriteThrough(place, kPageSize, left.bytes);
}

// Calls f(page) for every page that has changed since.
template <typename F>
void Past::ForEachUnflushed(uint64_t from, F f) {
  const uint64_t pages = size_bytes() / kPageSize;
  for (uint64_t page = NextChanged(0); page < pages; page = NextChanged(page + 1)) {
    {
      const StripeLocks::Shared lock(locks_, page, page);
      if (!index_.At(page, from)) continue;
    }
    f(page);
  }
}

// Makes of the page what is left of it, and tells the numbers of changes that have lost something.
template <typename F>
int Past::MakeLeft(uint64_t page, const Unflushed& unflushed, Left& left, F lost) {
  char was[kPageSize];  // before each change
  const int error = WalkLocked(page, unflushed.from, unflushed.until,
                               [&](uint64_t change, bool hole, const char* is) {
                                 if (change == 0) {
                                   std::memcpy(left.bytes, is, kPageSize);
                                   left.hole = hole;
                                 } else if (AddKept(page, change, unflushed.cut, was, is, left)) {
                                   lost(change);
                                 }
                                 std::memcpy(was, is, kPageSize);
                               });
  if (error != 0) return error;
  for (uint64_t at = 0; at < kPageSize; at += kSectorSize) {
    if (std::memcmp(left.bytes + at, was + at, kSectorSize) != 0) ++left.sectors_lost;
  }
  return 0;
}

int Past::WalkLocked(uint64_t page, uint64_t from, uint64_t until, Walk walk) {
  char is[kPageSize];
  uint64_t change = 0;  // none yet
  for (uint64_t moment = from; change <= until; moment = change) {
    const std::optional<Version> version = index_.At(page, moment);
    const int error =
        version ? CopyVersion(*version, is) : below_->CopyOut(page * kPageSize, kPageSize, is);
    if (error != 0) return error;
    walk(change, version && file_->IsHole(*version), is);
    if (!version) break;
    change = file_->UntilOf(*version);
  }
  return 0;
}

// Adds what the cut keeps of a change; true if it does not keep all.
bool Past::AddKept(uint64_t page, uint64_t change, const PowerCut& cut, const char* was,
                   const char* is, Left& left) {
  bool loses = false;
  for (uint64_t at = 0; at < kPageSize; at += kSectorSize) {
    if (std::memcmp(was + at, is + at, kSectorSize) == 0) continue;
    if (cut.KeepsChanged(change, (page * kPageSize + at) / kSectorSize)) {
      std::memcpy(left.bytes + at, is + at, kSectorSize);
      left.hole = false;
    } else {
      loses = true;
    }
  }
  return loses;
}

int Past::CopyVersion(Version version, char* to) {
  if (!file_->IsHole(version)) return file_->CopyOut(version, 0, kPageSize, to);
  std::memset(to, 0, kPageSize);
  return 0;
}

}  // namespace rnullfs
