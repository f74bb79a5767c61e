// What a disk remembers, its pages, its bad blocks and its fault rules: it lives from mkdir to
// rmdir, through power cycles.
//
// The store exists from the first power-on with memory_backed=1 on; a power-on with another size
// truncates or grows it, and one with memory_backed=0 leaves it as it is.  Over it lies, where the
// disk has an origin, what it shares with that; on it there may be a write cache, which is lost
// when the power goes, and on that a past, which keeps what snapshots and the history want.  Over
// all of it there may lie what the disk shows instead.
//
// Thread safety: Prepare(), Adopt(), SetOrigin() and DropCache() must be alone, but for views of
// its past (nobody has the disk open then), StandAlone(), Grow(), Remember(), Forget() and
// LayDamage() one at a time; the rest from any thread.
#ifndef RNULLFS_MEDIUM_H_
#define RNULLFS_MEDIUM_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "rnullfs/device_config.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/page_store.h"
#include "rnullfs/power_cut.h"

namespace rnullfs {

class BadBlockTable;
class CountedRequest;
class CloneStore;
class Damage;
class FaultRuleTable;
struct LogEntry;
class Past;
class WriteCache;

class Medium {
 public:
  // What its memfds are called, whose memory they take, and who holds them, too; what is counted.
  // All outlive it.
  struct Services {
    std::string name;
    std::string cache_name;
    std::string past_name = {};    // of what is kept of the past
    std::string marks_name = {};   // of what a clone no longer shares
    std::string faults_name = {};  // of what its fault rules count
    std::string damage_name = {};  // of what it shows instead
    MemoryLimit& memory;
    DeviceCounters& counters;
    MemfdKeeper& keeper = MemfdKeeper::None();
    // Bad blocks have become good by themselves (badblocks_once); called without a lock.
    std::function<void()> badblocks_spent = nullptr;
  };
  explicit Medium(Services services);
  ~Medium();

  // Takes over what a process left that is gone: the store, as PageStore::Adopt(), and what was in
  // front of it.  A cache that `config` asks for and that is not there was being dropped.
  absl::Status Adopt(UniqueFd memfd, UniqueFd moving_to);
  // With the origin that has been set, which the disk no longer has if there are no `marks`.
  absl::Status AdoptClone(UniqueFd marks);
  absl::Status AdoptCache(const DeviceConfig& config, UniqueFd memfd);
  absl::Status AdoptPast(uint64_t history_bytes, UniqueFd memfd);
  // The last; whether it died while the power was being cut.
  absl::Status AdoptDamage(UniqueFd memfd, bool in_cut);

  // What the store will begin as; null: as zeros.  Only while there is none.
  void SetOrigin(std::shared_ptr<View> origin) { origin_ = std::move(origin); }
  bool has_origin() const { return origin_ != nullptr; }
  // Copies what is still shared, also while requests come, and lets go of the origin.  On an error
  // the disk has it as before.
  // EAGAIN when after `pages_max` there are more.
  absl::Status StandAlone(uint64_t pages_max = UINT64_MAX);
  // There is a store of which nothing has been used: as if there had never been one.
  void DropStore();

  // Makes the medium fit `config`.  EINVAL or ENOSPC with a sentence when the size cannot be had;
  // the medium is unchanged then.
  absl::Status Prepare(const DeviceConfig& config);

  // Makes it as large as `config` says while requests come, of which none goes behind the old end
  // yet; EBUSY where that takes a disk that is off.  EndGrowth() follows, with what the disk has
  // become: its size is what there is then, also in what is remembered.
  absl::Status Grow(const DeviceConfig& config);
  void EndGrowth(const DeviceConfig& config);

  // For rmdir: nobody holds the bytes any more when this has been destroyed.
  void Remove();

  // The power has gone: what the cache had is lost.
  void DropCache();

  // The same while somebody has the disk, whose requests change nothing any more: what no flush has
  // covered is lost as the cut has it, and what that is.  ENOSPC when some of it has stayed, or,
  // with kAll, has not.
  CutLoss WhatIsLost(const PowerCut& cut) const;
  int Lose(const PowerCut& cut);

  // Sees to it that there is a past, also while requests come; ENOSPC, EMFILE.
  absl::Status Remember();
  // Nothing is to be kept any more; nobody looks at a moment.
  void Forget();

  // Sees to it that it can come to show something else than it has, also while requests come; with
  // a store.  ENOSPC, EMFILE, EINVAL.
  absl::Status LayDamage();

  // What requests change, within an RcuReadGuard; only with a store.
  Store& top() const { return *top_.load(std::memory_order_acquire); }
  // What they read.
  Store& shown() const;
  // What that lies over, the truth: for it a past is not asked, which comes and goes.
  Store& contents() const;

  // Null until the first memory-backed power-on.
  PageStore* store() const { return store_.get(); }
  // Null without one.
  WriteCache* cache() const { return cache_.get(); }
  // Null while there is nothing to remember.
  Past* past() const { return past_.get(); }
  MemoryLimit& memory() const { return services_.memory; }
  BadBlockTable& bad_blocks() const { return *bad_blocks_; }
  FaultRuleTable& fault_rules() const { return *fault_rules_; }
  Damage& damage() const { return *damage_; }
  // The number of the newest change, 0 while there is nothing to remember; from any thread.
  uint64_t sequence() const;
  // Whether what is asked for is logged; and, from any thread, its lines: of what changes nothing,
  // and of what is about to be answered.
  bool logs() const;
  void CountLogged(const LogEntry& what) const;
  void EndLogged(const CountedRequest& request, int error, int64_t now_nsec) const;
  // Whether a disk as `config` says would fit into what the memory limit leaves to it, all of it.
  bool Fits(const DeviceConfig& config) const;

  uint64_t stored_pages() const { return store_ == nullptr ? 0 : store_->stored_pages(); }
  uint64_t cached_pages() const;

 private:
  static absl::Status CheckSize(const DeviceConfig& config);
  absl::Status PrepareStore(uint64_t size_bytes);
  absl::Status CutOff(uint64_t size_bytes);
  absl::Status PrepareClone(std::unique_ptr<PageStore>&& marks, PageStore& store);
  Store& below_cache() const;
  absl::Status Resize(uint64_t size_bytes);
  absl::Status PrepareCache(const DeviceConfig& config);
  int LoseCached(const PowerCut& cut);
  int LoseAll(const PowerCut& cut);
  void Stack();
  void SetTop();
  absl::Status OpenCache(const DeviceConfig& config, UniqueFd memfd);

  const Services services_;
  const std::unique_ptr<BadBlockTable> bad_blocks_;
  const std::unique_ptr<FaultRuleTable> fault_rules_;
  std::shared_ptr<View> origin_;
  std::unique_ptr<PageStore> store_;
  std::unique_ptr<CloneStore> clone_;  // null without an origin
  std::unique_ptr<WriteCache> cache_;
  std::unique_ptr<Past> past_;
  const std::unique_ptr<Damage> damage_;
  std::atomic<bool> lies_{false};  // damage_ is in the way of requests
  std::atomic<Store*> top_{nullptr};
  std::atomic<Past*> remembers_{nullptr};  // past_.get() while it is on top, for requests
};

}  // namespace rnullfs

#endif  // RNULLFS_MEDIUM_H_
