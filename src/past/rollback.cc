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

int Past::RollBack(uint64_t moment, uint64_t request) {
  // What a cache below has would be lost by the next power-off, and with it a part of what the disk
  // was then.
  int error = below_->Flush();
  bool history = true;
  const absl::Cleanup end = [this] { file_->EndReservation(); };
  if (error == 0) error = PrepareToRollBack(moment, history);
  if (error != 0) return error == ENOSPC || error == ENOMEM ? ENOSPC : EREMOTEIO;
  VersionFile::Header& header = file_->header();
  header.rollback_request = request;
  header.rollback_alone = history ? 0 : 1;
  header.rollback_to.store(moment + 1, std::memory_order_release);
  KillPoint("rollback-begun");
  return FinishRollBack();
}

// What the header says, whoever began it, and has set memory aside for it.
int Past::FinishRollBack() {
  VersionFile::Header& header = file_->header();
  const uint64_t moment = header.rollback_to - 1;
  const int error = RollBackPages(moment, MayGoBefore(moment), header.rollback_alone == 0);
  KillPoint("rollback-made");
  if (error != 0) header.rollback_request = 0;
  if (error == 0) NoteDurable(sequence());
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

// --- Memory ------------------------------------------------------------------------------------

// What of the history is older may make room: the rest is needed to go back.
uint64_t Past::MayGoBefore(uint64_t moment) const {
  return retention_.Holds(moment) ? UINT64_MAX : moment + 1;
}

// Without any room history is not kept.
int Past::PrepareToRollBack(uint64_t moment, bool& history) {
  const uint64_t before = MayGoBefore(moment);
  Need need = NeedOf(moment);
  for (;;) {
    int error = ENOSPC;
    if (SetAside(history ? need.wanted : need.held, need.stored)) {
      error = need.stored == 0 ? 0 : StoreBelow(moment, need.stored);
    }
    if (error == 0) return 0;
    file_->EndReservation();
    if (error == ENOSPC && MakeRoom(before)) continue;
    if (error != ENOSPC || !history) {
      TakeBackHoles(moment);
      return error;
    }
    history = false;
  }
}

// Calls f(page) for every page that is not what it was then, until it returns false.
template <typename F>
void Past::ForEachThatDiffers(uint64_t moment, F f) {
  const uint64_t pages = size_bytes() / kPageSize;
  for (uint64_t page = NextChanged(0); page < pages; page = NextChanged(page + 1)) {
    {
      const StripeLocks::Shared lock(locks_, page, page);
      const std::optional<Version> version = index_.At(page, moment);
      if (!version || IsNow(page, *version)) continue;
    }
    if (!f(page)) return;
  }
}

Past::Need Past::NeedOf(uint64_t moment) {
  Need need;
  ForEachThatDiffers(moment, [&](uint64_t page) {
    const StripeLocks::Shared lock(locks_, page, page);
    AddPage(page, need);
    if (NeedsMemory(page)) ++need.stored;
    return true;
  });
  return need;
}

// So that no other disk has that memory when it is needed: holes become zeros, what is shared is
// copied, which reads the same.  `left`: how many there are of these.
int Past::StoreBelow(uint64_t moment, uint64_t& left) {
  static constexpr char kZeros[kPageSize] = {};
  int error = 0;
  ForEachThatDiffers(moment, [&](uint64_t page) {
    if (!NeedsMemory(page)) return true;
    const uint64_t place = page * kPageSize;
    error = IsHoleNow(page) ? below_->WriteThrough(place, kPageSize, kZeros)
                            : below_->Allocate(place, kPageSize);
    KillPoint("page-stored-below");
    if (error == 0) --left;
    return error == 0;
  });
  return error;
}

// What StoreBelow() has made of holes.
void Past::TakeBackHoles(uint64_t moment) {
  ForEachThatDiffers(moment, [this](uint64_t page) {
    if (IsZeroNow(page)) static_cast<void>(below_->Discard(page * kPageSize, kPageSize));
    return true;
  });
}

// --- Pages -------------------------------------------------------------------------------------

int Past::RollBackPages(uint64_t moment, uint64_t before, bool history) {
  const uint64_t number = Count({.kind = LogEntry::Kind::kRollback});
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
