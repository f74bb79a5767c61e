// Read-copy-update: how readers use memory that a writer may unlink at any time, without a lock.
//
// A reader holds an RcuReadGuard while it follows pointers.  A writer unlinks an object, so that no
// new reader finds it, and hands it to RcuDelete(); it is deleted after a grace period, when every
// read-side section that had begun by then has ended.  The flavour is liburcu's "bulletproof" one:
// threads register themselves, and where the system has membarrier(2) a section costs no barrier.
//
// Thread safety: everything may be used from any thread.  A child that goes on after fork() must
// not use RCU unless the fork was bracketed by urcu_bp_call_rcu_before_fork() and its companions,
// because the thread that deletes stays behind in the parent: fork first, then serve.
// Errors: none are reported but by StartRcu(); the library aborts when it cannot start its thread.
#ifndef RNULLFS_RCU_H_
#define RNULLFS_RCU_H_

#include <atomic>
#include <type_traits>

#include "absl/status/status.h"

// The library's own declaration lacks `constinit`, so that a C++ compiler guards each use of this
// variable with a call that would initialise it.  It is a zero pointer in C: no guard is needed.
struct urcu_bp_reader;
extern "C" {
extern constinit thread_local struct urcu_bp_reader* urcu_bp_reader;
}

#include <urcu/static/urcu-bp.h>
#include <urcu/urcu-bp.h>

#if defined(__SANITIZE_THREAD__)
#define RNULLFS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RNULLFS_TSAN 1
#endif
#endif
#ifdef RNULLFS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace rnullfs {
namespace rcu_internal {

// ThreadSanitizer cannot see the barriers inside liburcu.  It is told of the one edge that a grace
// period is: the end of a section, or handing an object over, happens before the deletion.
#ifdef RNULLFS_TSAN
inline char grace_period = 0;
inline void BeforeGracePeriod() { __tsan_release(&grace_period); }
inline void AfterGracePeriod() { __tsan_acquire(&grace_period); }
#else
inline void BeforeGracePeriod() {}
inline void AfterGracePeriod() {}
#endif

}  // namespace rcu_internal

// A read-side section for a scope; sections nest.  What is found within one stays valid to its end.
// A section belongs to the thread that began it, and must not wait for a deletion.
//
// This is what liburcu's headers offer inline, which those say code of any licence may contain.  It
// is put in our own words because theirs reaches the counter through a type of 128-byte alignment
// that the library's allocation does not keep to.
class [[nodiscard]] RcuReadGuard {
 public:
  RcuReadGuard() : counter_(Counter()) {
    const unsigned long outer = counter_.load(std::memory_order_relaxed);
    const bool nested = (outer & URCU_BP_GP_CTR_NEST_MASK) != 0;
    counter_.store(nested ? outer + URCU_BP_GP_COUNT : GracePeriod(), std::memory_order_relaxed);
    urcu_bp_smp_mb_slave();  // the section stays behind its announcement
  }
  ~RcuReadGuard() {
    rcu_internal::BeforeGracePeriod();
    urcu_bp_smp_mb_slave();
    counter_.store(counter_.load(std::memory_order_relaxed) - URCU_BP_GP_COUNT,
                   std::memory_order_relaxed);
  }
  RcuReadGuard(const RcuReadGuard&) = delete;
  RcuReadGuard& operator=(const RcuReadGuard&) = delete;

 private:
  using Word = std::atomic_ref<unsigned long>;

  // This thread's nesting depth, and the grace period it was seen in.
  static Word Counter() {
    if (urcu_bp_reader == nullptr) [[unlikely]] {
      urcu_bp_register();
    }
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): registering has set it
    return Word(*reinterpret_cast<unsigned long*>(urcu_bp_reader));
  }
  static unsigned long GracePeriod() {
    return Word(urcu_bp_gp.ctr).load(std::memory_order_relaxed);
  }

  const Word counter_;
};

// Waits for a grace period.
// Context: not within a read-side section.
inline void RcuSynchronize() {
  urcu_bp_synchronize_rcu();
  rcu_internal::AfterGracePeriod();
}

// Starts the library's thread, which the first RcuDelete() would do: after a fork, while it can
// still be said that there is none to be had (EAGAIN).
absl::Status StartRcu();

// Deletes `object` after a grace period, on the library's thread.  Its first member must be an
// rcu_head, which may share its place with whatever no reader looks at.
// Context: any, also within a read-side section.
template <typename T>
void RcuDelete(T* object) {
  static_assert(std::is_standard_layout_v<T>, "an object is found by its first member");
  rcu_internal::BeforeGracePeriod();
  urcu_bp_call_rcu(reinterpret_cast<rcu_head*>(object), [](rcu_head* head) {
    rcu_internal::AfterGracePeriod();
    delete reinterpret_cast<T*>(head);
  });
}

}  // namespace rnullfs

#endif  // RNULLFS_RCU_H_
