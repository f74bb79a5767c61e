// Mutexes that clang's thread-safety analysis understands.
//
// Thread safety: that is their purpose.  They wrap the standard library's, not abseil's: a TSan
// build then sees every lock, also where the system's abseil was built without TSan.
#ifndef RNULLFS_MUTEX_H_
#define RNULLFS_MUTEX_H_

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#include "absl/base/thread_annotations.h"

namespace rnullfs {

// An exclusive lock.  Works with std::condition_variable_any through its lower-case names.
class ABSL_LOCKABLE Mutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return mutex_.try_lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// A lock that many readers or one writer hold.
class ABSL_LOCKABLE SharedMutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return mutex_.try_lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  void lock_shared() ABSL_SHARED_LOCK_FUNCTION() { mutex_.lock_shared(); }
  void unlock_shared() ABSL_UNLOCK_FUNCTION() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

// The same, where there are always readers: who wants it exclusively is waited for by those who
// come later.
class ABSL_LOCKABLE WriterFirstMutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    waiting_.fetch_add(1);
    turnstile_.lock();
    mutex_.lock();
    turnstile_.unlock();
    waiting_.fetch_sub(1);
  }
  void unlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
  void lock_shared() ABSL_SHARED_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (waiting_.load() > 0) {
      turnstile_.lock();
      turnstile_.unlock();
    }
    mutex_.lock_shared();
  }
  void unlock_shared() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.unlock_shared();
  }

 private:
  std::atomic<int> waiting_{0};
  Mutex turnstile_;
  SharedMutex mutex_;
};

// Holds a Mutex or, exclusively, a SharedMutex for a scope.
template <typename M>
class ABSL_SCOPED_LOCKABLE LockGuard {
 public:
  explicit LockGuard(M& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.lock();
  }
  ~LockGuard() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  M& mutex_;
};

// Holds a SharedMutex for reading for a scope.
template <typename M>
class ABSL_SCOPED_LOCKABLE SharedLockGuard {
 public:
  explicit SharedLockGuard(M& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~SharedLockGuard() ABSL_UNLOCK_FUNCTION() { mutex_.unlock_shared(); }
  SharedLockGuard(const SharedLockGuard&) = delete;
  SharedLockGuard& operator=(const SharedLockGuard&) = delete;

 private:
  M& mutex_;
};

}  // namespace rnullfs

#endif  // RNULLFS_MUTEX_H_
