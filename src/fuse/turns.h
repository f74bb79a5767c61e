// Whether all that had been received by a moment has been dealt with.
//
// A thread that has received a request may stand still before it has looked at it, for as long as
// others have the processors, or a virtual machine has none; other threads meanwhile answer what
// came later.
//
// Thread safety: all calls from any thread; each receiving thread has a turn of its own.
#ifndef RNULLFS_FUSE_TURNS_H_
#define RNULLFS_FUSE_TURNS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rnullfs {

class Turns {
 public:
  // Of so many threads at most.
  explicit Turns(size_t threads) : turns_(threads) {}

  // As long as it is there the thread of that number has a request in hand.
  class Turn {
   public:
    Turn(Turns& turns, size_t thread) : began_(turns.turns_[thread].began) {
      began_.store(turns.moment_.load());
    }
    ~Turn() { began_.store(kNone, std::memory_order_release); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    std::atomic<uint64_t>& began_;
  };

  // What is received from now on is behind this moment.
  uint64_t Moment() { return moment_.fetch_add(1) + 1; }

  // Whether nothing that was received before that is in hand.  (What a thread has just been handed,
  // and has not looked at in the least, nobody knows of.)
  bool AllDone(uint64_t moment) const {
    return std::all_of(turns_.begin(), turns_.end(),
                       [moment](const Slot& slot) { return slot.began.load() >= moment; });
  }

 private:
  static constexpr uint64_t kNone = UINT64_MAX;  // behind every moment
  struct alignas(64) Slot {                      // of a cache line, which only its thread changes
    std::atomic<uint64_t> began{kNone};
  };

  std::atomic<uint64_t> moment_{0};
  std::vector<Slot> turns_;
};

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_TURNS_H_
