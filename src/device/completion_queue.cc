#include "device/completion_queue.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace rnullfs {
namespace {

// How long before a reply is due the thread gets up to poll.  On a virtual machine a sleep was seen
// to end some 40 us late, and one in a hundred 80 us or more.
constexpr int64_t kPollNsec = 80'000;

// The longest sleep at a stretch: a deadline in the far future must not overflow what wait_for()
// computes.
constexpr int64_t kSleepMaxNsec = 3'600'000'000'000;

// Signals are for the threads that serve the file system; the kernel's default slack of 50 us, for
// those that are in no hurry.
void SetUpThread() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "rnullfs-timer");
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

}  // namespace

void CompletionQueue::Stop() {
  std::thread thread;
  {
    const LockGuard lock(mutex_);
    stopping_ = true;
    SetNextDue();
    thread.swap(thread_);
  }
  posted_earlier_.notify_one();
  if (thread.joinable()) thread.join();
}

void CompletionQueue::Post(int64_t due_nsec, Reply reply) {
  bool wake = false;
  bool stopped = false;
  {
    const LockGuard lock(mutex_);
    waiting_.Push(due_nsec, std::move(reply));
    SetNextDue();
    stopped = stopping_;
    if (!stopped && !thread_.joinable()) thread_ = std::thread(&CompletionQueue::Run, this);
    wake = due_nsec - kPollNsec < wakes_nsec_;
    if (wake) wakes_nsec_ = kAwake;  // the next to post needn't wake it again
  }
  if (wake) posted_earlier_.notify_one();
  if (stopped) {
    std::vector<Reply> due;
    SendDue(due);
  }
}

void CompletionQueue::SetNextDue() {
  const int64_t next_due_nsec = stopping_ ? kAwake : waiting_.NextDueNsec();
  next_due_nsec_.store(next_due_nsec, std::memory_order_relaxed);
}

void CompletionQueue::Run() {
  SetUpThread();
  std::vector<Reply> due;  // kept, so that it seldom allocates
  while (SleepUntilNearlyDue()) {
    PollUntilDue();
    SendDue(due);
  }
}

void CompletionQueue::SendDue(std::vector<Reply>& due) {
  TakeDue(due);
  for (const Reply& reply : due) reply.Send();
  due.clear();
}

// Returns false when there is nothing left to do.
bool CompletionQueue::SleepUntilNearlyDue() {
  const LockGuard lock(mutex_);
  while (!stopping_) {
    const int64_t due_nsec = waiting_.NextDueNsec();
    const int64_t sleep_nsec = due_nsec - kPollNsec - clock_.NowNsec();
    if (sleep_nsec <= 0) break;
    if (due_nsec == kNever) {
      wakes_nsec_ = kNever;
      posted_earlier_.wait(mutex_);
    } else {
      wakes_nsec_ = due_nsec - kPollNsec;
      posted_earlier_.wait_for(mutex_,
                               std::chrono::nanoseconds(std::min(sleep_nsec, kSleepMaxNsec)));
    }
    wakes_nsec_ = kAwake;
  }
  return !waiting_.empty();
}

void CompletionQueue::PollUntilDue() const {
  while (clock_.NowNsec() < next_due_nsec_.load(std::memory_order_relaxed)) {
  }
}

void CompletionQueue::TakeDue(std::vector<Reply>& due) {
  const LockGuard lock(mutex_);
  waiting_.PopDue(stopping_ ? kNever : clock_.NowNsec(), due);
  SetNextDue();
}

}  // namespace rnullfs
