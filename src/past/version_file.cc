#include "past/version_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/kill_point.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr char kZeros[4096] = {};

absl::Status NotMapped() {
  return Error(ENOMEM, "there are no addresses left to map the history of a disk");
}

}  // namespace

absl::StatusOr<std::unique_ptr<VersionFile>> VersionFile::Create(std::string_view name,
                                                                 MemoryLimit& memory,
                                                                 MemfdKeeper& keeper) {
  absl::StatusOr<UniqueFd> memfd = CreateMemfd(name);
  if (!memfd.ok()) return ErrnoOf(memfd.status()) == EMFILE ? NoDescriptorLeft() : memfd.status();
  std::unique_ptr<VersionFile> file(new VersionFile(memory, keeper, *std::move(memfd)));
  if (const int error = file->arena_.Resize(PlaceOf(0) + (kPageSize << 32)); error != 0) {
    return SystemError(error, "history: ftruncate");
  }
  if (const int error = file->Store(0, kZeros); error != 0) {
    return Error(error, "there is no memory for a history");
  }
  if (absl::Status mapped = file->MapAll(); !mapped.ok()) return mapped;
  file->header_->magic = kMagic;
  file->header_->format = kFormat;
  // Kept when it is whole: who finds it can go on with it.
  if (absl::Status kept = KeepElsewhere(keeper, file->fd()); !kept.ok()) return kept;
  return file;
}

absl::StatusOr<std::unique_ptr<VersionFile>> VersionFile::Adopt(MemoryLimit& memory,
                                                                MemfdKeeper& keeper,
                                                                UniqueFd memfd) {
  std::unique_ptr<VersionFile> file(new VersionFile(memory, keeper, std::move(memfd)));
  if (absl::Status mapped = file->MapAll(); !mapped.ok()) return mapped;
  if (!file->header_->IsKnown()) {
    return Error(EINVAL, "what was left as a disk's history is none");
  }
  file->FindFree();
  file->account_.Settle(0, [&] { return file->AllocatedBytes(); });
  return file;
}

// What is needed of records can then be had without asking.
absl::Status VersionFile::MapAll() {
  char* const start = arena_.At(0);
  if (start == nullptr) return NotMapped();
  header_ = reinterpret_cast<Header*>(start);
  const uint64_t records_end = kRecords + header_->records * sizeof(Record);
  for (uint64_t at = kRecords; at < records_end; at += Arena::kWindowSize) {
    if (arena_.At(at) == nullptr) return NotMapped();
  }
  const uint64_t links_end = kLinks + header_->records * sizeof(Version);
  for (uint64_t at = kLinks; at < links_end; at += Arena::kWindowSize) {
    if (arena_.At(at) == nullptr) return NotMapped();
  }
  return absl::OkStatus();
}

void VersionFile::FindFree() {
  const LockGuard lock(mutex_);
  const uint64_t end = kContents + header_->records * kPageSize;
  uint64_t data = 0;  // the next place with contents, from the last version that was asked for on
  for (uint64_t version = 0; version < header_->records; ++version) {
    if (UntilOf(static_cast<Version>(version)) != 0) continue;
    const uint64_t place = PlaceOf(static_cast<Version>(version));
    if (data < place) data = arena_.NextData(place, end);
    if (data == place) arena_.Punch(place, kPageSize);
    Push(vacant_, version);
  }
}

void VersionFile::GiveBack() {
  keeper_.Drop(fd());
  arena_.Resize(0);
}

// Stores a page that may be vacant.
int VersionFile::Store(uint64_t offset, const char* page) {
  if (!account_.Take(kPageSize)) return ENOSPC;
  const int error = arena_.Write(offset, kPageSize, page);
  account_.Settle(kPageSize, [this] { return AllocatedBytes(); });
  return error;
}

// --- Snapshots ---------------------------------------------------------------------------------

std::string_view VersionFile::SnapshotEntry::Name() const {
  const uint32_t which_and_length = name;
  return {names[which_and_length >> 16], which_and_length & UINT16_MAX};
}

// Of an entry that may be anybody's words.
bool VersionFile::SnapshotEntry::HasName() const {
  const uint32_t which_and_length = name;
  if (which_and_length >> 16 > 1 || (which_and_length & UINT16_MAX) > sizeof names[0]) return false;
  const std::string_view there = Name();
  return !there.empty() && there.find('/') == std::string_view::npos &&
         there.find('\0') == std::string_view::npos;
}

void VersionFile::SnapshotEntry::SetName(std::string_view new_name) {
  const uint32_t which = (name >> 16) ^ 1;
  const size_t length = std::min(new_name.size(), sizeof names[which]);
  std::memcpy(names[which], new_name.data(), length);
  name.store(which << 16 | static_cast<uint32_t>(length), std::memory_order_release);
}

VersionFile::SnapshotEntry* VersionFile::MakeSnapshot(uint32_t number) {
  const uint64_t place = kSnapshots + number * sizeof(SnapshotEntry);
  const uint64_t page = place / kPageSize * kPageSize;
  const LockGuard lock(mutex_);
  if (arena_.NextData(page, page + kPageSize) != page && Store(page, kZeros) != 0) return nullptr;
  return reinterpret_cast<SnapshotEntry*>(arena_.At(place));
}

