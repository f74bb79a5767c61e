// The file of a disk's past: what pages held before, and the records that say which and until when.
//
//     offset
//     0        header: the sequence number, the oldest moment that is whole
//     1 MiB    snapshots, 1024 bytes each
//     128 MiB  what was asked for, 64 bytes each (request_log.h); 768 MiB: marks (marks.h)
//     1 GiB    records, 16 bytes each
//     96 GiB   for each record which one comes next in its list (version_list.h), 4 bytes; nothing
//              that a process leaves
//     128 GiB  contents, 4096 bytes each: those of record n are at number n, or nowhere when the
//              page was a hole
//
// It is one sparse memfd, which outlives the process.  Contents are stored before the record that
// speaks of them is, and a record counts from when its `until` is not 0: a process that dies in
// between leaves a number that is free.  The numbers of freed versions are used again; a few keep
// their memory, so that a history that is full overwrites its oldest version at the cost of a copy.
//
// Thread safety: all calls from any thread.  A version is whose its page's lock is (past.h).
// Units: bytes, unless said.  Errors: positive errno; ENOSPC when there is no memory.
#ifndef RNULLFS_PAST_VERSION_FILE_H_
#define RNULLFS_PAST_VERSION_FILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/mutex.h"
#include "rnullfs/unique_fd.h"
#include "store/arena.h"
#include "store/memory_account.h"

namespace rnullfs {

using Version = uint32_t;  // the number of a record
inline constexpr Version kNoVersion = UINT32_MAX;

class VersionFile {
 public:
  static constexpr uint32_t kSnapshotsMax = 65535;  // a slot of an inode number, but for 0

  struct Header {
    uint64_t magic;
    uint64_t format;
    std::atomic<uint64_t> sequence;          // of the newest change
    std::atomic<uint64_t> oldest;            // what was at this moment, or later, is whole
    std::atomic<uint64_t> records;           // numbers that have ever been used
    std::atomic<uint64_t> serial;            // of the newest snapshot there has been
    std::atomic<uint64_t> size_bytes;        // of the disk, at every moment that is whole
    std::atomic<uint64_t> rollback_to;       // 1 + the moment that it is going back to; 0: none
    std::atomic<uint64_t> rollback_request;  // of the rollback that was last, 0 for none
    std::atomic<uint64_t> rollback_alone;    // 1: what only the history wants is not kept
    std::atomic<uint64_t> durable;           // the newest change that a flush has covered
    std::atomic<uint64_t> cut_from;          // 1 + that, while a power cut is under way; 0: none is
    std::atomic<uint64_t> cut_until;         // the newest change of which it may keep something
    std::atomic<uint64_t> cut_keeps;         // and how
    std::atomic<uint64_t> cut_seed;
    std::atomic<uint64_t> cut_block_sectors;
    std::atomic<uint64_t> firm;  // 1 + what `durable` was before flushes were lost; 0: none was
    std::atomic<uint64_t> log_first;  // the oldest number of which the log has a line; 0: none
    std::atomic<uint64_t> log_jump;   // the newest of its lines that says jumps()
    std::atomic<uint64_t> marks;      // how many there have been
    std::atomic<int64_t> wall_nsec;   // what the log adds to its times (disk_log.cc); 0: not known

    bool IsKnown() const { return magic == kMagic && format == kFormat; }
  };

  // Free while `serial` is 0, which is stored last.
  struct SnapshotEntry {
    std::atomic<uint64_t> serial;  // no two snapshots of a disk ever have the same
    uint64_t moment;
    uint64_t size_bytes;
    int64_t taken_nsec;          // wall time
    uint64_t request;            // that made it, 0 for none
    std::atomic<uint32_t> name;  // which of the two, and below bit 16 its length
    char names[2][256];
    char reserved[464];

    std::string_view Name() const;
    // Whether Name() is one that a file can have.
    bool HasName() const;
    // At once: a process that dies within it leaves the old name or the new one.
    void SetName(std::string_view new_name);
  };
  static_assert(sizeof(SnapshotEntry) == 1024);

  // Where what lies, also for who only reads it (left_snapshots.h).
  struct Layout {
    static constexpr uint64_t kPageSize = 4096;
    static constexpr uint64_t kSnapshots = uint64_t{1} << 20;
    static constexpr uint64_t kLog = uint64_t{128} << 20;
    static constexpr uint64_t kLogPages = uint64_t{128} << 10;
    static constexpr uint64_t kMarks = uint64_t{768} << 20;
    static constexpr uint64_t kRecords = uint64_t{1} << 30;
    static constexpr uint64_t kLinks = uint64_t{96} << 30;
    static constexpr uint64_t kContents = uint64_t{1} << 37;
    static constexpr uint64_t kHole = uint64_t{1} << 63;

    struct Record {
      std::atomic<uint64_t> until;
      uint64_t page;  // its number, and kHole
    };
  };

  static absl::StatusOr<std::unique_ptr<VersionFile>> Create(std::string_view name,
                                                             MemoryLimit& memory,
                                                             MemfdKeeper& keeper);
  // What a process left that is gone.  EINVAL when it is no such file.
  static absl::StatusOr<std::unique_ptr<VersionFile>> Adopt(MemoryLimit& memory,
                                                            MemfdKeeper& keeper, UniqueFd memfd);
  // For who needs it no more: nobody else holds it.
  void GiveBack();

