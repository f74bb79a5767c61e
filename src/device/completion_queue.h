// When does it answer?  Replies that are ready and wait for their time: the one place that waits.
//
// null_blk arms an hrtimer for each request (null_cmd_end_timer() in its main.c), whose interrupt
// is exact to a microsecond or so.  A thread that sleeps wakes tens of microseconds late, so this
// one gets up early and polls the clock for the rest, where a reply is to be exact.  It sleeps
// while nothing is due soon, and uses no processor while nothing waits.
//
// Whoever serves starts the thread first, because it may not be to be had later; else the first
// Post() does.
//
// Thread safety: Start() and Post() from any thread, also from a completion; Stop() from any thread
// but the queue's own.  Completions run without a lock held, one at a time until Stop().
// Units: nanoseconds of the clock it was given.
#ifndef RNULLFS_DEVICE_COMPLETION_QUEUE_H_
#define RNULLFS_DEVICE_COMPLETION_QUEUE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "device/due_queue.h"
#include "device/reply.h"
#include "device/waiting.h"
#include "rnullfs/clock.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class CompletionQueue {
 public:
  explicit CompletionQueue(const Clock& clock) : clock_(clock) {}
  ~CompletionQueue() { Stop(); }
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;

  // Starts the thread: after a fork, before the first request.  EAGAIN when it cannot be had.
  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends `reply` at `due_nsec`, or as soon as possible when that is past.  Replies due at the same
  // time are sent in the order they were posted, exact ones before the others.  std::bad_alloc when
  // there is no memory, and std::system_error when a thread had to be started and cannot be: the
  // reply is not sent then, and it is the caller's to answer.
  void Post(int64_t due_nsec, Reply reply) ABSL_LOCKS_EXCLUDED(mutex_);

  // Holds `reply` until its gates have all been released, the last one first, and sends it then,
  // but not before `due_nsec`.  Costs no time and no thread.  Errors as Post()'s.
  void Hold(int64_t due_nsec, Reply reply) ABSL_LOCKS_EXCLUDED(mutex_);
  // Opens the gate: nobody is held there any more.
  void Release(HangGate& gate) ABSL_LOCKS_EXCLUDED(mutex_);

  // What waits of a disk, or is held, or comes later, fails with `error`, at once: on the thread,
  // so that whoever calls may hold what an answer needs.
  void Fail(Waiting& of, int error) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends what still waits or is held, at once, and ends the thread.  From then on Post() sends at
  // once, too, on the thread that calls it: no reply is ever lost.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // What has been posted and not been sent, of all disks.
  const Waiting& waiting() const { return waiting_; }

 private:
  static constexpr int64_t kNever = DueQueue<Reply>::kNever;
  static constexpr int64_t kAwake = INT64_MIN;
  struct Held {
    int64_t due_nsec;
    Reply reply;
  };

  int64_t NextWakeNsec() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetNextDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run();
  void SendDue();
  bool SleepUntilNearlyDue() ABSL_LOCKS_EXCLUDED(mutex_);
  void PollUntilDue() const;
  void TakeDue() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status StartLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static bool IsHeld(Reply& reply);
  using HeldAtGates = std::map<const HangGate*, std::vector<Held>>;
  void SendHeld(HeldAtGates& held);
  void SendFailed() ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  Waiting waiting_;
  Mutex mutex_;
  std::condition_variable_any posted_earlier_;
  DueQueue<Reply> exact_ ABSL_GUARDED_BY(mutex_);
  DueQueue<Reply> lax_ ABSL_GUARDED_BY(mutex_);
  HeldAtGates held_ ABSL_GUARDED_BY(mutex_);
  HeldAtGates failed_ ABSL_GUARDED_BY(mutex_);  // for the thread to send
  std::atomic<int64_t> next_due_nsec_{kNever};  // when to stop polling; read without the mutex
  int64_t wakes_nsec_ ABSL_GUARDED_BY(mutex_) = kAwake;  // when the thread stops sleeping by itself
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
  HeldAtGates failing_;     // the thread's
  std::vector<Reply> due_;  // the thread's; its room is taken before, as the thread cannot fail
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_COMPLETION_QUEUE_H_
