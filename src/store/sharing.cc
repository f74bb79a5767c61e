#include "store/sharing.h"

#include <cassert>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"
#include "store/memfd_holders.h"

namespace rnullfs {
namespace {

// The kernel lets go of its file soon after the close that it tells us of.
constexpr int kHeldByACloseLooks = 20;

}  // namespace

Sharing::Sharing(const std::unique_ptr<Pages>& pages, MemoryAccount& account, MemoryLimit& memory)
    : pages_(pages), account_(account), memory_(memory) {
  if (!pages_->was_shared()) return;
  const LockGuard lock(mutex_);
  Linger();
}

Sharing::~Sharing() { memory_.Unwatch(this); }

absl::Status Sharing::Share() {
  const LockGuard lock(mutex_);
  if (shares_ == 0 && !lingering_) {
    if (!account_.Reserve(pages_->size_bytes())) {
      return Error(ENOSPC, absl::StrCat("size: ", pages_->size_bytes() >> 20,
                                        " MiB do not fit into what memory_limit leaves"));
    }
    if (absl::Status status = OpenDoor(); !status.ok()) return status;
  }
  StopWatching();
  ++shares_;
  return absl::OkStatus();
}

absl::Status Sharing::ShareAgain() {
  const LockGuard lock(mutex_);
  if (shares_ == 0 && !lingering_) {
    account_.ReserveAnyway(pages_->size_bytes());
    if (absl::Status status = OpenDoor(); !status.ok()) return status;
  }
  StopWatching();
  ++shares_;
  return absl::OkStatus();
}

absl::Status Sharing::OpenDoor() {
  const int error = pages_->Share();
  if (error == 0) return absl::OkStatus();
  account_.EndReservation([this] { return pages_->AllocatedBytes(); });
  return SystemError(error, "sealing the disk's length");
}

void Sharing::Unshare() {
  const LockGuard lock(mutex_);
  if (--shares_ == 0) Linger();
}

// Nobody shares the store any more: it is charged whole until nobody holds it either.
void Sharing::Linger() {
  lingering_ = true;
  looks_ = 0;
  if (HoldersOf(pages_->fd()) == Holders::kNone) return EndLingering();
  account_.ReserveAnyway(pages_->size_bytes());
  memory_.Watch(this, [this] { return LookAgain(); });
}

void Sharing::StopWatching() {
  if (lingering_) memory_.Unwatch(this);
  lingering_ = false;
}

void Sharing::EndLingering() {
  StopWatching();
  pages_->ForgetIndex();
  account_.EndReservation([this] { return pages_->AllocatedBytes(); });
}

// Who wants memory may have locks of another store, whose owner wants memory, too: so nothing is
// waited for here.
MemoryLimit::Look Sharing::LookAgain() {
  if (!mutex_.try_lock()) return MemoryLimit::Look::kLookAgainSoon;
  const MemoryLimit::Look look = LookLocked();
  mutex_.unlock();
  return look;
}

MemoryLimit::Look Sharing::LookLocked() {
  if (!lingering_) return MemoryLimit::Look::kOver;
  const Holders holders = HoldersOf(pages_->fd());
  if (holders == Holders::kSome && ++looks_ < kHeldByACloseLooks) {
    return MemoryLimit::Look::kLookAgainSoon;
  }
  if (holders != Holders::kNone) return MemoryLimit::Look::kGoesOn;
  if (!pages_->TryForgetIndex()) return MemoryLimit::Look::kLookAgainSoon;
  lingering_ = false;
  account_.EndReservation([this] { return pages_->AllocatedBytes(); });
  return MemoryLimit::Look::kOver;
}

bool Sharing::Held() {
  const LockGuard lock(mutex_);
  if (!pages_->was_shared()) return false;
  const Holders holders = HoldersOf(pages_->fd());
  if (holders == Holders::kNone && lingering_) EndLingering();
  return holders == Holders::kSome;
}

void Sharing::EndHolding() {
  const LockGuard lock(mutex_);
  if (lingering_) EndLingering();
}

}  // namespace rnullfs
