// What a disk remembers, its pages and its bad blocks: it lives from mkdir to rmdir, through power
// cycles.
//
// The store exists from the first power-on with memory_backed=1 on; a power-on with another size
// truncates or grows it, and one with memory_backed=0 leaves it as it is.  Before it there may be a
// write cache, which is lost when the power goes.
//
// Thread safety: Prepare(), Adopt() and DropCache() must be alone (nobody has the disk open then);
// the rest from any thread.
#ifndef RNULLFS_MEDIUM_H_
#define RNULLFS_MEDIUM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "rnullfs/device_config.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/page_store.h"

namespace rnullfs {

class BadBlockTable;
class WriteCache;

class Medium {
 public:
  // What its memfds are called, whose memory they take, and who holds them, too; what is counted of
  // the cache.  All outlive it.
  struct Services {
    std::string name;
    std::string cache_name;
    MemoryLimit& memory;
    CacheCounters& counters;
    MemfdKeeper& keeper = MemfdKeeper::None();
    // Bad blocks have become good by themselves (badblocks_once); called without a lock.
    std::function<void()> badblocks_spent = nullptr;
  };
  explicit Medium(Services services);
  ~Medium();

  // Takes over what a process left that is gone: the store, as PageStore::Adopt(), and what was in
  // front of it.  A cache that `config` asks for and that is not there was being dropped.
  absl::Status Adopt(UniqueFd memfd, UniqueFd moving_to);
  absl::Status AdoptCache(const DeviceConfig& config, UniqueFd memfd);

  // Makes the medium fit `config`.  EINVAL or ENOSPC with a sentence when the size cannot be had;
  // the medium is unchanged then.
  absl::Status Prepare(const DeviceConfig& config);

  // For rmdir: nobody holds the bytes any more when this has been destroyed.
  void Remove();

  // The power has gone: what the cache had is lost.
  void DropCache();

  // Null until the first memory-backed power-on.
  PageStore* store() const { return store_.get(); }
  // Null without one.
  WriteCache* cache() const { return cache_.get(); }
  BadBlockTable& bad_blocks() const { return *bad_blocks_; }
  // Whether a disk as `config` says would fit into what the memory limit leaves to it, all of it.
  bool Fits(const DeviceConfig& config) const;

  uint64_t stored_pages() const { return store_ == nullptr ? 0 : store_->stored_pages(); }
  uint64_t cached_pages() const;

 private:
  absl::Status PrepareStore(uint64_t size_bytes);
  absl::Status PrepareCache(const DeviceConfig& config);
  absl::Status OpenCache(const DeviceConfig& config, UniqueFd memfd);

  const Services services_;
  const std::unique_ptr<BadBlockTable> bad_blocks_;
  std::unique_ptr<PageStore> store_;
  std::unique_ptr<WriteCache> cache_;
};

}  // namespace rnullfs

#endif  // RNULLFS_MEDIUM_H_
