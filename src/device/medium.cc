#include "rnullfs/medium.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "device/bad_block_table.h"
#include "rnullfs/error.h"
#include "store/write_cache.h"

namespace rnullfs {
namespace {

// Offsets in a file are signed.
constexpr uint64_t kSizeMaxMib = uint64_t{INT64_MAX} >> 20;

bool WantsCache(const DeviceConfig& config) {
  return config.memory_backed && config.cache_size != 0;
}

uint64_t CacheBytes(const DeviceConfig& config) {
  return std::min(config.cache_size, kSizeMaxMib) << 20;
}

}  // namespace

Medium::Medium(Services services)
    : services_(std::move(services)),
      bad_blocks_(std::make_unique<BadBlockTable>(services_.badblocks_spent)) {}

Medium::~Medium() = default;

absl::Status Medium::Prepare(const DeviceConfig& config) {
  if (config.size > kSizeMaxMib) {
    return Error(EINVAL,
                 absl::StrCat("size: ", config.size, " MiB is more than a disk can have; at most ",
                              kSizeMaxMib, " MiB are possible"));
  }
  if (!config.memory_backed) return absl::OkStatus();
  const uint64_t old_bytes = store_ == nullptr ? 0 : store_->size_bytes();
  const uint64_t size_bytes = config.size << 20;
  // What a truncation cuts off is lost, so that it comes last.
  if (absl::Status status = PrepareStore(std::max(old_bytes, size_bytes)); !status.ok()) {
    return status;
  }
  absl::Status status = PrepareCache(config);
  if (status.ok() && size_bytes < old_bytes) status = store_->Resize(size_bytes);
  if (status.ok()) return status;
  DropCache();
  // It has grown by nothing but a hole.
  if (old_bytes < size_bytes) static_cast<void>(store_->Resize(old_bytes));
  return status;
}

absl::Status Medium::PrepareStore(uint64_t size_bytes) {
  if (store_ != nullptr) return store_->Resize(size_bytes);
  absl::StatusOr<std::unique_ptr<PageStore>> store =
      PageStore::Create(services_.name, services_.memory, services_.keeper);
  if (!store.ok()) return store.status();
  if (absl::Status resized = (*store)->Resize(size_bytes); !resized.ok()) {
    (*store)->GiveBack();
    return resized;
  }
  store_ = *std::move(store);
  return absl::OkStatus();
}

absl::Status Medium::PrepareCache(const DeviceConfig& config) {
  DropCache();
  return WantsCache(config) ? OpenCache(config, UniqueFd()) : absl::OkStatus();
}

absl::Status Medium::OpenCache(const DeviceConfig& config, UniqueFd memfd) {
  absl::StatusOr<std::unique_ptr<WriteCache>> cache =
      WriteCache::Open({.name = services_.cache_name,
                        .memory = services_.memory,
                        .keeper = services_.keeper,
                        .disk = *store_,
                        .disk_bytes = config.size << 20,
                        .written_back = services_.counters.written_back},
                       CacheBytes(config), std::move(memfd));
  if (!cache.ok()) return cache.status();
  cache_ = *std::move(cache);
  return absl::OkStatus();
}

absl::Status Medium::Adopt(UniqueFd memfd, UniqueFd moving_to) {
  absl::StatusOr<std::unique_ptr<PageStore>> store = PageStore::Adopt(
      services_.name, services_.memory, services_.keeper, std::move(memfd), std::move(moving_to));
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  return absl::OkStatus();
}

absl::Status Medium::AdoptCache(const DeviceConfig& config, UniqueFd memfd) {
  if (!memfd.valid()) return PrepareCache(config);
  if (store_ == nullptr || !WantsCache(config)) {
    services_.keeper.Drop(memfd.get());
    return absl::OkStatus();
  }
  return OpenCache(config, std::move(memfd));
}

void Medium::DropCache() {
  if (cache_ == nullptr) return;
  services_.counters.dropped.fetch_add(cache_->cached_pages(), std::memory_order_relaxed);
  cache_->GiveBack();
  cache_.reset();
}

void Medium::Remove() {
  DropCache();
  if (store_ != nullptr) store_->GiveBack();
}

uint64_t Medium::cached_pages() const { return cache_ == nullptr ? 0 : cache_->cached_pages(); }

bool Medium::Fits(const DeviceConfig& config) const {
  if (config.size > kSizeMaxMib) return false;
  const uint64_t size_bytes = config.size << 20;
  if (store_ != nullptr) return store_->CouldShare(size_bytes);
  return services_.memory.Insist([&] { return size_bytes <= services_.memory.left_bytes(); });
}

}  // namespace rnullfs
