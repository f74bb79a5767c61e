// Memory for changes.  The history makes room for a change that finds none; one of many pages that
// must be made wholly or not at all (to cut off a disk's end, or to go back, rollback.cc) has all
// that it needs set aside before the first page changes.

#include <algorithm>
#include <cerrno>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "base/kill_point.h"
#include "past/past.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

}  // namespace

// Tries `change` again when the history has made room for it; at last without keeping history.
// What is of `before` or newer, or newer than the first time, stays until then: it may be what has
// been kept for this change.
int Past::WithRoom(uint64_t before, absl::FunctionRef<int(bool history)> change) {
  const uint64_t first = sequence() + 1;
  int error = change(true);
  while (error == ENOSPC && MakeRoom(std::min(before, first))) error = change(true);
  if (error != ENOSPC || !retention_.history()) return error;
  while (MakeRoom(UINT64_MAX)) {
  }
  return change(false);
}

// Gives some memory back; false when there was none.
bool Past::MakeRoom(uint64_t before) {
  constexpr int kBatchOfVersions = 256;
  bool made = false;
  for (int i = 0; i < kBatchOfVersions; ++i) {
    const std::optional<Version> version = retention_.TakeOlderThan(before);
    if (!version) break;
    Forget(*version);
    made = true;
  }
  return file_->GiveBackFree() || made || log_.GiveBack();
}

// --- Changes of many pages ---------------------------------------------------------------------

// All is kept before the first page goes: from then on nothing has to be, also for who comes after
// a death.
int Past::CutOff(uint64_t size_bytes, absl::FunctionRef<int()> prepare) {
  const Need need = NeedToDiscard(size_bytes);
  for (;;) {
    const int error = prepare();
    if (error == 0 && SetAside(need.held, 0)) break;
    if (error != 0 && error != ENOSPC) return error;
    if (!MakeRoom(UINT64_MAX)) return ENOSPC;
  }
  const absl::Cleanup reserved = [this] { file_->EndReservation(); };
  const auto in_pieces = [&](Change change) {
    const uint64_t end = this->size_bytes();
    for (uint64_t begin = size_bytes; begin < end; begin = BatchEnd(begin, end)) {
      const int error =
          MakePiece(begin, BatchEnd(begin, end),
                    {.what = {.kind = LogEntry::Kind::kDiscard}, .history = false}, change);
      if (error != 0) return error;
    }
    return 0;
  };
  const int error = in_pieces([](uint64_t /*begin*/, uint64_t /*length*/) {
    KillPoint("piece-kept");
    return 0;
  });
  if (error != 0) return error;
  return in_pieces([this](uint64_t begin, uint64_t length) {
    const int not_discarded = below_->Discard(begin, length);
    KillPoint("piece-cut-off");
    return not_discarded;
  });
}

Past::Need Past::NeedToDiscard(uint64_t begin) {
  Need need;
  const uint64_t end = size_bytes();
  for (uint64_t at = below_->NextData(begin); at < end; at = below_->NextData(at)) {
    const uint64_t page = FirstPage(at);
    const StripeLocks::Shared lock(locks_, page, page);
    AddPage(page, need);
    at = (page + 1) * kPageSize;
  }
  return need;
}

// What has to be kept when the page changes.
void Past::AddPage(uint64_t page, Need& need) {
  const uint64_t since = index_.SinceNow(page);
  const uint64_t contents = IsHoleNow(page) ? 0 : 1;
  const auto add = [contents](VersionFile::Amount& amount) {
    ++amount.records;
    amount.contents += contents;
  };
  if (retention_.Wants(since)) add(need.wanted);
  if (retention_.IsHeld(since)) add(need.held);
}

// What is kept has its memory from here on; for what is stored there is some.
bool Past::SetAside(const VersionFile::Amount& kept, uint64_t stored) {
  return file_->HasMemory(file_->BytesFor(kept) + stored * kPageSize) && file_->Reserve(kept);
}

bool Past::NeedsMemory(uint64_t page) const {
  return IsHoleNow(page) || !below_->IsOwn(page * kPageSize);
}

bool Past::IsHoleNow(uint64_t page) const {
  const uint64_t place = page * kPageSize;
  return below_->NextData(place) >= place + kPageSize;
}

}  // namespace rnullfs