void VersionFile::ForEachSnapshot(absl::FunctionRef<void(uint32_t, SnapshotEntry&)> f) {
  constexpr uint64_t kEnd = kSnapshots + kSnapshotsMax * sizeof(SnapshotEntry);
  for (uint64_t page = arena_.NextData(kSnapshots, kEnd); page < kEnd;
       page = arena_.NextData(page + kPageSize, kEnd)) {
    for (uint64_t at = page; at < page + kPageSize; at += sizeof(SnapshotEntry)) {
      auto& entry = *reinterpret_cast<SnapshotEntry*>(arena_.At(at));
      if (entry.serial != 0) f((at - kSnapshots) / sizeof(SnapshotEntry), entry);
    }
  }
}

int VersionFile::StorePage(uint64_t place) {
  const LockGuard lock(mutex_);
  return Store(place, kZeros);
}

void VersionFile::PunchPage(uint64_t place) {
  const LockGuard lock(mutex_);
  arena_.Punch(place, kPageSize);
  account_.Settle(0, [this] { return AllocatedBytes(); });
}

// --- Versions ----------------------------------------------------------------------------------

int VersionFile::Keep(uint64_t number, const char* page, uint64_t until, Version& version) {
  bool stored = false;
  int error = Take(page != nullptr, version, stored);
  if (error != 0) return error;
  if (page != nullptr) {
    char* const place = stored ? arena_.At(PlaceOf(version)) : nullptr;
    if (place != nullptr) {
      std::memcpy(place, page, kPageSize);
    } else {
      error =
          stored ? arena_.Write(PlaceOf(version), kPageSize, page) : Store(PlaceOf(version), page);
    }
  }
  if (error != 0) {
    const LockGuard lock(mutex_);
    Push(stored ? ready_ : vacant_, version);
    return error;
  }
  KillPoint("version-kept");
  record(version).page = number | (page == nullptr ? kHole : 0);
  record(version).until.store(until, std::memory_order_release);
  KillPoint("version-recorded");
  return 0;
}

int VersionFile::Take(bool contents, Version& version, bool& stored) {
  const LockGuard lock(mutex_);
  stored = contents && ready_.length > 0;
  if (!stored && vacant_.length == 0) {
    const int error = AddRecords();
    if (error != 0 && ready_.length == 0) return error;
    if (error != 0) {  // one that is to be a hole
      version = Pop(ready_);
      Punch(version);
      return 0;
    }
  }
  version = Pop(stored ? ready_ : vacant_);
  return 0;
}

void VersionFile::Punch(Version version) {
  arena_.Punch(PlaceOf(version), kPageSize);
  account_.Settle(0, [this] { return AllocatedBytes(); });
}

bool VersionFile::GiveBackFree() {
  const LockGuard lock(mutex_);
  if (ready_.length == 0) return false;
  while (ready_.length > 0) {
    const Version version = Pop(ready_);
    arena_.Punch(PlaceOf(version), kPageSize);
    Push(vacant_, version);
  }
  account_.Settle(0, [this] { return AllocatedBytes(); });
  return true;
}

// A page of records more, all of them free.
int VersionFile::AddRecords() {
  const uint64_t first = header_->records;
  if (first == kVersionsMax) return ENOSPC;
  const uint64_t links = kLinks + first * sizeof(Version);
  if (first % kLinksPerPage == 0) {
    if (const int error = Store(links, kZeros); error != 0) return error;
  }
  const uint64_t place = kRecords + first * sizeof(Record);
  if (const int error = Store(place, kZeros); error != 0) return error;
  if (arena_.At(place) == nullptr || arena_.At(links) == nullptr) return ENOSPC;
  for (uint64_t i = kRecordsPerPage; i-- > 0;) Push(vacant_, first + i);
  header_->records = first + kRecordsPerPage;
  return 0;
}

void VersionFile::Free(Version version) {
  Record& freed = record(version);
  const bool hole = IsHole(version);
  freed.until.store(0, std::memory_order_release);
  KillPoint("version-freed");
  const LockGuard lock(mutex_);
  if (!hole && ready_.length < kReadyMax) return Push(ready_, version);
  if (!hole) Punch(version);
  Push(vacant_, version);
}

// Numbers that are ready are for contents; others take pages of records, and of links.
uint64_t VersionFile::BytesFor(const Amount& amount) const {
  const LockGuard lock(mutex_);
  const uint64_t ready = std::min<uint64_t>(amount.contents, ready_.length);
  const uint64_t records = amount.records - std::min(amount.records, vacant_.length + ready);
  const uint64_t record_pages = (records + kRecordsPerPage - 1) / kRecordsPerPage;
  const uint64_t link_pages = (record_pages * kRecordsPerPage + kLinksPerPage - 1) / kLinksPerPage;
  return (amount.contents - ready + record_pages + link_pages) * kPageSize;
}

bool VersionFile::Reserve(const Amount& amount) {
  return account_.Reserve(AllocatedBytes() + BytesFor(amount));
}

void VersionFile::EndReservation() {
  account_.EndReservation([this] { return AllocatedBytes(); });
}

void VersionFile::ForEach(absl::FunctionRef<void(Version)> f) {
  for (uint64_t version = 0; version < header_->records; ++version) {
    if (UntilOf(static_cast<Version>(version)) != 0) f(static_cast<Version>(version));
  }
}

void VersionFile::Push(FreeList& list, uint64_t version) {
  record(version).page = list.first;
  list.first = version;
  ++list.length;
}

Version VersionFile::Pop(FreeList& list) {
  const auto version = static_cast<Version>(list.first);
  list.first = record(version).page;
  --list.length;
  return version;
}

}  // namespace rnullfs
