#include "past/past.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/kill_point.h"
#include "past/moment_view.h"
#include "past/page_bytes.h"
#include "rnullfs/error.h"
#include "store/pages.h"
#include "store/write_cache.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

}  // namespace

absl::StatusOr<std::unique_ptr<Past>> Past::Create(std::string_view name, MemoryLimit& memory,
                                                   MemfdKeeper& keeper, Store& below) {
  absl::StatusOr<std::unique_ptr<VersionFile>> file = VersionFile::Create(name, memory, keeper);
  if (!file.ok()) return file.status();
  (*file)->header().size_bytes = below.size_bytes();
  (*file)->header().durable = 1;
  return std::unique_ptr<Past>(new Past(*std::move(file), below));
}

absl::StatusOr<std::unique_ptr<Past>> Past::Adopt(MemoryLimit& memory, MemfdKeeper& keeper,
                                                  UniqueFd memfd, uint64_t history_bytes,
                                                  Store& below) {
  absl::StatusOr<std::unique_ptr<VersionFile>> file =
      VersionFile::Adopt(memory, keeper, std::move(memfd));
  if (!file.ok()) return file.status();
  std::unique_ptr<Past> past(new Past(*std::move(file), below));
  const uint64_t oldest = past->file_->header().oldest;
  past->retention_.SetHistory(history_bytes);
  past->log_.Adopt(history_bytes);
  // It is later than now where a history had ended.
  if (history_bytes > 0 && oldest <= past->sequence()) past->file_->header().oldest = oldest;
  if (absl::Status found = past->Find(); !found.ok()) return found;
  if (past->file_->header().rollback_to != 0) {
    // It had its memory.  What fails of it is said when the request comes again.
    past->file_->ReserveAnyway();
    static_cast<void>(past->FinishRollBack());
    past->file_->EndReservation();
  }
  if (past->file_->header().durable == 0)
    past->NoteDurable(past->sequence());  // as who noted none would have it
  if (past->file_->header().cut_from != 0) {
    past->file_->ReserveAnyway();
    static_cast<void>(past->FinishCut());
    past->file_->EndReservation();
  }
  past->Trim();
  return past;
}

// Waits for those who have answered a read and have yet to let go of its locks.
Past::~Past() { const StripeLocks::Exclusive all(locks_, 0, UINT64_MAX); }

// --- Changes -----------------------------------------------------------------------------------

int Past::Make(uint64_t offset, uint64_t length, const LogEntry& what, Change change) {
  const uint64_t end = offset + length;
  for (uint64_t begin = offset; begin < end;) {
    const uint64_t batch_end = BatchEnd(begin, end);
    const int error = WithRoom(UINT64_MAX, [&](bool history) {
      return MakePiece(begin, batch_end, {.what = what, .history = history}, change);
    });
    if (error != 0) return error;
    begin = batch_end;
  }
  Trim();
  return 0;
}

int Past::MakePiece(uint64_t begin, uint64_t end, const How& how, Change change) {
  const StripeLocks::Exclusive lock(locks_, FirstPage(begin), LastPage(end));
  LogEntry what = how.what;
  what.offset = begin;
  what.length = end - begin;
  const uint64_t number = Count(what);
  if (const int error = KeepRange(begin, end, how, number); error != 0) {
    log_.TakeBack(number);
    return error;
  }
  KillPoint("past-kept");
  return change(begin, end - begin);
}

// --- Kinds of changes --------------------------------------------------------------------------

int Past::Write(uint64_t offset, uint64_t length, const void* data) {
  const auto* const bytes = static_cast<const char*>(data);
  return Make(offset, length, {.kind = LogEntry::Kind::kWrite},
              [&](uint64_t begin, uint64_t count) {
                return below_->Write(begin, count, bytes + (begin - offset));
              });
}

int Past::WriteThrough(uint64_t offset, uint64_t length, const void* data) {
  const auto* const bytes = static_cast<const char*>(data);
  const LogEntry what = {.kind = LogEntry::Kind::kWrite, .flags = LogEntry::kFua};
  const int error = Make(offset, length, what, [&](uint64_t begin, uint64_t count) {
    return below_->WriteThrough(begin, count, bytes + (begin - offset));
  });
  if (error == 0) NoteDurable(sequence());
  return error;
}

int Past::Discard(uint64_t offset, uint64_t length) {
  return Make(offset, length, {.kind = LogEntry::Kind::kDiscard},
              [&](uint64_t begin, uint64_t count) { return below_->Discard(begin, count); });
}

int Past::WriteZeroes(uint64_t offset, uint64_t length) {
  return Make(offset, length, {.kind = LogEntry::Kind::kWriteZeroes},
              [&](uint64_t begin, uint64_t count) { return below_->WriteZeroes(begin, count); });
}

int Past::Allocate(uint64_t offset, uint64_t length) {
  return WithRoom(UINT64_MAX, [&](bool /*history*/) { return below_->Allocate(offset, length); });
}

int Past::Flush() {
  const uint64_t number = Count({.kind = LogEntry::Kind::kFlush});
  const int error = WithRoom(UINT64_MAX, [this](bool /*history*/) { return below_->Flush(); });
  if (error == 0) NoteDurable(number);
  return error;
}

int Past::Lose(WriteCache& cache) {
  file_->ReserveAnyway();
  const absl::Cleanup reserved = [this] { file_->EndReservation(); };
  for (uint64_t page = cache.NextPage(0); page != UINT64_MAX; page = cache.NextPage(page)) {
    const int error = Make(page * kPageSize, kPageSize, {.kind = LogEntry::Kind::kPowerCut},
                           [&](uint64_t, uint64_t) { return cache.Lose(page); });
    if (error != 0) return cache.Flush();
  }
  return 0;
}

