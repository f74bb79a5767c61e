// What a disk was: its history and its snapshots.  There is a past (src/past) while there is
// something to remember; until then, and after, a disk pays nothing for it.
//
// Thread safety: one call at a time (the disk's owner's lock), except what it returns.
// Errors: EINVAL for a disk that stores nothing; ENOSPC, EMFILE when there can be no past; EEXIST,
// ENOENT, EBUSY with who uses a snapshot.  The sentence says what to do.
#ifndef RNULLFS_DISK_PAST_H_
#define RNULLFS_DISK_PAST_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/clock.h"
#include "rnullfs/medium.h"
#include "rnullfs/snapshot.h"
#include "rnullfs/store.h"
#include "rnullfs/view.h"

namespace rnullfs {

class CrashState;
class CrashStates;
class Snapshots;
struct LogFormat;

// What stats.json shows of it.
struct PastFigures {
  uint64_t sequence = 0;         // of the newest change that has been counted
  uint64_t sequence_oldest = 0;  // the oldest moment that the history has whole
  uint64_t snapshots = 0;
  uint64_t history_bytes = 0;
  uint64_t stored_bytes = 0;  // memory of all old contents
};

// The moments that there are by number, and how large the disk is at each of them.
struct Moments {
  uint64_t first;
  uint64_t last;  // now
  uint64_t size_bytes;
};

// The formats of the log of requests (src/past/log_files.h).
enum class LogKind : uint8_t { kText, kIolog, kWrites };

// What that has: the oldest number and the newest, and the moment that kWrites begins behind.
struct LogFigures {
  uint64_t first;
  uint64_t last;
  uint64_t writes_begin;
};

// A moment that somebody has given a name.
struct NamedMoment {
  uint64_t number;
  std::string name;
};

class DiskPast {
 public:
  // Both outlive it.
  DiskPast(Medium& medium, const Clock& clock);
  ~DiskPast();

  // The disk is going: there is nothing to remember any more, and nobody has a view.
  void Remove();

  // How much history is kept, once there is a store; 0: none.  What can fail of it is Prepare(),
  // which SetHistory() follows, with what was before if it is not to be.
  absl::Status Prepare(uint64_t mib);
  void SetHistory(uint64_t mib);
  // The store is going, which has just been made: there is nothing to remember yet.
  void DropStore();

  // What another process left: the past's memfd, if there is one.
  absl::Status Restore(uint64_t history_mib, UniqueFd memfd);

  // A snapshot, now.  A `request` that has been heard before is answered as then; 0: none.
  absl::StatusOr<Snapshot> Take(std::string_view name, uint64_t request);
  absl::Status Remove(uint32_t number);
  absl::Status Rename(uint32_t number, std::string_view name);
  // Of one without a name that nobody uses any more, which takes no memory; and of all of them.
  void RemoveHidden(uint64_t serial);
  void RemoveUnusedHidden();
  // Makes the disk what it was when the snapshot was taken, or at the moment that is a mark's, or
  // written as a number; nobody has it open.  `request` is whose it is; 0: none.  EINVAL, ENOENT,
  // ESTALE, for what cannot be; ENOSPC, and nothing has changed.
  absl::Status RollBack(std::string_view name, uint64_t request = 0);
  // Whether that has been done for the request, which is heard again.
  bool RolledBackBy(uint64_t request) const;

  // Null, and nothing, while there is no past.
  std::optional<Snapshot> Find(std::string_view name) const;
  std::optional<Snapshot> Get(uint32_t number) const;
  std::optional<Snapshot> WithSerial(uint64_t serial) const;
  // The first with a number >= `number` that has a name.
  std::optional<Snapshot> Next(uint32_t number) const;
  // What `origin` shows of a clone that keeps the snapshot of this device in its place:
  // "device@name" with the name it has at the time, or the device alone if it has none.  From any
  // thread.
  std::function<std::string()> OriginText(const std::string& device, uint32_t number) const;

  // The disk as it was.  It keeps the snapshot in its place, and what it reads from.
  absl::StatusOr<std::shared_ptr<View>> Open(uint32_t snapshot, const std::string& who);
  // The same at a moment that the history has, which it may forget all the same; ESTALE when it
  // has not.
  absl::StatusOr<std::shared_ptr<View>> OpenAt(uint64_t moment,
                                               const std::string& who = "somebody");
  // The log of what the disk has been asked to do, while it has history, of which it goes on.
  // `finds_fua`: as the attribute log_fua; `disk` is what an iolog calls it.  ESTALE without.
  absl::StatusOr<std::shared_ptr<View>> OpenLog(LogKind kind, bool finds_fua,
                                                const std::string& disk, const std::string& who);
  std::optional<LogFigures> log() const;  // nothing without
  // How long that is now, in bytes, for who opens it, or has been the last to do so; 0 without.
  uint64_t LogSize(LogKind kind, bool finds_fua, const std::string& disk);
  // The first flushes, and writes with FUA, that it has from the number on, at most so many.
  std::vector<uint64_t> Flushes(uint64_t from, size_t at_most) const;
  // Gives this moment a name, and returns its number; EINVAL without history, or for a name that
  // means something else; ENOSPC.  `request` as for Take().
  absl::StatusOr<uint64_t> SetMark(std::string_view name, uint64_t request);
  std::optional<uint64_t> FindMark(std::string_view name) const;  // the newest one so called
  std::vector<NamedMoment> Marks() const;                         // oldest first

  // The states that a power cut may have left (src/crash/states.h); null without history.
  std::shared_ptr<CrashStates> crash();
  // The disk of one of them, for `who`; as CrashStates::Open().
  absl::StatusOr<std::shared_ptr<CrashState>> OpenCrash(uint32_t id, const std::string& who);

  // Who has one of them, as long as which the disk cannot be removed; for a sentence.
  std::string Users() const;

  // Whether requests have to come by: there is history, or a snapshot.
  bool remembers() {
    EndIfUnwanted();  // somebody may have closed a view
    return snapshots_ != nullptr;
  }
  PastFigures figures() const;
  // What the history has; nothing without.
  std::optional<Moments> moments() const;
  // What only that snapshot keeps of the contents.
  uint64_t AloneBytes(uint32_t number) const;

 private:
  absl::Status Begin();
  absl::StatusOr<uint64_t> MomentNamed(std::string_view name) const;
  void EndIfUnwanted();
  void EndViews();
  LogFormat FormatOf(bool finds_fua, const std::string& disk) const;
  std::shared_ptr<View> Watched(std::unique_ptr<View> view, const std::string& who);

  Medium* medium_;  // null once removed
  const Clock& clock_;
  uint64_t history_mib_ = 0;
  bool prepared_ = false;  // SetHistory() follows, which wants it
  std::shared_ptr<Snapshots> snapshots_;
  std::shared_ptr<CrashStates> states_;  // null, or of that past
  // What is known of the length of a log, which takes a walk along all its lines to know.
  struct Sized {
    std::shared_ptr<View> view;  // of nobody
    uint64_t first = 0;          // its first line
    uint64_t last = 0;           // the newest one, where it goes no further
    bool finds_fua = false;
    std::vector<std::weak_ptr<View>> opened;  // by others, in order
  };
  std::array<Sized, 3> logs_;  // by kind
};

}  // namespace rnullfs

#endif  // RNULLFS_DISK_PAST_H_
