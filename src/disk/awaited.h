// The answer to one command, for who has a thread to wait for it with.
//
// Thread safety: completion() may be called by any thread, Wait() by one.
#ifndef RNULLFS_DISK_AWAITED_H_
#define RNULLFS_DISK_AWAITED_H_

#include <condition_variable>
#include <cstring>

#include "rnullfs/command.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class Awaited {
 public:
  // What is read goes to `to`.
  explicit Awaited(void* to) : to_(static_cast<char*>(to)) {}

  Completion completion() { return {.complete = Complete, .tag = this}; }

  // 0 or an errno.
  int Wait() {
    const LockGuard lock(mutex_);
    while (!done_) answered_.wait(mutex_);
    return error_;
  }

 private:
  static void Complete(void* tag, const Answer& answer) {
    auto& self = *static_cast<Awaited*>(tag);
    for (const iovec& part : answer.data) {
      std::memcpy(self.to_, part.iov_base, part.iov_len);
      self.to_ += part.iov_len;
    }
    const LockGuard lock(self.mutex_);
    self.error_ = answer.error;
    self.done_ = true;
    self.answered_.notify_one();  // under the lock: who waits may be gone behind it
  }

  char* to_;
  Mutex mutex_;
  std::condition_variable_any answered_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  int error_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_DISK_AWAITED_H_
