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
//   slot      place in a node: for an entry in a leaf, for a node elsewhere
//   offset    number of a slot in its node
//   shift     bits of the index below the bits that choose a slot: 0 in a leaf
//   level     height above the leaves, shift / kChunkShift; all leaves are at level 0
//   head      the pointer to the root, and in its low bits the root's level
//   retry     an entry, told by bit 1, in every slot of a node that has left the tree
//
// Invariants, except within a call that writes:
//   - every node in the tree has a slot in use;
//   - a root above level 0 has a slot other than slot 0 in use: the tree is as low as can be.
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

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "rnullfs/mutex.h"
#include "rnullfs/rcu.h"

namespace rnullfs {

template <unsigned kChunkShift>
struct XArrayNodeTraits {
  static_assert(kChunkShift >= 1 && kChunkShift <= 6, "a byte counts the slots");

  static constexpr unsigned kLevels = (64 + kChunkShift - 1) / kChunkShift;
  // The head of the tree keeps the root's level in the low bits of its address.
  static constexpr size_t kAlignment = std::bit_ceil(kLevels);
  // What `new` aligns to anyway must not be asked for: it would round the size up.
  static constexpr size_t kAlignAs =
      kAlignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? alignof(void*) : kAlignment;
};

// Slots are written by the one writer that holds the array's lock and read by anyone within a
// read-side section; `place` is the writer's alone.
template <unsigned kChunkShift>
struct alignas(XArrayNodeTraits<kChunkShift>::kAlignAs) XArrayNode {
  static constexpr unsigned kSlots = 1U << kChunkShift;

  // Where the node hangs and how full it is.
  struct Place {
    XArrayNode* parent = nullptr;  // null: the root
    uint8_t shift = 0;             // bits of the index below this node's offset; 0: a leaf
    uint8_t offset = 0;            // of the parent's slot that holds this node
    uint8_t count = 0;             // slots in use
  };

  union {
    Place place{};  // while in the tree
    rcu_head rcu;   // once unlinked
  };
  std::array<std::atomic<void*>, kSlots> slots{};

  static unsigned OffsetOf(uint64_t index, unsigned shift) {
    return static_cast<unsigned>(index >> shift) & (kSlots - 1);
  }

  // Readers pair with the writer's release stores: what a writer put into a node or a page before
  // it published the pointer is seen through the pointer.  Consume order would do, but compilers
  // make it acquire, which costs nothing on x86-64.
  void* Load(unsigned offset) const { return slots[offset].load(std::memory_order_acquire); }
  void Publish(unsigned offset, void* entry) {
    slots[offset].store(entry, std::memory_order_release);
  }
};

// 512 bytes of slots and 16 of everything else: malloc serves 528 bytes from a chunk of 544.
static_assert(sizeof(XArrayNode<6>) == 528);

// The fan-outs 1, 2, 3 and 6 are built; small ones make deep trees in tests.
template <unsigned kChunkShift>
class BasicXArray {
 public:
  struct Result {
    void* old;  // the entry found, nullptr if vacant
    int error;  // 0 or ENOMEM
  };

  // `value` must be below 2^63.
  static void* MakeValue(uint64_t value) { return FromBits(value << 1 | 1); }
  static bool IsValue(const void* entry) { return (reinterpret_cast<uintptr_t>(entry) & 1) != 0; }
  static uint64_t ToValue(const void* entry) { return reinterpret_cast<uintptr_t>(entry) >> 1; }

  BasicXArray() = default;
  ~BasicXArray();
  BasicXArray(const BasicXArray&) = delete;
  BasicXArray& operator=(const BasicXArray&) = delete;

  // Context: lock-free.  Return: the entry at `index`, nullptr if vacant.
  [[gnu::always_inline]] inline void* Load(uint64_t index) const;

  // Stores `entry`; nullptr erases.
  // Context: locked; allocates.  Return: the entry replaced; ENOMEM.
  Result Store(uint64_t index, void* entry) ABSL_LOCKS_EXCLUDED(mutex_);

  // Stores `desired` if the entry is `expected` (nullptr for vacant), as Store() does.
  // Context: locked; allocates.  Return: the entry found, stored if it equals `expected`; ENOMEM.
  Result CmpXchg(uint64_t index, void* expected, void* desired) ABSL_LOCKS_EXCLUDED(mutex_);

  // Context: locked.  Return: the entry erased, nullptr if vacant.
  void* Erase(uint64_t index) ABSL_LOCKS_EXCLUDED(mutex_) { return Store(index, nullptr).old; }

  // Erases first..last, `last` included, in time by what is stored there, not by the span.
  // Context: locked.  Return: how many entries were erased.
  uint64_t EraseRange(uint64_t first, uint64_t last) ABSL_LOCKS_EXCLUDED(mutex_);

  // Context: locked.
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_) { EraseRange(0, UINT64_MAX); }

  // Looks for the first entry from *index to `last`.
  // Context: lock-free.  Return: the entry, its place in *index; or nullptr, *index unchanged.
  void* Find(uint64_t* index, uint64_t last) const;

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

  // Context: lock-free.  Return: nodes in the tree, not those that await a grace period.
  uint64_t NodeCount() const { return node_count_.load(std::memory_order_relaxed); }

 private:
  using Node = XArrayNode<kChunkShift>;
  static constexpr unsigned kSlots = Node::kSlots;

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

  static void* FromBits(uintptr_t bits) {
    return reinterpret_cast<void*>(bits);  // NOLINT(performance-no-int-to-ptr): never followed
  }
  static void* Retry() { return FromBits(2); }
  // Whether a slot above the leaves holds a node, rather than nothing or a retry.
  static bool IsNode(const void* slot) { return reinterpret_cast<uintptr_t>(slot) > 2; }

  // The bits of an index that lie below `shift`.
  static constexpr uint64_t Below(unsigned shift) {
    return shift >= 64 ? UINT64_MAX : (uint64_t{1} << shift) - 1;
  }

  // Readers: within a read-side section.
  [[gnu::always_inline]] inline Root LoadRoot() const;
  [[gnu::always_inline]] inline Node* FindLeaf(uint64_t index) const;
  Node* FindLeafAgain(uint64_t index) const;
  Position Seek(uint64_t index, uint64_t last) const;

  // Writers.
  void PublishRoot(Node* node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* NewNode(unsigned shift, Node* parent, unsigned offset)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* GrowTo(uint64_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* MakeLeaf(uint64_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Result StoreLocked(uint64_t index, void* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t EraseInSlot(Node* node, uint64_t first, uint64_t last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t EraseWithin(Node* node, uint64_t first, uint64_t last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t DropSubtree(Node* node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
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
