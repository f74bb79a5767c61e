// The other door of a page store: who may use it, what that is charged, and when all have left.

#include <cassert>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"
#include "rnullfs/page_store.h"
#include "store/memfd_holders.h"
#include "store/memory_account.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

// The kernel lets go of its file soon after the close that it tells us of.
constexpr int kHeldByACloseLooks = 20;

}  // namespace

absl::Status PageStore::Share() {
  const LockGuard lock(share_mutex_);
  if (shares_ == 0 && !lingering_) {
    if (!account_->Reserve(size_bytes())) {
      return Error(ENOSPC, absl::StrCat("size: ", size_bytes() >> 20,
                                        " MiB do not fit into what memory_limit leaves"));
    }
    if (absl::Status status = OpenDoor(); !status.ok()) return status;
  }
  StopWatching();
  ++shares_;
  return absl::OkStatus();
}

absl::Status PageStore::ShareAgain() {
  const LockGuard lock(share_mutex_);
  if (shares_ == 0 && !lingering_) {
    account_->ReserveAnyway(size_bytes());
    if (absl::Status status = OpenDoor(); !status.ok()) return status;
  }
  StopWatching();
  ++shares_;
  return absl::OkStatus();
}

absl::Status PageStore::OpenDoor() {
  const int error = pages_->Share();
  if (error == 0) return absl::OkStatus();
  account_->EndReservation([this] { return pages_->AllocatedBytes(); });
  return SystemError(error, "sealing the disk's length");
}

void PageStore::Unshare() {
  const LockGuard lock(share_mutex_);
  if (--shares_ == 0) Linger();
}

// Nobody shares the store any more: it is charged whole until nobody holds it either.
void PageStore::Linger() {
  lingering_ = true;
  looks_ = 0;
  if (HoldersOf(fd()) == Holders::kNone) return EndLingering();
  account_->ReserveAnyway(size_bytes());
  memory_.Watch(this, [this] { return LookAgain(); });
}

void PageStore::StopWatching() {
  if (lingering_) memory_.Unwatch(this);
  lingering_ = false;
}

void PageStore::EndLingering() {
  StopWatching();
  pages_->ForgetIndex();
  account_->EndReservation([this] { return pages_->AllocatedBytes(); });
}

// Who wants memory may have locks of another store, whose owner wants memory, too: so nothing is
// waited for here.
MemoryLimit::Look PageStore::LookAgain() {
  if (!share_mutex_.try_lock()) return MemoryLimit::Look::kLookAgainSoon;
  const MemoryLimit::Look look = LookLocked();
  share_mutex_.unlock();
  return look;
}

MemoryLimit::Look PageStore::LookLocked() {
  if (!lingering_) return MemoryLimit::Look::kOver;
  const Holders holders = HoldersOf(fd());
  if (holders == Holders::kSome && ++looks_ < kHeldByACloseLooks) {
    return MemoryLimit::Look::kLookAgainSoon;
  }
  if (holders != Holders::kNone) return MemoryLimit::Look::kGoesOn;
  if (!pages_->TryForgetIndex()) return MemoryLimit::Look::kLookAgainSoon;
  lingering_ = false;
  account_->EndReservation([this] { return pages_->AllocatedBytes(); });
  return MemoryLimit::Look::kOver;
}

bool PageStore::Held() {
  const LockGuard lock(share_mutex_);
  if (!pages_->was_shared()) return false;
  const Holders holders = HoldersOf(fd());
  if (holders == Holders::kNone && lingering_) EndLingering();
  return holders == Holders::kSome;
}

void PageStore::EndHolding() {
  const LockGuard lock(share_mutex_);
  if (lingering_) EndLingering();
}

}  // namespace rnullfs
