// What a disk shows instead of what it has.
//
// It lies over all other stores of a disk.  Who writes, writes to these: what they have is what the
// disk would be, had all been done as it was answered; that is its truth.  Where a silent fault
// (harm.h) makes a sector show something else, that is kept here, and only here.  To write to the
// sector heals it, for good as soon as a power cut cannot take that back; to write to a part of it
// leaves it as it is, but for that part.
//
// What a process leaves that dies within a change comes to an end by itself: each sector that shows
// something else says of what (a hash of the truth).  Where the truth is another, as a change that
// was under way has been made or as a power cut has taken it back, nothing is damaged any more:
// Settle().
//
// Thread safety: all calls from any thread; Begin(), Adopt() and LieOver() one at a time, changes
// within an RcuReadGuard, as what they go to may be replaced.  Reads and changes of what is whole
// go beside each other; what is damaged is changed by one at a time.
// Units: bytes as store.h; sectors of 512 bytes.  Errors: positive errno; ENOSPC when there is no
// memory: nothing is damaged then.
#ifndef RNULLFS_DAMAGE_DAMAGE_H_
#define RNULLFS_DAMAGE_DAMAGE_H_

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "damage/damage_map.h"
#include "damage/harm.h"
#include "rnullfs/counters.h"
#include "rnullfs/mutex.h"
#include "rnullfs/store.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

class Damage final : public Store {
 public:
  // What its memfd is called, whose memory it takes, who holds it, too, and what counts.  All
  // outlive it.
  struct Services {
    std::string name;
    MemoryLimit& memory;
    MemfdKeeper& keeper;
    Cell& sectors;   // that are damaged
    Cell& injected;  // that have ever been
    Cell& healed;    // of these, by being written to
  };
  explicit Damage(Services services) : services_(std::move(services)) {}
  ~Damage() override;

  // There is something to be damaged: what can be needed for it and may not be had.
  absl::Status Begin() ABSL_LOCKS_EXCLUDED(mutex_);
  // What another process left, over a disk that it also left.  Settle() follows.
  absl::Status Adopt(UniqueFd memfd) ABSL_LOCKS_EXCLUDED(mutex_);
  // There is nothing any more that could be damaged.
  void Forget() ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for a disk that is removed, whose counters are gone already.
  void GiveBack() ABSL_LOCKS_EXCLUDED(mutex_);

  // What a power cut may take back: nothing; what no flush has covered, as which a write with FUA
  // counts; or what is cached.
  enum class MayLose : uint8_t { kNothing, kUncovered, kCached };
  // What reads see the truth in, and what changes go to.
  void LieOver(Store& contents, Store& top, MayLose may_lose) {
    contents_.store(&contents, std::memory_order_release);
    top_.store(&top, std::memory_order_release);
    may_lose_.store(may_lose, std::memory_order_release);
  }

  bool any() const { return count_.load(std::memory_order_relaxed) != 0; }
  // Whether changes, flushes included, have to come by, also without a rule.
  bool IsNeeded() const { return any() || has_healed_.load(std::memory_order_acquire); }

  // --- The disk as it shows itself: as store.h -------------------------------------------------

  int Read(uint64_t offset, uint64_t length, Sink sink) override ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t NextData(uint64_t offset) const override ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t NextHole(uint64_t offset) const override ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t size_bytes() const override { return contents().size_bytes(); }
  int Write(uint64_t offset, uint64_t length, const void* data) override {
    return Write(offset, length, data, nullptr);
  }
  int WriteThrough(uint64_t offset, uint64_t length, const void* data) override {
    return WriteThrough(offset, length, data, nullptr);
  }
  int Discard(uint64_t offset, uint64_t length) override {
    return Discard(offset, length, nullptr);
  }
  int WriteZeroes(uint64_t offset, uint64_t length) override {
    return WriteZeroes(offset, length, nullptr);
  }
  int Allocate(uint64_t offset, uint64_t length) override { return top().Allocate(offset, length); }
  int Flush() override ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsOwn(uint64_t offset) const override { return top().IsOwn(offset); }

  // --- The same, harmed; null: unharmed --------------------------------------------------------

  // EIO when it is torn, and that is told.
  int Write(uint64_t offset, uint64_t length, const void* data, const Harms* harms);
  int WriteThrough(uint64_t offset, uint64_t length, const void* data, const Harms* harms);
  int Discard(uint64_t offset, uint64_t length, const Harms* harms);
  int WriteZeroes(uint64_t offset, uint64_t length, const Harms* harms);
  // To the truth it is a flush; what it should have covered is shown as lost when the power goes.
  int Flush(const Harm& harm) ABSL_LOCKS_EXCLUDED(mutex_);
  // What a read that is harmed brings.
  int CopyOutHarmed(uint64_t offset, uint64_t length, char* to, const Harms& harms)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // --- What is damaged -------------------------------------------------------------------------

