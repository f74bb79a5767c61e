// Which versions a page has: page number -> the numbers of its versions (version_file.h), oldest
// first.  Most pages have none or one, which lies in the XArray itself.
//
// Thread safety: a page is whose lock it is (past.h): shared to look, exclusive to change.
// NextPage() needs no lock, and what it returns may be history.
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

  // Adds the newest one.  ENOMEM, and nothing is added.
  int Append(uint64_t page, Version version);
  void Erase(uint64_t page, Version version);

  // The version that the page was at `moment`: the oldest that ended after it.  None: what it is
  // now, it was then.
  std::optional<Version> At(uint64_t page, uint64_t moment) const;

  // Since when the page has been what it is, or was the version; 0: as long as is known.
  uint64_t SinceNow(uint64_t page) const;
  uint64_t Since(uint64_t page, Version version) const;

  // The first page >= `page` that has a version, UINT64_MAX if none has.
  uint64_t NextPage(uint64_t page) const;

  // Memory that it takes.
  uint64_t Bytes() const { return lists_.NodeCount() * kNodeBytes + list_bytes_; }

 private:
  static constexpr uint64_t kNodeBytes = 528;  // of the XArray, with the allocator's word

  struct List;
  static absl::Span<const Version> VersionsOf(void* entry, Version& single);
  absl::Span<const Version>::iterator FirstAfter(absl::Span<const Version> versions,
                                                 uint64_t moment) const;
  int Move(uint64_t page, void* entry, Version version);
  void Free(void* entry);

  const VersionFile& file_;
  XArray lists_;  // a value (one version) or a List
  std::atomic<uint64_t> list_bytes_{0};
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_VERSION_INDEX_H_
