// The nodes an XArray is made of.  Only xarray.h and the files of its implementation include this.
//
// Thread safety: slots and marks are written by the one writer that holds the XArray's lock and
// read by anyone within a read-side section; `place` is the writer's alone.
#ifndef RNULLFS_XARRAY_NODE_H_
#define RNULLFS_XARRAY_NODE_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "rnullfs/rcu.h"

namespace rnullfs {

inline constexpr unsigned kXArrayMarks = 3;

template <unsigned kChunkShift>
struct XArrayNodeTraits {
  static_assert(kChunkShift >= 1 && kChunkShift <= 6, "a word of marks has a bit for each slot");

  static constexpr unsigned kSlots = 1U << kChunkShift;
  static constexpr unsigned kLevels = (64 + kChunkShift - 1) / kChunkShift;
  // The head of the tree keeps the root's level in the low bits of its address.
  static constexpr size_t kAlignment = std::bit_ceil(kLevels);
  // What `new` aligns to anyway must not be asked for: it would round the size up.
  static constexpr size_t kAlignAs =
      kAlignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? alignof(void*) : kAlignment;
};

template <unsigned kChunkShift>
struct alignas(XArrayNodeTraits<kChunkShift>::kAlignAs) XArrayNode {
  static constexpr unsigned kSlots = XArrayNodeTraits<kChunkShift>::kSlots;

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
  // Bit i is set if the entry in slot i is marked, or any entry below the node in slot i.
  std::array<std::atomic<uint64_t>, kXArrayMarks> marks{};
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

  bool Marked(unsigned mark, unsigned offset) const {
    return (marks[mark].load(std::memory_order_acquire) >> offset & 1) != 0;
  }
  bool AnyMarked(unsigned mark) const { return marks[mark].load(std::memory_order_acquire) != 0; }

  // The writer is alone, so that a load and a store make an update.
  void SetMark(unsigned mark, unsigned offset) {
    const uint64_t bits = marks[mark].load(std::memory_order_relaxed);
    marks[mark].store(bits | uint64_t{1} << offset, std::memory_order_release);
  }
  void ClearMark(unsigned mark, unsigned offset) {
    const uint64_t bits = marks[mark].load(std::memory_order_relaxed);
    marks[mark].store(bits & ~(uint64_t{1} << offset), std::memory_order_release);
  }
};

// 512 bytes of slots and 40 of everything else: malloc serves 552 bytes from a chunk of 560.
static_assert(sizeof(XArrayNode<6>) == 552);

}  // namespace rnullfs

#endif  // RNULLFS_XARRAY_NODE_H_
