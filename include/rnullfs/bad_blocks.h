// The sectors of a disk that cannot be read or written: the value of `badblocks`.
//
// A set of 512-byte sectors, kept in entries as block/badblocks.c keeps them: at most 512 sectors
// in an entry, at most 512 entries, ranges that touch are one.  An entry begins where its range
// does, or where the one before it ends.
//
// Thread safety: as of a plain value.
// Units: sectors of 512 bytes; ranges are [first, last], both included.
#ifndef RNULLFS_BAD_BLOCKS_H_
#define RNULLFS_BAD_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace rnullfs {

class BadBlocks {
 public:
  static constexpr uint64_t kEntrySectorsMax = 512;  // BB_MAX_LEN
  static constexpr size_t kEntriesMax = 512;         // MAX_BADBLOCKS
  static constexpr uint64_t kSectorMax = (uint64_t{1} << 54) - 1;

  // Completes "it takes ...", of Edit().
  static constexpr std::string_view kAccepts =
      "+FIRST-LAST to mark 512-byte sectors as bad, -FIRST-LAST to clear them, or lines of these";

  struct Range {
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t sectors() const { return last - first + 1; }
    bool operator==(const Range&) const = default;
  };

  // What a write of `text` to the file does: lines of "+first-last" (these are bad) and
  // "-first-last" (these are good), decimal or 0x hexadecimal, white space around each ignored.
  // All of them or none.  EINVAL for text that is no such list, a range that ends before it begins,
  // or a sector past kSectorMax; ENOSPC when it would take more than kEntriesMax entries.  The
  // sentence says which.
  absl::Status Edit(std::string_view text);

  // Marks or clears a range.  False, and nothing changed, when there would be too many entries.
  bool Mark(Range range);
  bool Clear(Range range);

  // The first entry that has a sector of `range`.
  std::optional<Range> FindEntry(Range range) const;

  bool empty() const { return ranges_.empty(); }
  std::vector<Range> Entries() const;
  const std::vector<Range>& ranges() const { return ranges_; }

  // "first length" for each entry, a line each: what the file shows.
  std::string Show() const;
  // What Edit() makes the same set of, from an empty one: "+8-15" for each range, a line each, the
  // last one without its newline.
  std::string Commands() const;

  bool operator==(const BadBlocks&) const = default;

 private:
  std::vector<Range> ranges_;  // ascending, with a gap between any two
};

}  // namespace rnullfs

#endif  // RNULLFS_BAD_BLOCKS_H_
