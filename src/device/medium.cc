#include "rnullfs/medium.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "damage/damage.h"
#include "device/bad_block_table.h"
#include "device/fault_rule_table.h"
#include "past/clone_store.h"
#include "past/past.h"
#include "rnullfs/error.h"
#include "rnullfs/rcu.h"
#include "store/write_cache.h"

namespace rnullfs {
namespace {

// Offsets in a file are signed.
constexpr uint64_t kSizeMaxMib = uint64_t{INT64_MAX} >> 20;

uint64_t CacheBytes(const DeviceConfig& config) {
  return std::min(config.cache_size, kSizeMaxMib) << 20;
}

}  // namespace

Medium::Medium(Services services)
    : services_(std::move(services)),
      bad_blocks_(std::make_unique<BadBlockTable>(services_.badblocks_spent)),
      fault_rules_(std::make_unique<FaultRuleTable>(services_.faults_name, services_.keeper)),
      damage_(
          std::make_unique<Damage>(Damage::Services{.name = services_.damage_name,
                                                    .memory = services_.memory,
                                                    .keeper = services_.keeper,
                                                    .sectors = services_.counters.damage.sectors,
                                                    .injected = services_.counters.damage.injected,
                                                    .healed = services_.counters.damage.healed})) {}

Medium::~Medium() = default;

absl::Status Medium::CheckSize(const DeviceConfig& config) {
  if (config.size <= kSizeMaxMib) return absl::OkStatus();
  return Error(EINVAL,
               absl::StrCat("size: ", config.size, " MiB is more than a disk can have; at most ",
                            kSizeMaxMib, " MiB are possible"));
}

absl::Status Medium::Prepare(const DeviceConfig& config) {
  if (absl::Status possible = CheckSize(config); !possible.ok()) return possible;
  if (!config.memory_backed) return absl::OkStatus();
  const uint64_t old_bytes = store_ == nullptr ? 0 : store_->size_bytes();
  const uint64_t size_bytes = config.size << 20;
  // What a truncation cuts off is lost, so that it comes last.
  if (absl::Status status = PrepareStore(std::max(old_bytes, size_bytes)); !status.ok()) {
    return status;
  }
  absl::Status status = PrepareCache(config);
  if (status.ok() && size_bytes < old_bytes) status = CutOff(size_bytes);
  if (!status.ok()) {
    DropCache();
    // It has grown by nothing but a hole.
    if (old_bytes < size_bytes) static_cast<void>(Resize(old_bytes));
  }
  if (past_ != nullptr) past_->Settle();
  Stack();
  damage_->ForgetHealed();
  return status;
}

// What is cut off may be wanted as what was, and never comes back from an origin.
absl::Status Medium::CutOff(uint64_t size_bytes) {
  const auto prepare = [&] { return clone_ == nullptr ? 0 : clone_->PrepareToDiscard(size_bytes); };
  int error = 0;
  if (past_ != nullptr) {
    error = past_->CutOff(size_bytes, prepare);
  } else if (clone_ != nullptr) {
    error = prepare();
    if (error == 0) error = clone_->Discard(size_bytes, clone_->size_bytes() - size_bytes);
  }
  if (error == EIO) {
    return Error(error, "size: what is cut off is shared with the origin, and cannot be read");
  }
  if (error != 0) {
    return Error(error, "size: there is no memory to keep, or to note, what is cut off");
  }
  return Resize(size_bytes);
}

// Snapshots may be read meanwhile.
absl::Status Medium::Resize(uint64_t size_bytes) {
  if (past_ == nullptr) return store_->Resize(size_bytes);
  absl::Status resized;
  past_->Rearrange([&]() -> Store& {
    resized = store_->Resize(size_bytes);
    return below_cache();
  });
  return resized;
}

// Alone.
void Medium::Stack() {
  std::unique_ptr<CloneStore> ended;
  if (clone_ != nullptr && clone_->stands_alone()) ended = std::exchange(clone_, nullptr);
  if (past_ != nullptr) {
    past_->Rearrange([this]() -> Store& { return contents(); });
    past_->SettleSize();
  }
  remembers_.store(past_.get(), std::memory_order_release);
  lies_.store(damage_->IsNeeded(), std::memory_order_release);
  SetTop();
  damage_->Settle(Damage::After::kChange);
}

absl::Status Medium::Remember() {
  if (past_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Past>> past =
      Past::Create(services_.past_name, services_.memory, services_.keeper, contents());
  if (!past.ok()) return past.status();
  past_ = *std::move(past);
  remembers_.store(past_.get(), std::memory_order_release);
  SetTop();
  RcuSynchronize();                                // what has not seen it is done
  if (cache_ == nullptr) damage_->ForgetHealed();  // all that there is counts as covered
  return absl::OkStatus();
}

void Medium::Forget() {
  if (past_ == nullptr) return;
  remembers_.store(nullptr, std::memory_order_release);
  const std::unique_ptr<Past> forgotten = std::exchange(past_, nullptr);
  SetTop();
  RcuSynchronize();  // nobody changes anything there any more
  forgotten->GiveBack();
  if (cache_ == nullptr) damage_->ForgetHealed();
}

// The marks come first: a store that has none stands alone.
absl::Status Medium::PrepareStore(uint64_t size_bytes) {
  if (store_ != nullptr) {
    const int error = clone_ == nullptr ? 0 : clone_->Grow(size_bytes);
    if (error != 0) return Error(error, "size: there is no memory to note what is new");
    return Resize(size_bytes);
  }
  std::unique_ptr<PageStore> marks;
  absl::Cleanup undo = [&] {
    if (marks != nullptr) marks->GiveBack();
  };
  if (origin_ != nullptr) {
    absl::StatusOr<std::unique_ptr<PageStore>> created =
        PageStore::Create(services_.marks_name, services_.memory, services_.keeper);
    if (!created.ok()) return created.status();
    marks = *std::move(created);
    KillPoint("marks-created");
  }
  absl::StatusOr<std::unique_ptr<PageStore>> store =
      PageStore::Create(services_.name, services_.memory, services_.keeper);
  if (!store.ok()) return store.status();
  absl::Status prepared = (*store)->Resize(size_bytes);
  if (prepared.ok() && marks != nullptr) prepared = PrepareClone(std::move(marks), **store);
  if (!prepared.ok()) {
    (*store)->GiveBack();
    return prepared;
  }
  store_ = *std::move(store);
  return absl::OkStatus();
}

absl::Status Medium::PrepareClone(std::unique_ptr<PageStore>&& marks, PageStore& store) {
  absl::StatusOr<std::unique_ptr<CloneStore>> clone =
      CloneStore::Create(store, origin_, std::move(marks));
  if (!clone.ok()) return clone.status();
  clone_ = *std::move(clone);
  return absl::OkStatus();
}

void Medium::DropStore() {
  DropCache();
  if (store_ != nullptr) store_->GiveBack();
  KillPoint("store-dropped");
  damage_->Forget();
  if (clone_ != nullptr) clone_->GiveBack();  // last: a store that has no marks stands alone
  clone_.reset();
  store_.reset();
  lies_ = false;
  top_ = nullptr;
}

absl::Status Medium::StandAlone(uint64_t pages_max) {
  if (clone_ != nullptr) {
    if (const int error = clone_->StandAlone(pages_max); error != 0) {
      if (error == EAGAIN) return Error(EAGAIN, "there is more to copy");
      return Error(error, error == EIO ? "origin: it could not be read; what it has is still shared"
                                       : "origin: there is no memory for all that is still shared");
    }
    // What comes from now on need not come by it.
    if (past_ == nullptr && cache_ == nullptr) SetTop();
  }
  origin_.reset();
  return absl::OkStatus();
}

Store& Medium::below_cache() const {
  if (clone_ == nullptr || clone_->stands_alone()) return *store_;
  return *clone_;
}

Store& Medium::contents() const {
  return cache_ != nullptr ? static_cast<Store&>(*cache_) : below_cache();
}

absl::Status Medium::PrepareCache(const DeviceConfig& config) {
  DropCache();
  services_.counters.cache.unflushed.store(0, std::memory_order_relaxed);
  return config.wants_cache() ? OpenCache(config, UniqueFd()) : absl::OkStatus();
}

absl::Status Medium::OpenCache(const DeviceConfig& config, UniqueFd memfd) {
  absl::StatusOr<std::unique_ptr<WriteCache>> cache =
      WriteCache::Open({.name = services_.cache_name,
                        .memory = services_.memory,
                        .keeper = services_.keeper,
                        .disk = below_cache(),
                        .disk_bytes = config.size << 20,
                        .written_back = services_.counters.cache.written_back,
                        .unflushed = services_.counters.cache.unflushed},
                       CacheBytes(config), std::move(memfd));
  if (!cache.ok()) return cache.status();
  cache_ = *std::move(cache);
  return absl::OkStatus();
}

void Medium::Remove() {
  Forget();  // what the cache has need not be kept
  DropCache();
  if (clone_ != nullptr) clone_->GiveBack();
  if (store_ != nullptr) store_->GiveBack();
  fault_rules_->GiveBack();
  damage_->GiveBack();
}

uint64_t Medium::sequence() const {
  const RcuReadGuard guard;
  const Past* const past = remembers_.load(std::memory_order_acquire);
  return past == nullptr ? 0 : past->sequence();
}

bool Medium::logs() const {
  if (remembers_.load(std::memory_order_relaxed) == nullptr) return false;
  const RcuReadGuard guard;
  const Past* const past = remembers_.load(std::memory_order_acquire);
  return past != nullptr && past->log().on();
}

void Medium::CountLogged(const LogEntry& what) const {
  const RcuReadGuard guard;
  Past* const past = remembers_.load(std::memory_order_acquire);
  if (past != nullptr) static_cast<void>(past->Count(what));
}

void Medium::EndLogged(const CountedRequest& request, int error, int64_t now_nsec) const {
  const RcuReadGuard guard;
  Past* const past = remembers_.load(std::memory_order_acquire);
  if (past != nullptr) past->log().End(request, error, now_nsec);
}

uint64_t Medium::cached_pages() const { return cache_ == nullptr ? 0 : cache_->cached_pages(); }

bool Medium::Fits(const DeviceConfig& config) const {
  if (config.size > kSizeMaxMib) return false;
  const uint64_t size_bytes = config.size << 20;
  if (store_ != nullptr) return store_->CouldShare(size_bytes);
  return services_.memory.Insist([&] { return size_bytes <= services_.memory.left_bytes(); });
}

}  // namespace rnullfs
