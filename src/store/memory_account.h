// What one disk takes of the mount's memory, measured rather than counted: a huge page is stored
// when 4 KiB of it are, and the kernel stores pages by itself for a disk that it serves.
//
// Thread safety: all calls from any thread.  Units: bytes.
#ifndef RNULLFS_STORE_MEMORY_ACCOUNT_H_
#define RNULLFS_STORE_MEMORY_ACCOUNT_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class MemoryAccount {
 public:
  // What is stored now.  It is asked with the account locked, so that no older figure comes later.
  using Measure = absl::FunctionRef<uint64_t()>;

  explicit MemoryAccount(MemoryLimit& limit) : limit_(limit) {}
  ~MemoryAccount() { limit_.Give(charged_); }
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  // Before pages are stored: false when there is no memory for them.  Each success is followed by
  // one Settle() of as many bytes, whether they came to be stored or not.
  bool Take(uint64_t bytes);
  void Settle(uint64_t taken, Measure stored);

  // Charges `bytes`, or what is stored if that is more, until EndReservation(): what is stored
  // meanwhile needs no asking.  False, and nothing changed, when the limit leaves too little.
  bool Reserve(uint64_t bytes);
  void ReserveAnyway(uint64_t bytes);  // whatever the limit leaves
  void EndReservation(Measure stored);

  // Whether Take() or Reserve() would succeed now.
  bool Has(uint64_t bytes) const;
  bool CouldReserve(uint64_t bytes) const;

 private:
  void Charge(uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MemoryLimit& limit_;
  mutable Mutex mutex_;
  uint64_t charged_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t pending_ ABSL_GUARDED_BY(mutex_) = 0;   // taken and not settled
  uint64_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: no reservation
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_MEMORY_ACCOUNT_H_
