// XArray: a sparse array of pointers with a 64-bit index, read without locks.
//
// It has the data model of the Linux XArray (Documentation/core-api/xarray.rst, lib/xarray.c), and
// was written for this program: a radix tree whose nodes have 2^kChunkShift slots each.
//
// Glossary:
//   index     where in the array, 0 .. UINT64_MAX
//   entry     what is stored there: a pointer aligned to 4 bytes, or a value entry
//   value     an integer below 2^63 stored as an entry, told by bit 0
//   vacant    an index without an entry; it reads as nullptr
//   mark      one of three bits that an entry carries; vacant indices carry none
//   slot      place in a node: for an entry in a leaf, for a node elsewhere
//   offset    number of a slot in its node
//   shift     bits of the index below the bits that choose a slot: 0 in a leaf
//   level     height above the leaves, shift / kChunkShift; all leaves are at level 0
//   head      the pointer to the root, and in its low bits the root's level
//   retry     an entry, told by bit 1, in every slot of a node that has left the tree
//
// Invariants, except within a call that writes:
//   - every node in the tree has a slot in use;
//   - a root above level 0 has a slot other than slot 0 in use: the tree is as low as can be;
//   - a node is marked in its parent if and only if one of its own slots is.
//
// Readers and writers: a reader sees every entry either as it was before a concurrent store or as
// it is after; once a call has returned, no reader that begins later, nor a Cursor, sees what it
// replaced.  Calls that span a range are not atomic as a whole.  The array never touches what
// entries point to: a reader that follows one needs an RcuReadGuard around both the lookup and the
// use, and the owner must free it with a grace period between (rcu.h), or needs a lock of its own.
//
// Thread safety: every call may come from any thread at once, except construction and destruction.
// "Lock-free" below means: takes no lock, may run beside any other call, and only within its own
// RcuReadGuard.  "Locked" means: takes the array's lock, so that writers go one at a time.
// Errors: ENOMEM from calls that store; the array is unchanged then.
#ifndef RNULLFS_XARRAY_H_
#define RNULLFS_XARRAY_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "rnullfs/mutex.h"
#include "rnullfs/rcu.h"
#include "rnullfs/xarray_node.h"

namespace rnullfs {

// What does not depend on the fan-out.
class XArrayBase {
 public:
  enum Mark : uint8_t { kMark0, kMark1, kMark2 };

  struct Result {
    void* old;  // the entry found, nullptr if vacant
    int error;  // 0 or ENOMEM
  };

  // `value` must be below 2^63.
  static void* MakeValue(uint64_t value) { return FromBits(value << 1 | 1); }
  static bool IsValue(const void* entry) { return (reinterpret_cast<uintptr_t>(entry) & 1) != 0; }
  static uint64_t ToValue(const void* entry) { return reinterpret_cast<uintptr_t>(entry) >> 1; }

 protected:
  static void* Retry() { return FromBits(2); }
  // Whether a slot above the leaves holds a node, rather than nothing or a retry.
  static bool IsNode(const void* slot) { return reinterpret_cast<uintptr_t>(slot) > 2; }

 private:
  static void* FromBits(uintptr_t bits) {
    return reinterpret_cast<void*>(bits);  // NOLINT(performance-no-int-to-ptr): never followed
  }
};

// The fan-outs 1, 2, 3 and 6 are built; small ones make deep trees in tests.
template <unsigned kChunkShift>
class BasicXArray : public XArrayBase {
 public:
  BasicXArray() = default;
  ~BasicXArray();
  BasicXArray(const BasicXArray&) = delete;
  BasicXArray& operator=(const BasicXArray&) = delete;

  // Context: lock-free.  Return: the entry at `index`, nullptr if vacant.
  [[gnu::always_inline]] inline void* Load(uint64_t index) const;

  // Stores `entry`, which keeps the marks of the entry it replaces; nullptr erases.
  // Context: locked; allocates.  Return: the entry replaced; ENOMEM.
  Result Store(uint64_t index, void* entry) ABSL_LOCKS_EXCLUDED(mutex_);

  // Stores `desired` if the entry is `expected` (nullptr for vacant), as Store() does.
  // Context: locked; allocates.  Return: the entry found, stored if it equals `expected`; ENOMEM.
  Result CmpXchg(uint64_t index, void* expected, void* desired) ABSL_LOCKS_EXCLUDED(mutex_);

  // Context: locked.  Return: the entry erased, nullptr if vacant.
  void* Erase(uint64_t index) ABSL_LOCKS_EXCLUDED(mutex_);

  // Erases first..last, `last` included, in time by what is stored there, not by the span.
  // Context: locked.  Return: how many entries were erased.
  uint64_t EraseRange(uint64_t first, uint64_t last) ABSL_LOCKS_EXCLUDED(mutex_);

