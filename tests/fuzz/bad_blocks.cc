// Any texts, written one after the other to a set of bad sectors.  A ';' is between two.
//
// A text is taken as a whole, or refused and nothing changes; what it makes is a set in order, in
// no more entries than there may be, and is made again by its commands.

#include "rnullfs/bad_blocks.h"

#include <cerrno>
#include <optional>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Range = BadBlocks::Range;

// In order, and with a gap between any two if `apart`.
void RequireInOrder(const std::vector<Range>& ranges, bool apart) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    Require(ranges[i].first <= ranges[i].last, "a range has a sector");
    Require(ranges[i].last <= BadBlocks::kSectorMax, "no sector is past the largest");
    if (i == 0) continue;
    const uint64_t least = ranges[i - 1].last + (apart ? 2 : 1);
    Require(ranges[i].first >= least, "ranges are in order and those that touch are one");
  }
}

void RequireEntries(const BadBlocks& bad_blocks) {
  const std::vector<Range> entries = bad_blocks.Entries();
  RequireInOrder(entries, false);
  Require(entries.size() <= BadBlocks::kEntriesMax, "there are no more entries than there may be");
  Require(entries.empty() == bad_blocks.empty(), "a set that has entries is not empty");
  uint64_t sectors = 0;
  for (const Range& entry : entries) {
    Require(entry.sectors() <= BadBlocks::kEntrySectorsMax, "no entry is too long");
    Require(bad_blocks.FindEntry({entry.first, BadBlocks::kSectorMax}) == entry &&
                bad_blocks.FindEntry({entry.last, entry.last}) == entry,
            "an entry is found at either end");
    sectors += entry.sectors();
  }
  for (const Range& range : bad_blocks.ranges()) sectors -= range.sectors();
  Require(sectors == 0, "entries and ranges have the same sectors");
}

void RequireMadeAgain(const BadBlocks& bad_blocks) {
  BadBlocks again;
  Require(bad_blocks.empty() || again.Edit(bad_blocks.Commands()).ok(), "its commands are taken");
  Require(again == bad_blocks, "its commands make the same set");
  Require(again.Show() == bad_blocks.Show(), "which shows the same");
}

// Of the lines that name a sector the last one decides.  (On its way, the same text may need more
// entries than it did the first time.)
void RequireRepeats(const BadBlocks& bad_blocks, std::string_view text) {
  BadBlocks again = bad_blocks;
  Require(!again.Edit(text).ok() || again == bad_blocks, "the same text again changes nothing");
}

void Write(BadBlocks& bad_blocks, std::string_view text) {
  const BadBlocks before = bad_blocks;
  const absl::Status status = bad_blocks.Edit(text);
  if (!status.ok()) {
    RequireRefusal(status, ErrnoOf(status) == ENOSPC ? ENOSPC : EINVAL);
    Require(bad_blocks == before, "a refusal changes nothing");
    return;
  }
  RequireInOrder(bad_blocks.ranges(), true);
  RequireEntries(bad_blocks);
  RequireMadeAgain(bad_blocks);
  RequireRepeats(bad_blocks, text);
}

}  // namespace
}  // namespace rnullfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  rnullfs::BadBlocks bad_blocks;
  std::string_view rest = rnullfs::AsText(data, size);
  for (;;) {
    const size_t end = rest.find(';');
    rnullfs::Write(bad_blocks, rest.substr(0, end));
    if (end == std::string_view::npos) return 0;
    rest.remove_prefix(end + 1);
  }
}
