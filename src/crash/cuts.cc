#include "crash/cuts.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr size_t kCutsKept = 8;
constexpr int kAttempts = 1000;

absl::Status Why(int error, uint64_t number) {
  switch (error) {
    case ESTALE:
      return Error(error, absl::StrCat("crash: the history does not have ", number,
                                       " (any more); log/info.json has what it has, more is kept "
                                       "with a larger history"));
    case EAGAIN:
      return Error(EBUSY, "crash: a request is just being counted; try it again");
    case E2BIG:
      return Error(error,
                   "crash: more may be lost at this cut than can be kept track of; flush more "
                   "often, or discard less at a time");
    case ENOSPC:
      return Error(error, "crash: there is no memory for this cut; see memory_limit");
    default:
      return SystemError(error, "crash: a cut");
  }
}

}  // namespace

void CrashCuts::End() {
  const LockGuard lock(mutex_);
  ended_ = true;
  cuts_.clear();
}

absl::StatusOr<std::shared_ptr<const CrashCut>> CrashCuts::At(uint64_t number,
                                                              uint32_t unit_bytes) {
  const LockGuard lock(mutex_);
  if (ended_) return Error(ESTALE, "crash: the disk has no history any more");
  const auto known = std::find_if(cuts_.begin(), cuts_.end(), [&](const auto& cut) {
    return cut->number() == number && cut->unit_bytes() == unit_bytes;
  });
  if (known != cuts_.end()) {
    std::rotate(known, known + 1, cuts_.end());
    return cuts_.back();
  }
  std::shared_ptr<const CrashCut> cut;
  // Who has counted something is about to say what.
  int error = CrashCut::Make(past_, number, unit_bytes, memory_, cut);
  for (int i = 0; i < kAttempts && error == EAGAIN; ++i) {
    std::this_thread::yield();
    error = CrashCut::Make(past_, number, unit_bytes, memory_, cut);
  }
  if (error != 0) return Why(error, number);
  if (cut->settled()) {
    if (cuts_.size() == kCutsKept) cuts_.erase(cuts_.begin());
    cuts_.push_back(cut);
  }
  return cut;
}

}  // namespace rnullfs
