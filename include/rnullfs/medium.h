// What a disk remembers: it lives from mkdir to rmdir, through power cycles.
//
// The store exists from the first power-on with memory_backed=1 on; a power-on with another size
// truncates or grows it, and one with memory_backed=0 leaves it as it is.
//
// Thread safety: Prepare() must be alone (the device is off then); the rest from any thread.
#ifndef RNULLFS_MEDIUM_H_
#define RNULLFS_MEDIUM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "rnullfs/device_config.h"
#include "rnullfs/page_store.h"

namespace rnullfs {

class Medium {
 public:
  // Its pages are charged to `memory`, its memfd is held by `keeper`, too; both outlive it.
  Medium(std::string name, MemoryLimit& memory, MemfdKeeper& keeper = MemfdKeeper::None())
      : name_(std::move(name)), memory_(memory), keeper_(keeper) {}

  // Takes over what a process left that is gone; as PageStore::Adopt().
  absl::Status Adopt(UniqueFd memfd, UniqueFd moving_to);

  // Makes the medium fit `config`.  EINVAL or ENOSPC with a sentence when the size cannot be had;
  // the medium is unchanged then.
  absl::Status Prepare(const DeviceConfig& config);

  // For rmdir: nobody holds the bytes any more when this has been destroyed.
  void Remove() {
    if (store_ != nullptr) store_->GiveBack();
  }

  // Null until the first memory-backed power-on.
  PageStore* store() const { return store_.get(); }
  // Whether a disk as `config` says would fit into what the memory limit leaves to it, all of it.
  bool Fits(const DeviceConfig& config) const;

  uint64_t stored_pages() const { return store_ == nullptr ? 0 : store_->stored_pages(); }

 private:
  const std::string name_;
  MemoryLimit& memory_;
  MemfdKeeper& keeper_;
  std::unique_ptr<PageStore> store_;
};

}  // namespace rnullfs

#endif  // RNULLFS_MEDIUM_H_
