// What a fault rule has as long as it has its name, and what of it has been counted for requests
// that are not answered yet: who takes over a disk takes that back, as they come again.
//
// Thread safety: PendingFaults of any thread; else as said.
#ifndef RNULLFS_DEVICE_RULE_PLACE_H_
#define RNULLFS_DEVICE_RULE_PLACE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "device/fault_file.h"
#include "rnullfs/mutex.h"

namespace rnullfs {

class ArmedRule;

struct RulePlace {
  RulePlace(std::shared_ptr<FaultFile> of, uint32_t number) : file(std::move(of)), serial(number) {}
  ~RulePlace() {
    if (removed) file->Free(serial);
  }
  RulePlace(const RulePlace&) = delete;
  RulePlace& operator=(const RulePlace&) = delete;
  FaultFile::Page& page() const { return file->page(serial); }

  const std::shared_ptr<FaultFile> file;
  const uint32_t serial;
  bool removed = false;  // set by who owns it, before it is let go
  Mutex mutex;
  const ArmedRule* in_force ABSL_GUARDED_BY(mutex) = nullptr;
  uint64_t series ABSL_GUARDED_BY(mutex) = 0;  // how often it has begun to count anew
};

// What a rule has counted for a request, beside that it has seen it.
struct RuleCount {
  std::shared_ptr<RulePlace> place;
  uint64_t series = 0;
  bool passed = false;
  bool asked = false;
  bool hit = false;
};

// Of a request, from when rules have fired for it until it is answered.
class PendingFaults {
 public:
  PendingFaults() = default;
  explicit PendingFaults(std::vector<RuleCount> counts) : counts_(std::move(counts)) { Add(1); }
  PendingFaults(PendingFaults&& other) noexcept : counts_(std::move(other.counts_)) {
    other.counts_.clear();
  }
  PendingFaults& operator=(PendingFaults&& other) noexcept {
    counts_.swap(other.counts_);
    return *this;
  }
  PendingFaults(const PendingFaults&) = delete;
  PendingFaults& operator=(const PendingFaults&) = delete;
  ~PendingFaults() { End(); }

  // It is answered next.
  void End() {
    Add(UINT64_MAX);
    counts_.clear();
  }

 private:
  // Adds to what is pending, modulo 2^64.  What belongs to a series that is over is not there.
  void Add(uint64_t amount) {
    for (const RuleCount& count : counts_) {
      const LockGuard lock(count.place->mutex);
      if (count.series != count.place->series) continue;
      FaultFile::Counts& pending = count.place->page().pending;
      pending.seen.fetch_add(amount, std::memory_order_relaxed);
      if (count.passed) pending.passed.fetch_add(amount, std::memory_order_relaxed);
      if (count.asked) pending.asked.fetch_add(amount, std::memory_order_relaxed);
      if (count.hit) pending.hits.fetch_add(amount, std::memory_order_relaxed);
    }
  }

  std::vector<RuleCount> counts_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_RULE_PLACE_H_
