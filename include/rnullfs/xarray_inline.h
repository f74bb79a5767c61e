// XArray: the read path that is compiled into its users.  Included by xarray.h alone.
//
// A core overlaps the cache misses of as many loads as its reorder buffer holds, so that at random
// indices every instruction counts.  Forcing Load() and what it calls inline halves their number.
#ifndef RNULLFS_XARRAY_INLINE_H_
#define RNULLFS_XARRAY_INLINE_H_

#include "rnullfs/xarray.h"

namespace rnullfs {

template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::LoadRoot() const -> Root {
  // One load yields root and level, and saves touching the root's header.
  char* const head = head_.load(std::memory_order_acquire);
  const size_t level =
      reinterpret_cast<uintptr_t>(head) & (XArrayNodeTraits<kChunkShift>::kAlignment - 1);
  return {reinterpret_cast<Node*>(head - level), static_cast<unsigned>(level) * kChunkShift};
}

template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::FindLeaf(uint64_t index) const -> Node* {
  Root at = LoadRoot();
  if (!at.Covers(index)) return nullptr;
  // Every level has the shift of the one above less kChunkShift, so that only slots are touched.
  while (at.shift != 0) {
    void* const child = at.node->Load(Node::OffsetOf(index, at.shift));
    if (!IsNode(child)) [[unlikely]] {
      return child == nullptr ? nullptr : FindLeafAgain(index);
    }
    at = {static_cast<Node*>(child), at.shift - kChunkShift};
  }
  return at.node;
}

template <unsigned kChunkShift>
void* BasicXArray<kChunkShift>::Load(uint64_t index) const {
  const RcuReadGuard guard;
  for (;;) {
    const Node* const leaf = FindLeaf(index);
    if (leaf == nullptr) return nullptr;
    void* const entry = leaf->Load(Node::OffsetOf(index, 0));
    if (entry != Retry()) [[likely]] {
      return entry;
    }
  }
}

template <unsigned kChunkShift>
void* BasicXArray<kChunkShift>::Cursor::Load(uint64_t index) {
  const uint64_t chunk = index >> kChunkShift;
  for (;;) {
    if (leaf_ == nullptr || chunk != chunk_) {
      leaf_ = array_.FindLeaf(index);
      if (leaf_ == nullptr) return nullptr;
      chunk_ = chunk;
    }
    void* const entry = leaf_->Load(Node::OffsetOf(index, 0));
    if (entry != Retry()) [[likely]] {
      return entry;
    }
    leaf_ = nullptr;
  }
}

template <unsigned kChunkShift>
template <typename F>
inline void BasicXArray<kChunkShift>::ForEach(uint64_t first, uint64_t last, F&& f) const {
  if (first > last) return;
  for (uint64_t index = first;;) {
    const RcuReadGuard guard;
    const Position found = Seek(index, last);
    if (found.leaf == nullptr) return;
    index = found.index;
    for (;;) {
      void* const entry = found.leaf->Load(Node::OffsetOf(index, 0));
      if (entry == Retry()) break;  // the leaf has left the tree: look again
      if (entry != nullptr) f(index, entry);
      if (index == last) return;
      if (Node::OffsetOf(++index, 0) == 0) break;
    }
  }
}

}  // namespace rnullfs

#endif  // RNULLFS_XARRAY_INLINE_H_