  struct Range {
    uint64_t first;
    uint64_t last;
    FaultAction action;
    std::string rule;
    uint64_t sequence;
  };
  // By place; neighbours that were damaged by one request are one.
  std::vector<Range> List() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Shows what there is again, in sectors first to last.
  void Heal(uint64_t first, uint64_t last) ABSL_LOCKS_EXCLUDED(mutex_);
  void HealAll() { Heal(0, UINT64_MAX - 1); }
  // The same for who has put all of the disk back, and made that last: nor does a power cut show
  // any more what had been lost, or damaged, before.
  void HealForGood() ABSL_LOCKS_EXCLUDED(mutex_);
  // The truth has changed by other ways than this one: what it says no more is damage of what there
  // was.  Where the power has gone, so has what had healed something, if it was not covered.
  enum class After : uint8_t { kChange, kDeath, kPowerLoss };
  void Settle(After after) ABSL_LOCKS_EXCLUDED(mutex_);
  // What has been healed stays so, and what a flush that was lost has promised is so.
  void ForgetHealed() ABSL_LOCKS_EXCLUDED(mutex_);
  // A flush that was lost has cost something, as the power has gone: a page shows `shown`, and will
  // be `truth`.
  int ShowLost(uint64_t page, const char* shown, const char* truth) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A change of a range.
  struct Edit {
    uint64_t offset;
    uint64_t length;
    const char* data;  // null: zeros
    const Harms* harms;
    bool through = false;  // past what may be lost

    const Harm* OfAll() const { return harms == nullptr ? nullptr : harms->OfAll(); }
    uint64_t end() const { return offset + length; }
    // Puts what it makes of a sector over what that was.
    void Patch(uint64_t sector, char* bytes) const;
  };
  using Make = absl::FunctionRef<int(uint64_t offset, uint64_t length)>;
  // What an edit is to leave damaged.
  struct Put {
    // A sector that had been damaged before.
    struct Was {
      Was(uint64_t at, const DamageMap::Entry& as, const char* showed) : sector(at), entry(as) {
        std::memcpy(shows, showed, kSectorSize);
      }
      uint64_t sector;
      DamageMap::Entry entry;
      char shows[kSectorSize];
      bool changed = false;  // it shows something else now
    };
    SectorMap kept;              // of the edit's range
    std::vector<uint64_t> anew;  // sectors that had not been damaged
    std::vector<Was> over;
    std::vector<uint64_t> right;  // that will show what they have
  };

  Store& contents() const { return *contents_.load(std::memory_order_acquire); }
  Store& top() const { return *top_.load(std::memory_order_acquire); }
  // Whether discards and zeroing are past what may be lost, as in null_blk's cache.
  bool PassesCache() const { return may_lose_.load(std::memory_order_acquire) == MayLose::kCached; }
  bool IsWhole(uint64_t offset, uint64_t length) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  int Apply(const Edit& edit, Make make) ABSL_LOCKS_EXCLUDED(mutex_);
  int ApplyLocked(const Edit& edit, Make make) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int ApplyTorn(const Edit& edit, Make make) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int LieAhead(const Edit& edit, Put& put) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int LieAt(uint64_t sector, const Edit& edit, Put& put) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int PutOver(Put::Was was, bool had, const char* shows, const DamageMap::Entry& entry, Put& put)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Misdirect(const Edit& edit, const Harm& harm, bool within, Put& put)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Confirm(const Put& put) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Undo(const Put& put) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SettlePut(const Put& put) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountInjected(uint64_t sector) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int HealWritten(const Edit& edit, const Put& but) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int HarmRead(uint64_t sector, char (&bytes)[kSectorSize], const Harm& harm)
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  int Lie(uint64_t sector, const char* shows, const char* truth, const Harm& harm)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NotePromised(const Harm& harm) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int ShowWithoutPower(uint64_t sector, const char* was, const char* truth, const Harm& harm)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Truth(uint64_t sector, char* to) const {
    return contents().CopyOut(sector * kSectorSize, kSectorSize, to);
  }
  int Shown(uint64_t offset, uint64_t length, char* to) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  uint64_t NextShown(uint64_t offset) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool Has(uint64_t sector) const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return map_ != nullptr && map_->Has(sector);
  }
  void Count() ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool Fits(uint64_t sector, DamageMap::Entry& entry) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  int Unheal(uint64_t sector) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SettleHealed(After after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetHealedLocked(uint64_t first = 0, uint64_t last = UINT64_MAX - 1)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Services services_;
  std::atomic<Store*> contents_{nullptr};
  std::atomic<Store*> top_{nullptr};
  std::atomic<MayLose> may_lose_{MayLose::kNothing};
  std::atomic<bool> has_healed_{false};
  std::atomic<uint64_t> count_{0};  // of damaged sectors
  mutable WriterFirstMutex mutex_;
  std::unique_ptr<DamageMap> map_ ABSL_GUARDED_BY(mutex_);  // null until something can be damaged
};

}  // namespace rnullfs

#endif  // RNULLFS_DAMAGE_DAMAGE_H_