// --- Keeping -----------------------------------------------------------------------------------

int Past::KeepRange(uint64_t begin, uint64_t end, const How& how, uint64_t number) {
  if (!how.all()) begin = below_->NextData(begin);
  while (begin < end) {
    const int error = KeepPage(FirstPage(begin), number, how.history);
    if (error != 0) return error;
    begin = (FirstPage(begin) + 1) * kPageSize;
    if (!how.all() && begin < end) begin = below_->NextData(begin);
  }
  return 0;
}

// Keeps what the page is, if it is wanted, as true until the change with that number.
int Past::KeepPage(uint64_t page, uint64_t number, bool history) {
  const uint64_t since = index_.SinceNow(page);
  if (!retention_.Wants(since) || since == number) return 0;
  if (history || retention_.IsHeld(since)) return Keep(page, since, number);
  retention_.CutHistory(number);
  return 0;
}

int Past::Keep(uint64_t page, uint64_t since, uint64_t number) {
  Version version = 0;
  int error = 0;
  const int unread = below_->Read(page * kPageSize, kPageSize, [&](absl::Span<const iovec> data) {
    const auto* contents = static_cast<const char*>(data[0].iov_base);
    char whole[kPageSize] = {};
    if (data.size() > 1) {
      Join(data, whole);
      contents = whole;
    }
    error = file_->Keep(page, IsZero(contents) ? nullptr : contents, number, version);
  });
  if (unread != 0 || error != 0) return unread != 0 ? unread : error;
  if (index_.Append(page, version) != 0) {
    file_->Free(version);
    return ENOMEM;
  }
  if (retention_.Add(version, since)) return 0;
  index_.Erase(page, version);
  file_->Free(version);
  return 0;
}

uint64_t Past::NextChanged(uint64_t page) {
  while (page != UINT64_MAX) {
    {
      const StripeLocks::Shared lock(locks_, page, page);
      if (const std::optional<uint64_t> next = index_.NextInStripe(page)) return *next;
    }
    page = index_.NextStripe(page);
  }
  return page;
}

// --- Moments -----------------------------------------------------------------------------------

void Past::Release(uint64_t moment) {
  VersionList left = retention_.Release(moment);
  VersionList history;
  while (!left.empty()) {
    const Version version = left.PopFront(*file_);
    if (retention_.Keep(version, SinceOf(version))) continue;
    if (retention_.history() && file_->UntilOf(version) > oldest()) {
      history.PushBack(*file_, version);
    } else {
      Forget(version);
    }
  }
  if (!history.empty()) retention_.AddHistory(history);
  Trim();
}

uint64_t Past::SinceOf(Version version) {
  const uint64_t page = file_->PageOf(version);
  const StripeLocks::Shared lock(locks_, page, page);
  return index_.Since(page, version);
}

void Past::Forget(Version version) {
  const uint64_t page = file_->PageOf(version);
  const StripeLocks::Exclusive lock(locks_, page, page);
  index_.Erase(page, version);
  file_->Free(version);
}

void Past::SetHistory(uint64_t bytes) {
  retention_.SetHistory(bytes);
  log_.SetHistory(bytes);
  Trim();
}

void Past::Trim() {
  while (const std::optional<Version> version = retention_.TakeOldest()) Forget(*version);
}

uint64_t Past::AloneBytes(uint64_t moment) {
  const std::optional<Retention::Kept> kept = retention_.KeptAlone(moment);
  if (!kept) return 0;
  uint64_t bytes = 0;
  for (const Version version : kept->versions) {
    const bool alone = kept->before == UINT64_MAX || SinceOf(version) > kept->before;
    if (alone && !file_->IsHole(version)) bytes += kPageSize;
  }
  return bytes;
}

std::unique_ptr<View> Past::ViewAt(uint64_t moment, uint64_t size_bytes, bool held) {
  return std::make_unique<MomentView>(*this, moment, size_bytes, held);
}

void Past::Rearrange(absl::FunctionRef<Store&()> change) {
  const StripeLocks::Exclusive all(locks_, 0, UINT64_MAX);
  below_ = &change();
}

void Past::SettleSize() {
  if (file_->header().size_bytes == size_bytes()) return;
  const uint64_t now = sequence();
  retention_.CutHistory(now);
  file_->header().size_bytes = size_bytes();
  while (const std::optional<Version> version = retention_.TakeOlderThan(now + 1)) {
    Forget(*version);
  }
}

// In the order in which they ended, so that each finds its page's last one before it.
absl::Status Past::Find() {
  file_->ForEachSnapshot([this](uint32_t /*number*/, const VersionFile::SnapshotEntry& entry) {
    retention_.HoldAgain(entry.moment);
  });
  std::vector<std::pair<uint64_t, Version>> found;  // so that sorting does not ask the file
  file_->ForEach([&](Version version) { found.emplace_back(file_->UntilOf(version), version); });
#ifndef RNULLFS_MUTATION_UNSORTED_PAST
  std::sort(found.begin(), found.end());
#endif
  for (const auto& [until, version] : found) {
    const uint64_t page = file_->PageOf(version);
    const uint64_t since = index_.SinceNow(page);
    if (index_.Append(page, version) != 0) return SystemError(ENOMEM, "the history of a disk");
    log_.NoteChange(until);
    if (!retention_.Add(version, since)) Forget(version);
  }
  return absl::OkStatus();
}

}  // namespace rnullfs
