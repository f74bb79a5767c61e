// A store that remembers: what its pages held before they were changed, as far as a snapshot or the
// history wants it.
//
// Changes are numbered, in the order in which they take effect where they touch the same page; a
// moment is the number of the last change that had been made.  Before a page changes for the first
// time since the newest snapshot (each time, with history), its old contents are kept as a version
// that says until when it was true.  So the disk at a moment is, for each page, the oldest version
// that ended after it, else what the page is now; nothing is copied when a snapshot is taken, and
// the pages of the disk stay where they are, flat.
//
// What a process leaves that dies within a change is right: the old contents are kept before the
// new ones are there, so that a version may equal what the page still is.
//
// Thread safety: all calls from any thread; Hold(), Release(), SetHistory(), SettleSize(),
// RollBack(), CutOff() and Lose() one at a time, Rearrange() beside nothing but views of moments.
// Who changes a page has its stripe of the locks, which are others than those of the store below;
// who looks at an earlier moment of it shares that.
// Units: bytes, unless said.  Errors: as store.h; ENOSPC also when there is no memory for what a
// snapshot needs: it and the disk are then as before.  The history makes room for everything else:
// before a change fails with ENOSPC it forgets its oldest, in the end all of it, and then also what
// this change overwrites.  A change that waited for that has been counted more than once.
#ifndef RNULLFS_PAST_PAST_H_
#define RNULLFS_PAST_PAST_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "past/marks.h"
#include "past/request_log.h"
#include "past/retention.h"
#include "past/version_file.h"
#include "past/version_index.h"
#include "rnullfs/mutex.h"
#include "rnullfs/power_cut.h"
#include "rnullfs/store.h"
#include "store/stripe_locks.h"

namespace rnullfs {

class WriteCache;

class Past final : public Store {
 public:
  // Without a snapshot, and without history.
  static absl::StatusOr<std::unique_ptr<Past>> Create(std::string_view name, MemoryLimit& memory,
                                                      MemfdKeeper& keeper, Store& below);

  // What a process left that is gone.
  static absl::StatusOr<std::unique_ptr<Past>> Adopt(MemoryLimit& memory, MemfdKeeper& keeper,
                                                     UniqueFd memfd, uint64_t history_bytes,
                                                     Store& below);
  ~Past() override;

  // `change` makes what it stands on another store, which it returns, or another size; who looks at
  // moments waits.
  void Rearrange(absl::FunctionRef<Store&()> change);
  // All moments have the size that the disk has now: those of another one, but for what is held,
  // are forgotten.
  void SettleSize();
  void GiveBack() { file_->GiveBack(); }

  int Read(uint64_t offset, uint64_t length, Sink sink) override {
    return below_->Read(offset, length, sink);
  }
  uint64_t NextData(uint64_t offset) const override { return below_->NextData(offset); }
  uint64_t NextHole(uint64_t offset) const override { return below_->NextHole(offset); }
  uint64_t size_bytes() const override { return below_->size_bytes(); }

  // A change that reaches over multiples of 64 MiB counts once for each piece.
  int Write(uint64_t offset, uint64_t length, const void* data) override;
  int WriteThrough(uint64_t offset, uint64_t length, const void* data) override;
  int Discard(uint64_t offset, uint64_t length) override;
  int WriteZeroes(uint64_t offset, uint64_t length) override;
  int Allocate(uint64_t offset, uint64_t length) override;  // changes nothing that can be read
  int Flush() override;
  int FlushFalsely() override;
  int CopyBefore(uint64_t offset, uint64_t length, char* to) override;

  // What `cache`, below, has is lost: a change like any other.  What a snapshot needs of it takes
  // the cache's memory, so that a limit that has been reached is none for it.  Where the machine
  // has none for the index all is written back instead, as a cache may do at any time; an error is
  // that of this.
  int Lose(WriteCache& cache);

  // Discards what there is from `size_bytes` on, for who makes the disk smaller: what is held is
  // kept, and the history ends, as all its moments have one size.  `prepare` takes what memory the
  // store below needs for it.  An errno, ENOSPC when there is no memory for all of it: the disk has
  // not changed, but the history may have gone.
  int CutOff(uint64_t size_bytes, absl::FunctionRef<int()> prepare);

