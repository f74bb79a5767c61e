#include "rnullfs/disk_origin.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "disk/file_origin.h"
#include "past/written_log.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Meanwhile nothing else can be asked of the disk but its contents.
constexpr uint64_t kPagesAtOnce = 256;

uint64_t MibFor(uint64_t bytes) {
  constexpr uint64_t kMib = uint64_t{1} << 20;
  return bytes / kMib + (bytes % kMib == 0 ? 0 : 1);
}

}  // namespace

absl::StatusOr<Origin> DiskOrigin::Find(const std::string& text, const Requester& who,
                                        bool again) const {
  if (text.starts_with('/')) return FindFile(text, who, again);
  if (find_disk_ != nullptr) return find_disk_(text, who, again);
  return Error(ENOENT, "origin: there are no other disks here; it takes the path of a raw image");
}

// One at a time: a path that leads into the mount itself is answered by the other threads.
absl::StatusOr<Origin> DiskOrigin::FindFile(const std::string& path, const Requester& who,
                                            bool again) const {
  static std::atomic<bool> busy{false};
  constexpr std::chrono::milliseconds kPause(10);
  for (int i = again ? 1 : 300; busy.exchange(true, std::memory_order_acquire); --i) {
    if (i <= 1) {
      return Error(again ? EAGAIN : EBUSY, "origin: the path of another disk's is being opened");
    }
    std::this_thread::sleep_for(kPause);
  }
  const absl::Cleanup end = [] { busy.store(false, std::memory_order_release); };
  return OpenFileOrigin(path, who, keeper_);
}

std::string DiskOrigin::trouble() const {
  return origin_ && origin_->trouble != nullptr ? origin_->trouble() : std::string();
}

absl::Status DiskOrigin::Check(const Settings& seen, const Settings& next) const {
  const bool begins = !next.origin.empty() && next.origin != seen.origin;
  if (begins && seen.config.power) {
    return Error(EBUSY, "origin: cannot change while the device is powered, but to nothing");
  }
  if (begins && medium_.store() != nullptr) {
    return Error(EINVAL,
                 "origin: the disk has contents of its own since it was switched on for the first "
                 "time; make another one (mkdir), and write its origin before its power");
  }
  if (!next.origin.empty() && next.config.power && !next.config.memory_backed) {
    return Error(EINVAL,
                 "origin: a disk that begins as another keeps what is written; write 1 to "
                 "memory_backed, or nothing to origin, first");
  }
  return absl::OkStatus();
}

// By what has been seen: an origin may have got another name since.
absl::StatusOr<bool> DiskOrigin::Prepare(const Settings& seen, const Settings& next,
                                         const std::optional<Origin>& found) {
  if (next.origin == seen.origin) return true;
  if (next.origin.empty()) {
    const absl::Status alone = medium_.StandAlone(kPagesAtOnce);
    if (ErrnoOf(alone) == EAGAIN) return false;
    const std::string why = alone.ok() ? std::string() : trouble();
    if (!alone.ok()) return why.empty() ? alone : Error(ErrnoOf(alone), why);
    prepared_ = Prepared::kToEnd;
    return true;
  }
  medium_.SetOrigin(found->view);
  prepared_ = Prepared::kToTake;
  return true;
}

void DiskOrigin::Commit(std::optional<Origin>& found) noexcept {
  const Prepared prepared = std::exchange(prepared_, Prepared::kNothing);
  if (prepared == Prepared::kNothing) return;
  given_up_ = std::exchange(origin_, std::nullopt);
  if (prepared == Prepared::kToTake) origin_ = std::exchange(found, std::nullopt);
}

const WrittenLog* DiskOrigin::LogOf(const std::optional<Origin>& found) const {
  if (prepared_ == Prepared::kToTake) return found->log.get();
  return origin_ && prepared_ == Prepared::kNothing ? origin_->log.get() : nullptr;
}

uint64_t DiskOrigin::history_mib() const {
  return origin_ && origin_->log ? MibFor(origin_->log->needs().history_bytes) : 0;
}

void DiskOrigin::EndLog() noexcept {
  if (!origin_) return;
  origin_->log.reset();
  origin_->log_key = {};
  forget_log_ = std::exchange(origin_->forget_log, nullptr);
}

// A store that stands alone stays so: there is nothing to share any more.
void DiskOrigin::Undo() noexcept {
  const Prepared prepared = std::exchange(prepared_, Prepared::kNothing);
  if (prepared == Prepared::kNothing || medium_.store() != nullptr) return;
  medium_.SetOrigin(origin_ ? origin_->view : nullptr);
}

void DiskOrigin::LetGo() {
  if (forget_log_ != nullptr) std::exchange(forget_log_, nullptr)();
  if (given_up_) std::exchange(given_up_, std::nullopt)->LetGo();
}

void DiskOrigin::Remove() {
  LetGo();
  if (origin_) std::exchange(origin_, std::nullopt)->LetGo();
}

void DiskOrigin::Restore(std::optional<Origin> origin) {
  origin_ = std::move(origin);
  medium_.SetOrigin(origin_ ? origin_->view : nullptr);
}

void DiskOrigin::Settle() {
  if (!medium_.has_origin()) Remove();
}

// --- NewOrigin ---------------------------------------------------------------------------------

NewOrigin::~NewOrigin() {
  if (found_) found_->LetGo();
}

absl::Status NewOrigin::Search() {
  if (named_.empty() || is_named_) return absl::OkStatus();
  if (found_) std::exchange(found_, std::nullopt)->LetGo();
  absl::StatusOr<Origin> found = origin_.Find(named_, who_, again_);
  if (!found.ok()) return found.status();
  found_ = *std::move(found);
  is_named_ = true;
  return absl::OkStatus();
}

void NewOrigin::Fit(Settings& next) const {
  if (!found_ || next.origin == named_) return;
  next.config.size = std::max<uint64_t>(MibFor(found_->view->size_bytes()), 1);
  next.config.memory_backed = true;
  // What the one before needed nobody has asked for.
  if (next.config.history == origin_.history_mib()) next.config.history = 0;
  if (found_->log == nullptr) return;
  const WrittenLog::Needs& needs = found_->log->needs();
  if (next.config.history == 0) next.config.history = MibFor(needs.history_bytes);
  next.config.blocksize = needs.block_bytes;
}

bool NewOrigin::Lacks(const Settings& seen, const Settings& next) {
  if (next.origin.empty() || next.origin == seen.origin || next.origin == named_) return false;
  named_ = next.origin;
  is_named_ = false;
  return true;
}

}  // namespace rnullfs
