// A line of the log of a disk's requests (request_log.h).
//
// Thread safety: as of plain values.
// Units: bytes, nanoseconds of CLOCK_MONOTONIC.
#ifndef RNULLFS_PAST_LOG_ENTRY_H_
#define RNULLFS_PAST_LOG_ENTRY_H_

#include <cstdint>
#include <utility>

namespace rnullfs {

struct LogEntry {
  enum class Kind : uint8_t {
    kNothing,  // who counted it has died of it
    kRead,
    kWrite,
    kFlush,
    kDiscard,
    kWriteZeroes,
    kMark,      // somebody has given this moment a name
    kRollback,  // this one and the next have no range: pages here and there have changed
    kPowerCut,
  };
  static constexpr uint8_t kFua = 1;
  static constexpr uint8_t kLost = 2;       // a flush that is answered and was none
  static constexpr uint8_t kRefused = 4;    // it has changed nothing, nor could it
  static constexpr uint8_t kTakenBack = 8;  // it has changed nothing, and was counted again

  Kind kind = Kind::kNothing;
  uint8_t flags = 0;
  uint64_t number = 0;  // as what it was counted (past.h)
  uint64_t offset = 0;
  uint64_t length = 0;  // of a mark that of its name
  int64_t began_nsec = 0;
  uint64_t answered = 0;    // 1 + the newest number by then; 0: not yet
  uint32_t usec = 0;        // that it took
  int error = 0;            // a positive errno
  uint64_t unanswered = 0;  // of a flush: all below but reads had been answered before it

  bool changes_range() const {
    const bool may = kind == Kind::kWrite || kind == Kind::kDiscard || kind == Kind::kWriteZeroes;
    return may && (flags & kRefused) == 0;
  }
  bool jumps() const { return kind >= Kind::kRollback; }
  // What promises, by its answer, that something cannot be lost any more.
  bool makes_durable() const { return is_flush() || (changes_range() && (flags & kFua) != 0); }
  bool is_flush() const { return kind == Kind::kFlush && (flags & (kLost | kRefused)) == 0; }
};

// The request that a thread works on: what is counted within its Scope is counted for it.  A
// request that is worked on in pieces has a number for each, in a row that the log keeps.
class CountedRequest {
 public:
  CountedRequest() = default;
  explicit CountedRequest(int64_t began_nsec) : began_nsec_(began_nsec) {}

  int64_t began_nsec() const { return began_nsec_; }
  uint64_t first() const { return first_; }  // 0: it has not been counted
  uint64_t last() const { return last_; }
  void Add(uint64_t number) {
    if (first_ == 0) first_ = number;
    last_ = number;
  }

  class Scope {
   public:
    // Null: what is counted is nobody's.
    explicit Scope(CountedRequest* request) : before_(std::exchange(of_this_thread, request)) {}
    ~Scope() { of_this_thread = before_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    CountedRequest* const before_;
  };
  static CountedRequest* OfThisThread() { return of_this_thread; }  // null: none

 private:
  static inline thread_local CountedRequest* of_this_thread = nullptr;

  int64_t began_nsec_ = 0;
  uint64_t first_ = 0;
  uint64_t last_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_LOG_ENTRY_H_
