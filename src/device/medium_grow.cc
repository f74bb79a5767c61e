// A medium that becomes larger while its disk is in use.

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "past/clone_store.h"
#include "past/past.h"
#include "rnullfs/error.h"
#include "rnullfs/medium.h"

namespace rnullfs {
namespace {

absl::Status NotWhileOn(std::string_view why) {
  return Error(EBUSY, absl::StrCat("size: cannot change while the device is powered, as ",
                                   std::string(why), "; write 0 to power first"));
}

}  // namespace

// The marks come first: what the origin has behind the disk's end never shows.
absl::Status Medium::Grow(const DeviceConfig& config) {
  if (absl::Status possible = CheckSize(config); !possible.ok()) return possible;
  if (!config.memory_backed) return absl::OkStatus();
  if (config.wants_cache()) return NotWhileOn("the cache has no room for a larger disk");
  if (config.datapath == DataPath::kPassthrough || !store_->grows_in_place()) {
    return NotWhileOn(
        "its memory has a fixed size, for the kernel to serve it by itself (passthrough)");
  }
  const uint64_t size_bytes = config.size << 20;
  if (clone_ != nullptr && clone_->Grow(size_bytes) != 0) {
    return Error(ENOSPC, "size: there is no memory to note what is new");
  }
  absl::Status grown = store_->Resize(size_bytes);
  KillPoint("grown-live");
  return grown;
}

void Medium::EndGrowth(const DeviceConfig& config) {
  if (!config.memory_backed) return;
  static_cast<void>(store_->Resize(config.size << 20));
  if (past_ != nullptr) past_->SettleSize();
}

}  // namespace rnullfs