  // Context: locked.
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_) { EraseRange(0, UINT64_MAX); }

  // Context: locked.  A vacant index stays unmarked.
  void SetMark(uint64_t index, Mark mark) ABSL_LOCKS_EXCLUDED(mutex_);
  void ClearMark(uint64_t index, Mark mark) ABSL_LOCKS_EXCLUDED(mutex_);

  // Context: lock-free.  Return: whether the entry at `index` has the mark.
  bool GetMark(uint64_t index, Mark mark) const;

  // Context: lock-free.  Return: whether any entry has the mark.
  bool Marked(Mark mark) const;

  // Looks for the first entry (that has the mark) from *index to `last`.
  // Context: lock-free.  Return: the entry, its place in *index; or nullptr, *index unchanged.
  void* Find(uint64_t* index, uint64_t last) const;
  void* FindMarked(uint64_t* index, uint64_t last, Mark mark) const;

  // Context: lock-free.  Return: the first vacant index in first..last, if there is one.
  std::optional<uint64_t> FindVacant(uint64_t first, uint64_t last) const;

  // Calls f(index, entry) for every entry in first..last, in order.  Entries stored or erased
  // meanwhile may or may not be visited.  `f` may modify the array.
  // Context: lock-free; `f` runs in a read-side section, a new one for each leaf.
  template <typename F>
  void ForEach(uint64_t first, uint64_t last, F&& f) const;

  // Remembers a leaf, for loads at indices close to each other.  It is a read-side section: keep it
  // on one thread, and short, because nothing unlinked anywhere is freed while it lives.
  class Cursor {
   public:
    explicit Cursor(const BasicXArray& array) : array_(array) {}

    // Context: lock-free.  Return: as BasicXArray::Load(), as recent.
    [[gnu::always_inline]] inline void* Load(uint64_t index);

   private:
    RcuReadGuard guard_;
    const BasicXArray& array_;
    const XArrayNode<kChunkShift>* leaf_ = nullptr;
    uint64_t chunk_ = 0;  // of the indices in leaf_: index >> kChunkShift
  };

  // Context: lock-free.
  bool Empty() const { return head_.load(std::memory_order_acquire) == nullptr; }

  // Nodes in the tree (not those that await a grace period), and the memory they take, with the
  // allocator's word and rounding as in glibc.  Context: lock-free.
  uint64_t NodeCount() const { return node_count_.load(std::memory_order_relaxed); }
  uint64_t IndexBytes() const { return NodeCount() * kNodeFootprint; }

 private:
  using Node = XArrayNode<kChunkShift>;
  static constexpr unsigned kSlots = Node::kSlots;
  static constexpr uint64_t kNodeFootprint = (sizeof(Node) + sizeof(size_t) + 15) / 16 * 16;

  struct Root {
    Node* node;  // null: the array is empty
    unsigned shift;
    bool Covers(uint64_t index) const { return node != nullptr && index >> shift < kSlots; }
  };
  struct Position {
    const Node* leaf = nullptr;
    uint64_t index = 0;
    void* entry = nullptr;
  };

  // The bits of an index that lie below `shift`.
  static constexpr uint64_t Below(unsigned shift) {
    return shift >= 64 ? UINT64_MAX : (uint64_t{1} << shift) - 1;
  }

  // Readers: within a read-side section.
  [[gnu::always_inline]] inline Root LoadRoot() const;
  [[gnu::always_inline]] inline Node* FindLeaf(uint64_t index) const;
  Node* FindLeafAgain(uint64_t index) const;
  template <typename Candidate>
  Position Seek(uint64_t index, uint64_t last, Candidate candidate) const;
  Position SeekPresent(uint64_t index, uint64_t last) const;

  // Writers.
  void PublishRoot(Node* node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* NewNode(unsigned shift, Node* parent, unsigned offset)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* GrowTo(uint64_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* MakeLeaf(uint64_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Result StoreLocked(uint64_t index, void* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void* EraseLocked(uint64_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t EraseInSlot(Node* node, uint64_t first, uint64_t last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t EraseWithin(Node* node, uint64_t first, uint64_t last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t DropSubtree(Node* node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unmark(Node* node, unsigned offset, unsigned mark) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unlink(Node* node, unsigned offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Trim(Node* node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Retire(Node* node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::atomic<uint64_t> node_count_{0};  // written under mutex_, as the head is
  // On a cache line of its own, which readers share and writers' locking leaves alone.
  alignas(64) std::atomic<char*> head_{nullptr};
};

using XArray = BasicXArray<6>;  // the kernel's fan-out

extern template class BasicXArray<1>;
extern template class BasicXArray<2>;
extern template class BasicXArray<3>;
extern template class BasicXArray<6>;

}  // namespace rnullfs

#include "rnullfs/xarray_inline.h"

#endif  // RNULLFS_XARRAY_H_
