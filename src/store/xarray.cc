// XArray: storing, erasing and marking.

#include "rnullfs/xarray.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "store/xarray_find.h"
#include "store/xarray_tree.h"

namespace rnullfs {
namespace {

template <typename Node>
void DeleteSubtree(Node* node) {
  if (node->place.shift != 0) {
    for (unsigned offset = 0; offset < Node::kSlots; ++offset) {
      auto* const child = static_cast<Node*>(node->Load(offset));
      if (child != nullptr) DeleteSubtree(child);
    }
  }
  delete node;
}

}  // namespace

template <unsigned kChunkShift>
BasicXArray<kChunkShift>::~BasicXArray() {
  if (Node* const root = LoadRoot().node; root != nullptr) DeleteSubtree(root);
}

// --- Storing and erasing -------------------------------------------------------------------------

template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::StoreLocked(uint64_t index, void* entry) -> Result {
  assert((reinterpret_cast<uintptr_t>(entry) & 3) != 2 &&
         "an entry is a value or aligned to 4 bytes");
  if (entry == nullptr) return {EraseLocked(index), 0};
  Node* leaf = FindLeaf(index);
  if (leaf == nullptr) leaf = MakeLeaf(index);
  if (leaf == nullptr) return {nullptr, ENOMEM};
  const unsigned offset = Node::OffsetOf(index, 0);
  void* const old = leaf->Load(offset);
  leaf->Publish(offset, entry);
  if (old == nullptr) ++leaf->place.count;
  return {old, 0};
}

template <unsigned kChunkShift>
void* BasicXArray<kChunkShift>::EraseLocked(uint64_t index) {
  Node* const leaf = FindLeaf(index);
  if (leaf == nullptr) return nullptr;
  const unsigned offset = Node::OffsetOf(index, 0);
  void* const old = leaf->Load(offset);
  if (old == nullptr) return nullptr;
  Unlink(leaf, offset);
  if (leaf->place.count == 0) Trim(leaf);
  return old;
}

template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::Store(uint64_t index, void* entry) -> Result {
  const LockGuard lock(mutex_);
  return StoreLocked(index, entry);
}

template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::CmpXchg(uint64_t index, void* expected, void* desired) -> Result {
  const LockGuard lock(mutex_);
  const Node* const leaf = FindLeaf(index);
  void* const old = leaf == nullptr ? nullptr : leaf->Load(Node::OffsetOf(index, 0));
  if (old != expected) return {old, 0};
  return StoreLocked(index, desired);
}

template <unsigned kChunkShift>
void* BasicXArray<kChunkShift>::Erase(uint64_t index) {
  const LockGuard lock(mutex_);
  return EraseLocked(index);
}

// Retires a subtree that is no longer linked.  Return: how many entries it held.
template <unsigned kChunkShift>
uint64_t BasicXArray<kChunkShift>::DropSubtree(Node* node) {
  uint64_t entries = 0;
  if (node->place.shift == 0) {
    entries = node->place.count;
  } else {
    for (unsigned offset = 0; offset < kSlots; ++offset) {
      auto* const child = static_cast<Node*>(node->Load(offset));
      if (child != nullptr) entries += DropSubtree(child);
    }
  }
  Retire(node);
  return entries;
}

// Erases first..last, which share a slot of `node`.  `node` stays, even if that empties it.
// Return: how many entries were erased.
template <unsigned kChunkShift>
uint64_t BasicXArray<kChunkShift>::EraseInSlot(Node* node, uint64_t first, uint64_t last) {
  const unsigned shift = node->place.shift;
  const unsigned offset = Node::OffsetOf(first, shift);
  void* const slot = node->Load(offset);
  if (slot == nullptr) return 0;
  if (shift == 0) {
    Unlink(node, offset);
    return 1;
  }
  auto* const child = static_cast<Node*>(slot);
  const bool whole = last - first == Below(shift);
  const uint64_t erased = whole ? 0 : EraseWithin(child, first, last);
  if (!whole && child->place.count != 0) return erased;
  Unlink(node, offset);
  return erased + DropSubtree(child);
}

// The same for first..last anywhere within what `node` spans.
template <unsigned kChunkShift>
uint64_t BasicXArray<kChunkShift>::EraseWithin(Node* node, uint64_t first, uint64_t last) {
  uint64_t erased = 0;
  for (;;) {
    const uint64_t end = std::min(last, first | Below(node->place.shift));
    erased += EraseInSlot(node, first, end);
    if (end == last) return erased;
    first = end + 1;
  }
}

template <unsigned kChunkShift>
uint64_t BasicXArray<kChunkShift>::EraseRange(uint64_t first, uint64_t last) {
  const LockGuard lock(mutex_);
  const Root root = LoadRoot();
  if (first > last || !root.Covers(first)) return 0;
  const uint64_t end = std::min(last, first | Below(root.shift + kChunkShift));
  const uint64_t erased = EraseWithin(root.node, first, end);
  Trim(root.node);
  return erased;
}

// --- Marks ---------------------------------------------------------------------------------------

template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::SetMark(uint64_t index, Mark mark) {
  const LockGuard lock(mutex_);
  Node* node = FindLeaf(index);
  unsigned offset = Node::OffsetOf(index, 0);
  if (node == nullptr || node->Load(offset) == nullptr) return;
  while (node != nullptr && !node->Marked(mark, offset)) {
    node->SetMark(mark, offset);
    offset = node->place.offset;
    node = node->place.parent;
  }
}

template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::ClearMark(uint64_t index, Mark mark) {
  const LockGuard lock(mutex_);
  if (Node* const leaf = FindLeaf(index); leaf != nullptr) {
    Unmark(leaf, Node::OffsetOf(index, 0), mark);
  }
}

template class BasicXArray<1>;
template class BasicXArray<2>;
template class BasicXArray<3>;
template class BasicXArray<6>;

}  // namespace rnullfs
