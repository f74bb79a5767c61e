// XArray: how the tree grows and shrinks.  Included by xarray.cc alone, which instantiates it.
//
// The tree changes one published pointer at a time, so that a reader finds a whole tree at every
// instant: a node is filled before it is linked, and unlinked before it is retired.
//
// A retired node gets a retry entry in every slot.  A reader that reached it just before it was
// unlinked then begins again at the head, instead of reporting as vacant what may since have been
// stored in the node's successor.  The retries come after the unlinking, with release order, so
// that whoever meets one finds the tree without that node.
#ifndef RNULLFS_STORE_XARRAY_TREE_H_
#define RNULLFS_STORE_XARRAY_TREE_H_

#include <new>

#include "rnullfs/xarray.h"

namespace rnullfs {

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
    for (unsigned mark = 0; mark < kXArrayMarks; ++mark) {
      if (root.node->AnyMarked(mark)) above->SetMark(mark, 0);
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

// Takes a mark from a slot, and from the nodes above that have no other one below.
template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::Unmark(Node* node, unsigned offset, unsigned mark) {
  while (node != nullptr && node->Marked(mark, offset)) {
    node->ClearMark(mark, offset);
    if (node->AnyMarked(mark)) return;
    offset = node->place.offset;
    node = node->place.parent;
  }
}

// Empties a slot.  If that empties the node, the caller has to take it out.
template <unsigned kChunkShift>
void BasicXArray<kChunkShift>::Unlink(Node* node, unsigned offset) {
  // Marks first: a search that finds the slot empty must not find it marked again.
  for (unsigned mark = 0; mark < kXArrayMarks; ++mark) Unmark(node, offset, mark);
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

}  // namespace rnullfs

#endif  // RNULLFS_STORE_XARRAY_TREE_H_