  // The power has been cut, while nobody changes anything: what is lost that no flush, nor a write
  // with FUA, has covered (power_cut.cc), and what that is.  ENOSPC when some of it has stayed, for
  // want of memory.  Who adopts what a process left that died within this finishes it.
  CutLoss WhatIsLost(const PowerCut& cut) ABSL_LOCKS_EXCLUDED(locks_);
  int LoseUnflushed(const PowerCut& cut) ABSL_LOCKS_EXCLUDED(locks_);
  // Before that: tells what a page comes to be, and what it would if flushes that were lost had not
  // been, of those where these differ.  An errno that one has returned.
  using Differ = absl::FunctionRef<int(uint64_t page, const char* is, const char* promised)>;
  int ForEachBroken(const PowerCut& cut, Differ differ) ABSL_LOCKS_EXCLUDED(locks_);
  // The disk has been off, and all there is cannot be lost any more: in the log a flush.
  void Settle() ABSL_LOCKS_EXCLUDED(flushes_);

  // What it has been asked to do, while there is history.
  RequestLog& log() { return log_; }
  const RequestLog& log() const { return log_; }
  const Marks& marks() const { return marks_; }
  // Counts what changes nothing, and is in the log all the same.
  uint64_t Count(const LogEntry& what);
  // Gives the moment that is now a name, for the request (0: none), and tells its number.  ENOSPC.
  int SetMark(std::string_view name, uint64_t request, uint64_t& number);

  // The newest change, and the oldest moment that the history has whole.
  uint64_t sequence() const { return file_->header().sequence; }
  uint64_t oldest() const { return retention_.oldest(); }

  // How many bytes of old contents are kept beside what snapshots need.
  void SetHistory(uint64_t bytes);

  // Holds the moment that is now: all changes are in it that have been answered, and none that
  // begins later.  What is under way in it has the locks of its pages: who looks at these waits.
  uint64_t Hold() { return retention_.Hold(); }
  void Release(uint64_t moment);

  // As the disk was at `moment`, which is held, or in the history (ESTALE when it is no more), and
  // was `size_bytes` large.  The past outlives it.
  std::unique_ptr<View> ViewAt(uint64_t moment, uint64_t size_bytes, bool held);

  // Makes the disk what it was at `moment`, which is held, or in the history: one change, which
  // no cache below can lose.  ENOSPC, and the disk has not changed, when there is no memory for it,
  // EREMOTEIO, and it has not, when what it shares cannot be read; EIO when some pages are put back
  // and others not.  Who adopts what a process left that died
  // within this finishes it.  `request` is whose it is, 0 for none.
  int RollBack(uint64_t moment, uint64_t request = 0);
  // Whether that has been done for the request.
  bool RolledBackBy(uint64_t request) const;

  // Tells what a page was at `from`, as the change 0, and then each change of it up to `until` and
  // what that has made of it; `hole`, where there was nothing.  An errno that a read has returned.
  using Walk = absl::FunctionRef<void(uint64_t change, bool hole, const char* contents)>;
  int WalkPage(uint64_t page, uint64_t from, uint64_t until, Walk walk)
      ABSL_LOCKS_EXCLUDED(locks_) {
    const StripeLocks::Shared lock(locks_, page, page);
    return WalkLocked(page, from, until, walk);
  }
  // The first page >= `page` that has a version.
  uint64_t NextChanged(uint64_t page) ABSL_LOCKS_EXCLUDED(locks_);

  // What a moment keeps that no other one does: of several holders, none does.
  uint64_t AloneBytes(uint64_t moment);
  uint64_t history_bytes() const { return retention_.history_bytes(); }
  VersionFile& file() { return *file_; }
  // Memory of the index.
  uint64_t index_bytes() const { return index_.Bytes(); }

 private:
  friend class MomentView;
  using Change = absl::FunctionRef<int(uint64_t begin, uint64_t length)>;
  struct How {
    LogEntry what;  // its kind and flags
    bool history;   // what only the history wants is kept, too
    // Whether pages that are holes change as well.
    bool all() const {
      return what.kind == LogEntry::Kind::kWrite || what.kind == LogEntry::Kind::kPowerCut;
    }
  };

