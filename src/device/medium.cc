#include "rnullfs/medium.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Offsets in a file are signed.
constexpr uint64_t kSizeMaxMib = uint64_t{INT64_MAX} >> 20;

}  // namespace

absl::Status Medium::Prepare(const DeviceConfig& config) {
  if (config.size > kSizeMaxMib) {
    return Error(EINVAL,
                 absl::StrCat("size: ", config.size, " MiB is more than a disk can have; at most ",
                              kSizeMaxMib, " MiB are possible"));
  }
  if (!config.memory_backed) return absl::OkStatus();
  const uint64_t size_bytes = config.size << 20;
  if (store_ != nullptr) return store_->Resize(size_bytes);
  absl::StatusOr<std::unique_ptr<PageStore>> store = PageStore::Create(name_, memory_, keeper_);
  if (!store.ok()) return store.status();
  if (absl::Status resized = (*store)->Resize(size_bytes); !resized.ok()) {
    (*store)->GiveBack();
    return resized;
  }
  store_ = *std::move(store);
  return absl::OkStatus();
}

absl::Status Medium::Adopt(UniqueFd memfd, UniqueFd moving_to) {
  absl::StatusOr<std::unique_ptr<PageStore>> store =
      PageStore::Adopt(name_, memory_, keeper_, std::move(memfd), std::move(moving_to));
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  return absl::OkStatus();
}

bool Medium::Fits(const DeviceConfig& config) const {
  if (config.size > kSizeMaxMib) return false;
  const uint64_t size_bytes = config.size << 20;
  return store_ != nullptr ? store_->CouldShare(size_bytes) : size_bytes <= memory_.left_bytes();
}

}  // namespace rnullfs
