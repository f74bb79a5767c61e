// Going back: what the pages were at a moment is written to the disk again.
//
// It is one change, with one number, and what it overwrites is kept as for any other; so with
// history it can itself be undone.  Pages that are what they were are left alone: it costs what has
// changed, and to do it again, after a death within it, does what is left to do.  The header says
// where to while it is under way: who adopts the file goes on before anybody else has the disk.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "base/kill_point.h"
#include "past/past.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

}  // namespace

// History makes room, but for what is needed to go back; without any it is not kept.
int Past::RollBack(uint64_t moment, uint64_t request) {
  // What a cache below has would be lost by the next power-off, and with it a part of what the disk
  // was then.
  if (const int error = below_->Flush(); error != 0) return error;
  const uint64_t before = retention_.Holds(moment) ? UINT64_MAX : moment + 1;
  const Need need = NeedOf(moment);
  bool history = true;
  while (!SetAside(history ? need.wanted : need.held, need.stored)) {
    if (MakeRoom(before)) continue;
    if (!history) return ENOSPC;
    history = false;
  }
  const absl::Cleanup end = [this] { file_->EndReservation(); };
  if (const int error = FillHoles(moment); error != 0) return error;
  VersionFile::Header& header = file_->header();
  header.rollback_request = request;
  header.rollback_to.store(moment + 1, std::memory_order_release);
  KillPoint("rollback-begun");
  const int error = RollBackPages(moment, before, history);
  KillPoint("rollback-made");
  if (error != 0) header.rollback_request = 0;
  header.rollback_to.store(0, std::memory_order_release);
  KillPoint("rollback-ended");
  if (error == 0) ForgetRestored(moment);
  Trim();
  return error == 0 ? 0 : EIO;
}

// So that going back again and again costs what has changed in between, not all that ever has.
void Past::ForgetRestored(uint64_t moment) {
  VersionList restored = retention_.TakeRestored(moment);
  while (!restored.empty()) Forget(restored.PopFront(*file_));
}

bool Past::RolledBackBy(uint64_t request) const {
  const VersionFile::Header& header = file_->header();
  return request != 0 && header.rollback_to == 0 && header.rollback_request == request;
}

Past::Need Past::NeedOf(uint64_t moment) {
  Need need;
  const uint64_t pages = size_bytes() / kPageSize;
  for (uint64_t page = NextChanged(0); page < pages; page = NextChanged(page + 1)) {
    const StripeLocks::Shared lock(locks_, page, page);
    const std::optional<Version> version = index_.At(page, moment);
    if (!version || IsNow(page, *version)) continue;
    AddPage(page, need);
    if (IsHoleNow(page)) ++need.stored;
  }
  return need;
}

// Stores zeros where there will be contents, which reads the same, so that no other disk has that
// memory when it is needed; none where there is not enough for all.
int Past::FillHoles(uint64_t moment) {
  const auto will_differ = [&](uint64_t page) {
    const StripeLocks::Shared lock(locks_, page, page);
    const std::optional<Version> version = index_.At(page, moment);
    return version && !file_->IsHole(*version) && !IsNow(page, *version);
  };
  const uint64_t pages = size_bytes() / kPageSize;
  for (uint64_t page = NextChanged(0); page < pages; page = NextChanged(page + 1)) {
    if (!IsHoleNow(page) || !will_differ(page)) continue;
    const int error = below_->Allocate(page * kPageSize, kPageSize);
    KillPoint("hole-filled");
    if (error == 0) continue;
    for (uint64_t filled = NextChanged(0); filled < page; filled = NextChanged(filled + 1)) {
      if (!will_differ(filled) || !IsZeroNow(filled)) continue;
      static_cast<void>(below_->Discard(filled * kPageSize, kPageSize));
    }
    return error;
  }
  return 0;
}

int Past::RollBackPages(uint64_t moment, uint64_t before, bool history) {
  const uint64_t number = file_->header().sequence.fetch_add(1) + 1;
  const uint64_t pages = size_bytes() / kPageSize;
  for (uint64_t page = NextChanged(0); page < pages; page = NextChanged(page + 1)) {
    int error = PutBackPage(page, moment, number, history);
    while (error == ENOSPC && MakeRoom(std::min(before, number))) {
      error = PutBackPage(page, moment, number, history);
    }
    if (error != 0) return error;
    KillPoint("page-put-back");
  }
  return 0;
}

int Past::PutBackPage(uint64_t page, uint64_t moment, uint64_t number, bool history) {
  const StripeLocks::Exclusive lock(locks_, page, page);
  const std::optional<Version> version = index_.At(page, moment);
  if (!version || IsNow(page, *version)) return 0;
  const int error = KeepPage(page, number, history);
  return error != 0 ? error : PutBack(page, *version);
}

bool Past::IsNow(uint64_t page, Version version) {
  const uint64_t place = page * kPageSize;
  const bool hole = IsHoleNow(page);
  if (hole || file_->IsHole(version)) return hole && file_->IsHole(version);
  const char* contents = file_->Contents(version);
  if (contents == nullptr) return false;
  bool same = true;
  const int error = below_->Read(place, kPageSize, [&](absl::Span<const iovec> blocks) {
    for (const iovec& block : blocks) {
      same = same && std::memcmp(block.iov_base, contents, block.iov_len) == 0;
      contents += block.iov_len;
    }
  });
  return error == 0 && same;
}

bool Past::IsZeroNow(uint64_t page) {
  bool zero = true;
  const int error = below_->Read(page * kPageSize, kPageSize, [&](absl::Span<const iovec> blocks) {
    for (const iovec& block : blocks) {
      const auto* const bytes = static_cast<const char*>(block.iov_base);
      zero = zero && std::all_of(bytes, bytes + block.iov_len, [](char byte) { return byte == 0; });
    }
  });
  return error == 0 && zero;
}

int Past::PutBack(uint64_t page, Version version) {
  const uint64_t place = page * kPageSize;
  if (file_->IsHole(version)) return below_->Discard(place, kPageSize);
  if (const char* const contents = file_->Contents(version); contents != nullptr) {
    return below_->WriteThrough(place, kPageSize, contents);
  }
  char contents[kPageSize];
  const int error = file_->CopyOut(version, 0, kPageSize, contents);
  return error != 0 ? error : below_->WriteThrough(place, kPageSize, contents);
}

}  // namespace rnullfs
