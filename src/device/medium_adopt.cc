// A medium that another process has left.

#include <utility>

#include "damage/damage.h"
#include "past/clone_store.h"
#include "past/past.h"
#include "rnullfs/medium.h"
#include "store/write_cache.h"

namespace rnullfs {

absl::Status Medium::Adopt(UniqueFd memfd, UniqueFd moving_to) {
  absl::StatusOr<std::unique_ptr<PageStore>> store = PageStore::Adopt(
      services_.name, services_.memory, services_.keeper, std::move(memfd), std::move(moving_to));
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  Stack();
  return absl::OkStatus();
}

absl::Status Medium::AdoptClone(UniqueFd memfd) {
  if (store_ == nullptr || !memfd.valid()) {
    if (memfd.valid()) services_.keeper.Drop(memfd.get());
    if (store_ != nullptr) origin_.reset();
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<PageStore>> marks = PageStore::Adopt(
      services_.marks_name, services_.memory, services_.keeper, std::move(memfd), UniqueFd());
  if (!marks.ok()) return marks.status();
  absl::Status prepared = PrepareClone(*std::move(marks), *store_);
  if (prepared.ok()) Stack();
  return prepared;
}

absl::Status Medium::AdoptPast(uint64_t history_bytes, UniqueFd memfd) {
  if (store_ == nullptr) {
    services_.keeper.Drop(memfd.get());
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<Past>> past =
      Past::Adopt(services_.memory, services_.keeper, std::move(memfd), history_bytes, contents());
  if (!past.ok()) return past.status();
  past_ = *std::move(past);
  Stack();
  return absl::OkStatus();
}

absl::Status Medium::AdoptCache(const DeviceConfig& config, UniqueFd memfd) {
  if (!memfd.valid()) {
    absl::Status prepared = PrepareCache(config);
    if (store_ != nullptr) Stack();
    return prepared;
  }
  if (store_ == nullptr || !config.wants_cache()) {
    services_.keeper.Drop(memfd.get());
    return absl::OkStatus();
  }
  absl::Status opened = OpenCache(config, std::move(memfd));
  Stack();
  return opened;
}

absl::Status Medium::AdoptDamage(UniqueFd memfd, bool in_cut) {
  if (store_ == nullptr) {
    if (memfd.valid()) services_.keeper.Drop(memfd.get());
    damage_->Forget();
    return absl::OkStatus();
  }
  absl::Status adopted = damage_->Adopt(std::move(memfd));
  if (!adopted.ok()) return adopted;
  damage_->Settle(in_cut ? Damage::After::kChange : Damage::After::kDeath);
  lies_.store(damage_->IsNeeded(), std::memory_order_release);
  SetTop();
  return absl::OkStatus();
}

}  // namespace rnullfs
