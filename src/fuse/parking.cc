#include "fuse/parking.h"

#include <poll.h>

#include <utility>

#include "base/threads.h"
#include "fuse/receive_loop.h"
#include "rnullfs/clock.h"

namespace rnullfs {
namespace {

constexpr std::chrono::milliseconds kLookAgain(20);

// How long requests that others have in hand are waited for: they may wait themselves.
constexpr std::chrono::nanoseconds kTurnsGrace = std::chrono::seconds(5);

bool HasUnread(int fuse) {
  pollfd watched = {fuse, POLLIN, 0};
  return poll(&watched, 1, 0) == 1 && (watched.revents & POLLIN) != 0;
}

}  // namespace

absl::Status Parking::Start(Turns& turns, int fuse) {
  const LockGuard lock(mutex_);
  if (!stopping_) return absl::OkStatus();
  turns_ = &turns;
  fuse_ = fuse;
  absl::StatusOr<std::thread> thread = StartThread([this] { Run(); }, "rnullfs-parking");
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  stopping_ = false;
  return absl::OkStatus();
}

void Parking::Stop() {
  {
    const LockGuard lock(mutex_);
    stopping_ = true;
  }
  stirred_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Parking::Park(uint64_t device_id, std::chrono::milliseconds patience, Attempt attempt) {
  {
    const LockGuard lock(mutex_);
    if (!stopping_) {
      const int64_t patience_nsec = std::chrono::nanoseconds(patience).count();
      closed_.insert(device_id);  // what it waits for may have come meanwhile
      arrived_.push_back({.device_id = device_id,
                          .request = ReceiveLoop::CurrentRequest(),
                          .deadline_nsec = Clock::Real().NowNsec() + patience_nsec,
                          .attempt = std::move(attempt)});
      ++parked_;
      stirred_.notify_one();
      return;
    }
  }
  attempt(IfOpen::kRefuse);
}

void Parking::NoteClose(uint64_t device_id) {
  const LockGuard lock(mutex_);
  if (parked_ == 0) return;
  closed_.insert(device_id);
  stirred_.notify_one();
}

// The last time comes when all has been received that the kernel had, and then, when one looks
// again, all of that has been dealt with.
bool Parking::IsLast(Parked& parked) {
  const int64_t late_nsec = Clock::Real().NowNsec() - parked.deadline_nsec;
  if (late_nsec < 0) return false;
  if (late_nsec >= kTurnsGrace.count()) return true;
  if (parked.moment != 0) return turns_->AllDone(parked.moment);
  if (!HasUnread(fuse_)) parked.moment = turns_->Moment();
  return false;
}

void Parking::Run() {
  std::list<Parked> parked;  // moved here without an allocation
  while (true) {
    std::set<uint64_t> closed;
    bool stopping = false;
    bool all_due = false;
    {
      const LockGuard lock(mutex_);
      const auto stirred = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return stopping_ || !closed_.empty();
      };
      if (parked_ == 0) {
        stirred_.wait(mutex_, stirred);
      } else {
        all_due = !stirred_.wait_for(mutex_, kLookAgain, stirred);
      }
      parked.splice(parked.end(), arrived_);
      closed.swap(closed_);
      stopping = stopping_;
    }
    const size_t answered = std::erase_if(parked, [&](Parked& each) {
      const bool last = stopping || IsLast(each);
      if (!last && !all_due && !closed.contains(each.device_id)) return false;
      ReceiveLoop::GoOnWith(each.request);
      return each.attempt(last ? IfOpen::kRefuse : IfOpen::kAgain);
    });
    const LockGuard lock(mutex_);
    parked_ -= answered;
    if (stopping && parked_ == 0) return;
  }
}

}  // namespace rnullfs
