// XArray: the lookups that scan.  Included by xarray.cc alone, which instantiates them.
//
// All of them descend from the head for each leaf they come to: a descent is three or four loads
// from cached nodes for a leaf of 64 entries, and needs no way back up, which readers do not have.
// An index only moves forward, so that a walk ends however often it has to begin again.
#ifndef RNULLFS_STORE_XARRAY_FIND_H_
#define RNULLFS_STORE_XARRAY_FIND_H_

#include <bit>
#include <optional>

#include "rnullfs/xarray.h"

namespace rnullfs {

// The node on the way was retired under us: begins at the head again.
template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::FindLeafAgain(uint64_t index) const -> Node* {
  return FindLeaf(index);
}

// The first entry in index..last all of whose slots, from the root down, are candidates.
// `candidate(node, offset)` is the first offset of interest from `offset` on, kSlots if none.
template <unsigned kChunkShift>
template <typename Candidate>
auto BasicXArray<kChunkShift>::Seek(uint64_t index, uint64_t last, Candidate candidate) const
    -> Position {
  for (;;) {
    Root at = LoadRoot();
    if (!at.Covers(index)) return {};
    for (;;) {
      const unsigned offset = Node::OffsetOf(index, at.shift);
      const unsigned next = candidate(*at.node, offset);
      if (next == kSlots) {
        index |= Below(at.shift + kChunkShift);
        if (index >= last) return {};
        ++index;
        break;
      }
      // A retired node says nothing of where the next entry is, and a retired root has retries also
      // in slots past the greatest index: the index moves only to what is not one.
      void* const slot = at.node->Load(next);
      if (slot == Retry()) break;
      if (next != offset) index = ((index >> at.shift) + (next - offset)) << at.shift;
      if (index > last) return {};
      if (slot == nullptr) continue;  // emptied since `candidate` looked, which now passes it
      if (at.shift == 0) return {at.node, index, slot};
      at = {static_cast<Node*>(slot), at.shift - kChunkShift};
    }
  }
}

template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::SeekPresent(uint64_t index, uint64_t last) const -> Position {
  return Seek(index, last, [](const Node& node, unsigned offset) {
    while (offset != kSlots && node.Load(offset) == nullptr) ++offset;
    return offset;
  });
}

template <unsigned kChunkShift>
void* BasicXArray<kChunkShift>::Find(uint64_t* index, uint64_t last) const {
  if (*index > last) return nullptr;
  const RcuReadGuard guard;
  const Position found = SeekPresent(*index, last);
  if (found.leaf != nullptr) *index = found.index;
  return found.entry;
}

template <unsigned kChunkShift>
void* BasicXArray<kChunkShift>::FindMarked(uint64_t* index, uint64_t last, Mark mark) const {
  if (*index > last) return nullptr;
  const RcuReadGuard guard;
  const Position found = Seek(*index, last, [mark](const Node& node, unsigned offset) {
    const uint64_t from = node.marks[mark].load(std::memory_order_acquire) >> offset;
    return from == 0 ? kSlots : offset + static_cast<unsigned>(std::countr_zero(from));
  });
  if (found.leaf != nullptr) *index = found.index;
  return found.entry;
}

template <unsigned kChunkShift>
std::optional<uint64_t> BasicXArray<kChunkShift>::FindVacant(uint64_t first, uint64_t last) const {
  if (first > last) return std::nullopt;
  for (uint64_t index = first;;) {
    const RcuReadGuard guard;
    const Node* const leaf = FindLeaf(index);
    if (leaf == nullptr) return index;
    void* entry = nullptr;
    while ((entry = leaf->Load(Node::OffsetOf(index, 0))) != Retry()) {
      if (entry == nullptr) return index;
      if (index == last) return std::nullopt;
      if (Node::OffsetOf(++index, 0) == 0) break;
    }
  }
}

template <unsigned kChunkShift>
bool BasicXArray<kChunkShift>::GetMark(uint64_t index, Mark mark) const {
  const RcuReadGuard guard;
  for (;;) {
    const Node* const leaf = FindLeaf(index);
    if (leaf == nullptr) return false;
    const unsigned offset = Node::OffsetOf(index, 0);
    const bool marked = leaf->Marked(mark, offset);
    // A leaf that was still in the tree after the mark was read had the right to tell.
    if (leaf->Load(offset) != Retry()) return marked;
  }
}

template <unsigned kChunkShift>
bool BasicXArray<kChunkShift>::Marked(Mark mark) const {
  const RcuReadGuard guard;
  const Node* root = nullptr;
  bool marked = false;
  do {
    root = LoadRoot().node;
    marked = root != nullptr && root->AnyMarked(mark);
  } while (root != LoadRoot().node);  // a node that is not the root cannot speak for the tree
  return marked;
}

}  // namespace rnullfs

#endif  // RNULLFS_STORE_XARRAY_FIND_H_
