// XArray: what is not inline.
//
// The tree changes one published pointer at a time, so that a reader finds a whole tree at every
// instant: a node is filled before it is linked, and unlinked before it is retired.
//
// A retired node gets a retry entry in every slot.  A reader that reached it just before it was
// unlinked then begins again at the head, instead of reporting as vacant what may since have been
// stored in the node's successor.  The retries come after the unlinking, with release order, so
// that whoever meets one finds the tree without that node.

#include "rnullfs/xarray.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <new>

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

// --- Looking up ----------------------------------------------------------------------------------

// The node on the way was retired under us: begins at the head again.
template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::FindLeafAgain(uint64_t index) const -> Node* {
  return FindLeaf(index);
}

// The first entry in index..last.
//
// It descends from the head for each leaf it comes to: that is three or four loads from cached
// nodes for a leaf of 64 entries, and needs no way back up, which readers do not have.  The index
// only moves forward, so that a walk ends however often it has to begin again.
template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::Seek(uint64_t index, uint64_t last) const -> Position {
  for (;;) {
    Root at = LoadRoot();
    if (!at.Covers(index)) return {};
    for (;;) {
      const unsigned offset = Node::OffsetOf(index, at.shift);
      unsigned next = offset;
      void* slot = nullptr;
      while (next != kSlots && (slot = at.node->Load(next)) == nullptr) ++next;
      if (next == kSlots) {
        index |= Below(at.shift + kChunkShift);
        if (index >= last) return {};
        ++index;
        break;
      }
      // A retired node says nothing of where the next entry is, and a retired root has retries also
      // in slots past the greatest index: the index moves only to what is not one.
      if (slot == Retry()) break;
      if (next != offset) index = ((index >> at.shift) + (next - offset)) << at.shift;
      if (index > last) return {};
      if (at.shift == 0) return {at.node, index, slot};
      at = {static_cast<Node*>(slot), at.shift - kChunkShift};
    }
  }
}

template <unsigned kChunkShift>
void* BasicXArray<kChunkShift>::Find(uint64_t* index, uint64_t last) const {
  if (*index > last) return nullptr;
  const RcuReadGuard guard;
  const Position found = Seek(*index, last);
  if (found.leaf != nullptr) *index = found.index;
  return found.entry;
}

// --- Growing -------------------------------------------------------------------------------------

template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::PublishRoot(Node* node) {
  const unsigned level = node == nullptr ? 0 : node->place.shift / kChunkShift;
  head_.store(reinterpret_cast<char*>(node) + level, std::memory_order_release);
}

// Return: an empty node that nobody links to yet; nullptr if there is no memory.
template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::NewNode(unsigned shift, Node* parent, unsigned offset) -> Node* {
  Node* const node = new (std::nothrow) Node;
  if (node == nullptr) return nullptr;
  node->place = {.parent = parent,
                 .shift = static_cast<uint8_t>(shift),
                 .offset = static_cast<uint8_t>(offset)};
  node_count_.store(NodeCount() + 1, std::memory_order_relaxed);
  return node;
}

// Puts roots above the root until one covers `index`.
// Return: the root; nullptr if there is no memory, the tree being as before.
template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::GrowTo(uint64_t index) -> Node* {
  Root root = LoadRoot();
  if (root.node == nullptr) {
    while (index >> root.shift >= kSlots) root.shift += kChunkShift;
    root.node = NewNode(root.shift, nullptr, 0);
    if (root.node != nullptr) PublishRoot(root.node);
    return root.node;
  }
  while (!root.Covers(index)) {
    Node* const above = NewNode(root.shift + kChunkShift, nullptr, 0);
    if (above == nullptr) {
      Trim(root.node);
      return nullptr;
    }
    above->Publish(0, root.node);
    above->place.count = 1;
    root.node->place.parent = above;
    PublishRoot(above);
    root = {above, root.shift + kChunkShift};
  }
  return root.node;
}

// Return: the leaf for `index`, empty if it is new; nullptr if there is no memory, the tree being
// as before.
template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::MakeLeaf(uint64_t index) -> Node* {
  Node* node = GrowTo(index);
  while (node != nullptr && node->place.shift != 0) {
    const unsigned offset = Node::OffsetOf(index, node->place.shift);
    auto* child = static_cast<Node*>(node->Load(offset));
    if (child == nullptr) {
      child = NewNode(node->place.shift - kChunkShift, node, offset);
      if (child == nullptr) {
        Trim(node);
        return nullptr;
      }
      node->Publish(offset, child);
      ++node->place.count;
    }
    node = child;
  }
  return node;
}

// --- Shrinking -----------------------------------------------------------------------------------

// Takes a node that is no longer linked out of service.
template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::Retire(Node* node) {
  for (unsigned offset = 0; offset < kSlots; ++offset) node->Publish(offset, Retry());
  node_count_.store(NodeCount() - 1, std::memory_order_relaxed);
  RcuDelete(node);
}

// Empties a slot.  If that empties the node, the caller has to take it out.
template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::Unlink(Node* node, unsigned offset) {
  node->Publish(offset, nullptr);
  --node->place.count;
}

// Restores the invariants: removes `node` if it is empty, then whatever becomes empty above it, and
// lowers the root.
template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::Trim(Node* node) {
  while (node->place.count == 0) {
    Node* const parent = node->place.parent;
    if (parent == nullptr) {
      PublishRoot(nullptr);
      Retire(node);
      return;
    }
    Unlink(parent, node->place.offset);
    Retire(node);
    node = parent;
  }
  for (Node* root = LoadRoot().node; root->place.shift != 0 && root->place.count == 1;) {
    auto* const below = static_cast<Node*>(root->Load(0));
    if (below == nullptr) return;
    below->place.parent = nullptr;
    PublishRoot(below);
    Retire(root);
    root = below;
  }
}

// --- Storing and erasing -------------------------------------------------------------------------

template <unsigned kChunkShift>
auto BasicXArray<kChunkShift>::StoreLocked(uint64_t index, void* entry) -> Result {
  assert((reinterpret_cast<uintptr_t>(entry) & 3) != 2 &&
         "an entry is a value or aligned to 4 bytes");
  Node* leaf = FindLeaf(index);
  if (leaf == nullptr && entry == nullptr) return {nullptr, 0};
  if (leaf == nullptr) leaf = MakeLeaf(index);
  if (leaf == nullptr) return {nullptr, ENOMEM};
  const unsigned offset = Node::OffsetOf(index, 0);
  void* const old = leaf->Load(offset);
  leaf->Publish(offset, entry);
  if (old == nullptr && entry != nullptr) ++leaf->place.count;
  if (old != nullptr && entry == nullptr && --leaf->place.count == 0) Trim(leaf);
  return {old, 0};
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

template class BasicXArray<1>;
template class BasicXArray<2>;
template class BasicXArray<3>;
template class BasicXArray<6>;

}  // namespace rnullfs