  Header& header() const { return *header_; }

  // The entry with the number, below kSnapshotsMax; null where there is no memory for it.
  SnapshotEntry* MakeSnapshot(uint32_t number);
  // Tells all that are not free.  For who is alone.
  void ForEachSnapshot(absl::FunctionRef<void(uint32_t number, SnapshotEntry&)> f);

  // Pages of the log, and of marks: each is stored, as zeros, before it is touched.  ENOSPC.
  int StorePage(uint64_t place) ABSL_LOCKS_EXCLUDED(mutex_);
  void PunchPage(uint64_t place) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsStored(uint64_t place) const { return arena_.NextData(place, place + kPageSize) == place; }
  // They lie in the window of the header.
  char* At(uint64_t place) const { return reinterpret_cast<char*>(header_) + place; }

  // Keeps `page` (4096 bytes; null: it was a hole) as what the page `number` was until `until`.
  // ENOSPC.
  int Keep(uint64_t number, const char* page, uint64_t until, Version& version)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Free(Version version) ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t PageOf(Version version) const { return record(version).page & ~kHole; }
  bool IsHole(Version version) const { return (record(version).page & kHole) != 0; }
  // 0: the number is free.
  uint64_t UntilOf(Version version) const {
    return record(version).until.load(std::memory_order_acquire);
  }

  // For the list that it is in.
  Version& next(Version version) const {
    return *reinterpret_cast<Version*>(arena_.At(kLinks + version * sizeof(Version)));
  }

  // The contents, of what is no hole; null where they cannot be mapped.
  const char* Contents(Version version) { return arena_.At(PlaceOf(version)); }
  int CopyOut(Version version, uint64_t offset, uint64_t length, char* to) {
    return arena_.Read(PlaceOf(version) + offset, length, to);
  }

  // Tells all that count.  For who is alone.
  void ForEach(absl::FunctionRef<void(Version)> f);

  // Gives back the memory that free numbers have; false when none has.
  bool GiveBackFree() ABSL_LOCKS_EXCLUDED(mutex_);

  // Versions, and those of them that are no holes.
  struct Amount {
    uint64_t records = 0;
    uint64_t contents = 0;
  };
  // Sets memory aside for so much more, until EndReservation().  False when there is not as much.
  bool Reserve(const Amount& amount);
  // For who frees as much elsewhere as he keeps, a moment later: whatever the limit leaves.
  void ReserveAnyway() { account_.ReserveAnyway(AllocatedBytes()); }
  // At most, beside what free numbers have.
  uint64_t BytesFor(const Amount& amount) const ABSL_LOCKS_EXCLUDED(mutex_);
  void EndReservation();
  // Whether so many bytes could be stored elsewhere now.
  bool HasMemory(uint64_t bytes) const { return account_.Has(bytes); }

  uint64_t AllocatedBytes() const { return arena_.AllocatedBytes(); }
  int fd() const { return arena_.fd(); }

 private:
  using Record = Layout::Record;
  static constexpr uint64_t kPageSize = Layout::kPageSize;
  static constexpr uint64_t kSnapshots = Layout::kSnapshots;
  static constexpr uint64_t kRecords = Layout::kRecords;
  static constexpr uint64_t kContents = Layout::kContents;
  static constexpr uint64_t kHole = Layout::kHole;
  static constexpr uint64_t kMagic = 0x7473617073666e72;  // "rnfspast"
  static constexpr uint64_t kFormat = 1;
  static constexpr uint64_t kLinks = Layout::kLinks;
  static constexpr size_t kReadyMax = 1024;

  static constexpr uint64_t kRecordsPerPage = kPageSize / sizeof(Record);
  static constexpr uint64_t kLinksPerPage = kPageSize / sizeof(Version);
  static constexpr uint64_t kVersionsMax = (uint64_t{1} << 32) - kRecordsPerPage;

  // Free numbers, each of whose records says which is the next.
  struct FreeList {
    uint64_t first = kVersionsMax;  // none
    size_t length = 0;
  };

  VersionFile(MemoryLimit& memory, MemfdKeeper& keeper, UniqueFd memfd)
      : keeper_(keeper), account_(memory), arena_(std::move(memfd)) {}
  absl::Status MapAll();
  void FindFree() ABSL_LOCKS_EXCLUDED(mutex_);
  static uint64_t PlaceOf(Version version) { return kContents + version * kPageSize; }
  Record& record(uint64_t version) const {
    return *reinterpret_cast<Record*>(arena_.At(kRecords + version * sizeof(Record)));
  }
  int Take(bool contents, Version& version, bool& stored) ABSL_LOCKS_EXCLUDED(mutex_);
  void Punch(Version version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int AddRecords() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Push(FreeList& list, uint64_t version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Version Pop(FreeList& list) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Store(uint64_t offset, const char* page);

  MemfdKeeper& keeper_;
  MemoryAccount account_;
  mutable Arena arena_;  // it maps what is asked for
  Header* header_ = nullptr;
  mutable Mutex mutex_;
  FreeList ready_ ABSL_GUARDED_BY(mutex_);   // with memory for contents
  FreeList vacant_ ABSL_GUARDED_BY(mutex_);  // without
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_VERSION_FILE_H_
