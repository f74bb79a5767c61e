// What a medium shows.

#include "damage/damage.h"
#include "past/past.h"
#include "rnullfs/medium.h"
#include "rnullfs/rcu.h"

namespace rnullfs {

// When it returns, no change is under way any more that passes damage by.
absl::Status Medium::LayDamage() {
  if (lies_.load(std::memory_order_relaxed)) return absl::OkStatus();
  if (absl::Status begun = damage_->Begin(); !begun.ok()) return begun;
  lies_.store(true, std::memory_order_release);
  SetTop();
  RcuSynchronize();
  return absl::OkStatus();
}

void Medium::SetTop() {
  Store& top = past_ != nullptr ? *past_ : contents();
  const Damage::MayLose may_lose = cache_ != nullptr  ? Damage::MayLose::kCached
                                   : past_ != nullptr ? Damage::MayLose::kUncovered
                                                      : Damage::MayLose::kNothing;
  damage_->LieOver(contents(), top, may_lose);
  Store* const first = lies_.load(std::memory_order_relaxed) ? damage_.get() : &top;
  top_.store(first, std::memory_order_release);
}

Store& Medium::shown() const {
  return lies_.load(std::memory_order_acquire) ? static_cast<Store&>(*damage_) : contents();
}

}  // namespace rnullfs
