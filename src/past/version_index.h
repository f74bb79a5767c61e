// Which versions a page has (version_file.h), oldest first.
//
// They lie together for all pages of a stripe of the locks, in the order of the pages: so whoever
// has a page's lock has the list, and versions of pages that are far apart share a node of the
// XArray.  Most stripes have none, or one, which lies in the XArray itself.  A stripe that gets
// many is split into a list for each of its pages: no change moves more than that.
//
// Thread safety: a page is whose lock it is (past.h): shared to look, exclusive to change.
// NextStripe() needs no lock, and what it returns may be history.
// Errors: positive errno.
#ifndef RNULLFS_PAST_VERSION_INDEX_H_
#define RNULLFS_PAST_VERSION_INDEX_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "past/version_file.h"
#include "rnullfs/xarray.h"

namespace rnullfs {

class VersionIndex {
 public:
  explicit VersionIndex(const VersionFile& file) : file_(file) {}
  ~VersionIndex();
  VersionIndex(const VersionIndex&) = delete;
  VersionIndex& operator=(const VersionIndex&) = delete;

  // Adds the page's newest one.  ENOMEM, and nothing is added.
  int Append(uint64_t page, Version version);
  void Erase(uint64_t page, Version version);

  // The version that the page was at `moment`: the oldest that ended after it.  None: what it is
  // now, it was then.
  std::optional<Version> At(uint64_t page, uint64_t moment) const;

  // Since when the page has been what it is, or was the version; 0: as long as is known.
  uint64_t SinceNow(uint64_t page) const;
  uint64_t Since(uint64_t page, Version version) const;

  // The first page >= `page` of its stripe that has a version.
  std::optional<uint64_t> NextInStripe(uint64_t page) const;
  // The first page of the first stripe after that of `page` in which one has; UINT64_MAX: of none.
  uint64_t NextStripe(uint64_t page) const;

  // Memory that it takes.
  uint64_t Bytes() const {
    return (stripes_.NodeCount() + pages_.NodeCount()) * kNodeBytes + list_bytes_;
  }

 private:
  static constexpr uint64_t kNodeBytes = 544;  // of the XArray, as malloc serves it

  using Versions = absl::Span<const Version>;
  struct List;
  // Where the list of a page is: that of its stripe, or its own.
  struct Slot {
    bool of_page;
    uint64_t index;
    void* entry;
  };
  Slot SlotOf(uint64_t page) const;
  XArray& ArrayOf(const Slot& slot) { return slot.of_page ? pages_ : stripes_; }
  static Versions OfEntry(void* entry, Version& single);
  Versions OfPage(uint64_t page, Version& single) const;
  Versions::iterator FirstOf(Versions versions, uint64_t page) const;
  Versions::iterator FirstAfter(Versions versions, uint64_t moment) const;
  int Move(const Slot& slot, size_t place, Version version);
  void EraseSlot(const Slot& slot);
  bool Split(uint64_t stripe);
  List* MakeList(Versions versions);
  void Free(void* entry);

  const VersionFile& file_;
  XArray stripes_;  // a List, or a value: one version, or kSplit
  XArray pages_;    // of stripes that are split: a List, or a value
  std::atomic<uint64_t> list_bytes_{0};
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_VERSION_INDEX_H_
