// What is to be done later, earliest first; what is due at the same time, in the order it came.
//
// Thread safety: as of a plain value.  Units: nanoseconds, of any clock that starts before 2^63
// - 1.
#ifndef RNULLFS_DEVICE_DUE_QUEUE_H_
#define RNULLFS_DEVICE_DUE_QUEUE_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace rnullfs {

template <typename T>
class DueQueue {
 public:
  static constexpr int64_t kNever = INT64_MAX;

  void Push(int64_t due_nsec, T item) {
    heap_.push_back({due_nsec, pushed_++, std::move(item)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }

  // When the first item is due; kNever if there is none.
  int64_t NextDueNsec() const { return heap_.empty() ? kNever : heap_.front().due_nsec; }

  // Moves the items that are due at `now_nsec` to the end of `due`, as many as there is room for:
  // up to its capacity, so that nothing is allocated.
  void PopDue(int64_t now_nsec, std::vector<T>& due) {
    while (due.size() < due.capacity() && !heap_.empty() && heap_.front().due_nsec <= now_nsec) {
      std::pop_heap(heap_.begin(), heap_.end(), Later);
      due.push_back(std::move(heap_.back().item));
      heap_.pop_back();
    }
  }

  // Has those that `change` changes, and says so, be due at once.
  template <typename F>
  void Hasten(F change) {
    for (Entry& entry : heap_) {
      if (change(entry.item)) entry.due_nsec = 0;
    }
    std::make_heap(heap_.begin(), heap_.end(), Later);
  }

  bool empty() const { return heap_.empty(); }

 private:
  struct Entry {
    int64_t due_nsec;
    uint64_t number;  // a heap alone would not keep the order of equals
    T item;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.due_nsec != b.due_nsec ? a.due_nsec > b.due_nsec : a.number > b.number;
  }

  std::vector<Entry> heap_;
  uint64_t pushed_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_DUE_QUEUE_H_
