#include "store/sharing.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

// The kernel lets go of its file soon after the close that it tells us of.
constexpr int kHeldByACloseLooks = 20;

// Whether anybody but us has a memfd open or mapped.
enum class Holders { kNone, kSome, kUnknown };  // unknown: no /proc, or fs.leases-enable is 0

// Who maps a disk that the kernel serves by passthrough holds a file of the kernel's on our memfd,
// and holds it after the close that FUSE tells us of.  A lease tells: the kernel gives none for
// writing while the inode is open a second time (generic_add_lease() in fs/locks.c).  Our own
// memfd, wherever it has been handed to, is no open of that kind, nor is what is mapped from it.
// Of one memfd one call at a time, or they see each other.
Holders HoldersOf(int memfd) {
  // Reading only: an open for writing would count as one that is not ours.
  char path[32];  // no string: it is asked where memory is out
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", memfd);
  const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return Holders::kUnknown;
  // Who opens it while we look waits for us, and we are told by a signal: by one that does nothing.
  fcntl(file.get(), F_SETSIG, SIGURG);
  if (fcntl(file.get(), F_SETLEASE, F_WRLCK) != 0) {
    return errno == EAGAIN ? Holders::kSome : Holders::kUnknown;
  }
  fcntl(file.get(), F_SETLEASE, F_UNLCK);
  return Holders::kNone;
}

}  // namespace

Sharing::Sharing(const std::unique_ptr<Pages>& pages, MemoryAccount& account, MemoryLimit& memory)
    : pages_(pages), account_(account), memory_(memory) {
  if (!pages_->was_shared()) return;
  const LockGuard lock(mutex_);
  Linger();
}

Sharing::~Sharing() { memory_.Unwatch(this); }

absl::Status Sharing::Share(bool anyway) {
  const LockGuard lock(mutex_);
  if (shares_ == 0 && !lingering_) {
    const uint64_t size_bytes = pages_->size_bytes();
    if (anyway) {
      account_.ReserveAnyway(size_bytes);
    } else if (!account_.Reserve(size_bytes)) {
      return Error(ENOSPC,
                   absl::StrCat("size: ", size_bytes >> 20,
                                " MiB do not fit into what memory_limit leaves, or store_limit"));
    }
    if (const int error = pages_->Share(); error != 0) {
      account_.EndReservation([this] { return pages_->AllocatedBytes(); });
      return SystemError(error, "sealing the disk's length");
    }
  }
  StopWatching();
  ++shares_;
  return absl::OkStatus();
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
