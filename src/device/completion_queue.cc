#include "device/completion_queue.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include "base/threads.h"

namespace rnullfs {
namespace {

// How long before a reply is due the thread gets up to poll.  On a virtual machine a sleep was seen
// to end some 40 us late, and one in a hundred 80 us or more.
constexpr int64_t kPollNsec = 80'000;

// The longest sleep at a stretch: a deadline in the far future must not overflow what wait_for()
// computes.
constexpr int64_t kSleepMaxNsec = 3'600'000'000'000;

// How many replies the thread takes at a time.
constexpr size_t kBatch = 256;

}  // namespace

absl::Status CompletionQueue::Start() {
  const LockGuard lock(mutex_);
  return StartLocked();
}

absl::Status CompletionQueue::StartLocked() {
  if (stopping_ || thread_.joinable()) return absl::OkStatus();
  due_.reserve(kBatch);
  absl::StatusOr<std::thread> thread = StartThread([this] { Run(); }, "rnullfs-timer");
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  return absl::OkStatus();
}

void CompletionQueue::Stop() {
  std::thread thread;
  HeldAtGates held;
  {
    const LockGuard lock(mutex_);
    stopping_ = true;
    SetNextDue();
    thread.swap(thread_);
    held.swap(held_);
  }
  posted_earlier_.notify_one();
  if (thread.joinable()) thread.join();
  SendHeld(held);
  SendFailed();  // where there was no thread
}

void CompletionQueue::Post(int64_t due_nsec, Reply reply) {
  bool wake = false;
  bool stopped = false;
  {
    const LockGuard lock(mutex_);
    stopped = stopping_ || reply.has_ended();
    if (!stopped) {
      if (!StartLocked().ok()) {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      }
      const int64_t wake_nsec = due_nsec - (reply.exact ? kPollNsec : 0);
      const uint64_t bytes = reply.data_bytes();
      (reply.exact ? exact_ : lax_).Push(due_nsec, std::move(reply));
      waiting_.Add(bytes);
      SetNextDue();
      wake = wake_nsec < wakes_nsec_;
      if (wake) wakes_nsec_ = kAwake;  // the next to post needn't wake it again
    }
  }
  if (wake) posted_earlier_.notify_one();
  if (!stopped) return;
  // NOLINTNEXTLINE(bugprone-use-after-move): it was not posted then
  if (reply.has_ended()) reply.error = reply.waiting->error();
  reply.Send();
}

// Whether a gate is left that is shut, which is the last then.
bool CompletionQueue::IsHeld(Reply& reply) {
  while (!reply.gates.empty() && reply.gates.back()->open) reply.gates.pop_back();
  return !reply.gates.empty();
}

void CompletionQueue::Hold(int64_t due_nsec, Reply reply) {
  {
    const LockGuard lock(mutex_);
    if (!stopping_ && !reply.has_ended() && IsHeld(reply)) {
      std::vector<Held>& there = held_[reply.gates.back().get()];
      const uint64_t bytes = reply.data_bytes();
      there.push_back({due_nsec, std::move(reply)});
      waiting_.Add(bytes);
      return;
    }
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): it is not held then
  Post(due_nsec, std::move(reply));
}

// What there is no memory for to wait any more fails.
void CompletionQueue::Release(HangGate& gate) {
  std::vector<Held> released;
  {
    const LockGuard lock(mutex_);
    gate.open = true;
    const auto held = held_.find(&gate);
    if (held == held_.end()) return;
    released = std::move(held->second);
    held_.erase(held);
  }
  for (Held& each : released) {
    const uint64_t bytes = each.reply.data_bytes();
    Waiting* const waiting = each.reply.waiting;
    waiting_.Remove(bytes);
    Reply failed = {.done = each.reply.done,
                    .statistics = each.reply.statistics,
                    .op = each.reply.op,
                    .error = ENOMEM};
    try {
      Hold(each.due_nsec, std::move(each.reply));
    } catch (const std::exception&) {
      if (waiting != nullptr) waiting->Remove(bytes);
      failed.Send();
    }
  }
}

// A gate is a rule's, and so a disk's.
void CompletionQueue::Fail(Waiting& of, int error) {
  bool alone = false;
  {
    const LockGuard lock(mutex_);
    of.End(error);
    const auto fail = [&](Reply& reply) {
      if (reply.waiting != &of) return false;
      reply.error = error;
      return true;
    };
    exact_.Hasten(fail);
    lax_.Hasten(fail);
    for (auto at = held_.begin(); at != held_.end();) {
      const auto gate = at++;
      bool all = true;
      for (Held& each : gate->second) all = fail(each.reply) && all;
      if (all) failed_.insert(held_.extract(gate));
    }
    alone = !StartLocked().ok();
    SetNextDue();
    wakes_nsec_ = kAwake;
  }
  posted_earlier_.notify_one();
  if (alone) SendFailed();
}

void CompletionQueue::SendHeld(HeldAtGates& held) {
  for (auto& [gate, replies] : held) {
    for (Held& each : replies) {
      waiting_.Remove(each.reply.data_bytes());
      each.reply.Send();
    }
  }
}

void CompletionQueue::SendFailed() {
  HeldAtGates failed;
  {
    const LockGuard lock(mutex_);
    failed.swap(failed_);
  }
  SendHeld(failed);
}

// When there is something to do, if only to poll.
int64_t CompletionQueue::NextWakeNsec() const {
  if (!failed_.empty()) return 0;
  const int64_t exact_nsec = exact_.NextDueNsec();
  return std::min(exact_nsec == kNever ? kNever : exact_nsec - kPollNsec, lax_.NextDueNsec());
}

void CompletionQueue::SetNextDue() {
  const int64_t next_due_nsec =
      stopping_ || !failed_.empty() ? kAwake : std::min(exact_.NextDueNsec(), lax_.NextDueNsec());
  next_due_nsec_.store(next_due_nsec, std::memory_order_relaxed);
}

void CompletionQueue::Run() {
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // the default, 50 us, is for those in no hurry
  while (SleepUntilNearlyDue()) {
    PollUntilDue();
    SendDue();
  }
}

void CompletionQueue::SendDue() {
  TakeDue();
  for (Reply& reply : due_) {
    waiting_.Remove(reply.data_bytes());
    reply.Send();
  }
  due_.clear();
  SendHeld(failing_);
  failing_.clear();
}

// Returns false when there is nothing left to do.
bool CompletionQueue::SleepUntilNearlyDue() {
  const LockGuard lock(mutex_);
  while (!stopping_) {
    const int64_t wake_nsec = NextWakeNsec();
    const int64_t sleep_nsec = wake_nsec - clock_.NowNsec();
    if (sleep_nsec <= 0) break;
    wakes_nsec_ = wake_nsec;
    if (wake_nsec == kNever) {
      posted_earlier_.wait(mutex_);
    } else {
      posted_earlier_.wait_for(mutex_,
                               std::chrono::nanoseconds(std::min(sleep_nsec, kSleepMaxNsec)));
    }
    wakes_nsec_ = kAwake;
  }
  return !exact_.empty() || !lax_.empty() || !failed_.empty();
}

void CompletionQueue::PollUntilDue() const {
  while (clock_.NowNsec() < next_due_nsec_.load(std::memory_order_relaxed)) {
  }
}

void CompletionQueue::TakeDue() {
  const LockGuard lock(mutex_);
  const int64_t now_nsec = stopping_ ? kNever : clock_.NowNsec();
  failing_.swap(failed_);
  size_t taken = 0;
  do {  // by turns, each up to where the other begins: together they are in order
    taken = due_.size();
    exact_.PopDue(std::min(now_nsec, lax_.NextDueNsec()), due_);
    lax_.PopDue(std::min(now_nsec, exact_.NextDueNsec()), due_);
  } while (due_.size() != taken);
  SetNextDue();
}

}  // namespace rnullfs