  Past(std::unique_ptr<VersionFile> file, Store& below)
      : file_(std::move(file)),
        log_(*file_),
        marks_(*file_, log_),
        index_(*file_),
        retention_(*file_),
        below_(&below) {}
  absl::Status Find();
  int Make(uint64_t offset, uint64_t length, const LogEntry& what, Change change);
  int MakePiece(uint64_t begin, uint64_t end, const How& how, Change change);
  int KeepRange(uint64_t begin, uint64_t end, const How& how, uint64_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks_);
  int KeepPage(uint64_t page, uint64_t number, bool history) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks_);
  int Keep(uint64_t page, uint64_t since, uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks_);
  int WithRoom(uint64_t before, absl::FunctionRef<int(bool history)> change);
  bool MakeRoom(uint64_t before) ABSL_LOCKS_EXCLUDED(locks_);
  // What a change of many pages needs memory for.
  struct Need {
    VersionFile::Amount wanted;  // to be kept
    VersionFile::Amount held;    // of that, what a snapshot wants
    uint64_t stored = 0;         // pages below that have yet to be
  };
  void AddPage(uint64_t page, Need& need) ABSL_SHARED_LOCKS_REQUIRED(locks_);
  Need NeedOf(uint64_t moment);
  Need NeedToDiscard(uint64_t begin);
  bool SetAside(const VersionFile::Amount& kept, uint64_t stored);
  bool NeedsMemory(uint64_t page) const;
  bool IsHoleNow(uint64_t page) const;
  bool IsZeroNow(uint64_t page);
  uint64_t MayGoBefore(uint64_t moment) const;
  int PrepareToRollBack(uint64_t moment, bool& history);
  template <typename F>
  void ForEachThatDiffers(uint64_t moment, F f);
  int StoreBelow(uint64_t moment, uint64_t& left);
  void TakeBackHoles(uint64_t moment);
  int FinishRollBack();
  int RollBackPages(uint64_t moment, uint64_t before, bool history);
  int PutBackPage(uint64_t page, uint64_t moment, uint64_t number, bool history);
  void ForgetRestored(uint64_t moment) ABSL_LOCKS_EXCLUDED(locks_);
  bool IsNow(uint64_t page, Version version) ABSL_SHARED_LOCKS_REQUIRED(locks_);
  int PutBack(uint64_t page, Version version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(locks_);
  // What a power cut is about: changes after `from`, up to `until`.
  struct Unflushed {
    uint64_t from;
    uint64_t until;
    PowerCut cut;
  };
  struct Left;
  void NoteDurable(uint64_t number) ABSL_LOCKS_EXCLUDED(flushes_);
  void NoteCovered(uint64_t number);
  uint64_t covered() const;  // the newest change that a flush has covered
  uint64_t durable() const;  // or that can no more be taken away
  uint64_t firm() const;     // the same without flushes that were lost
  int FinishCut() ABSL_LOCKS_EXCLUDED(locks_);
  int LoseOfPage(uint64_t page, const Unflushed& unflushed, uint64_t number, bool history)
      ABSL_LOCKS_EXCLUDED(locks_);
  template <typename F>
  void ForEachUnflushed(uint64_t from, F f) ABSL_LOCKS_EXCLUDED(locks_);
  template <typename F>
  int MakeLeft(uint64_t page, const Unflushed& unflushed, Left& left, F lost)
      ABSL_SHARED_LOCKS_REQUIRED(locks_);
  int WalkLocked(uint64_t page, uint64_t from, uint64_t until, Walk walk)
      ABSL_SHARED_LOCKS_REQUIRED(locks_);
  static bool AddKept(uint64_t page, uint64_t change, const PowerCut& cut, const char* was,
                      const char* is, Left& left);
  int CopyVersion(Version version, char* to);
  uint64_t SinceOf(Version version) ABSL_LOCKS_EXCLUDED(locks_);
  void Forget(Version version) ABSL_LOCKS_EXCLUDED(locks_);
  void Trim();

  const std::unique_ptr<VersionFile> file_;
  RequestLog log_;
  Marks marks_;
  StripeLocks locks_;
  VersionIndex index_;
  Retention retention_;
  Store* below_;
  Mutex flushes_;  // what they cover, and what they only promise, fits together
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_PAST_H_
