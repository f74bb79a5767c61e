// Bad blocks against a plain model: a flag for each sector of a small disk.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rnullfs/bad_blocks.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Range = BadBlocks::Range;

constexpr uint64_t kSectors = 4096;

class Model {
 public:
  // False, and nothing changed, when there would be too many entries.
  bool Set(Range range, bool bad) {
    const std::vector<bool> before = bad_;
    for (uint64_t sector = range.first; sector <= range.last; ++sector) bad_[sector] = bad;
    if (Entries().size() <= 512) return true;
    bad_ = before;
    return false;
  }

  std::vector<Range> Ranges() const {
    std::vector<Range> ranges;
    for (uint64_t sector = 0; sector < kSectors; ++sector) {
      if (!bad_[sector]) continue;
      if (sector > 0 && bad_[sector - 1]) {
        ranges.back().last = sector;
      } else {
        ranges.push_back({sector, sector});
      }
    }
    return ranges;
  }

  std::vector<Range> Entries() const {
    std::vector<Range> entries;
    for (const Range& range : Ranges()) {
      for (uint64_t sector = range.first; sector <= range.last; ++sector) {
        if ((sector - range.first) % 512 == 0) entries.push_back({sector, sector});
        entries.back().last = sector;
      }
    }
    return entries;
  }

 private:
  std::vector<bool> bad_ = std::vector<bool>(kSectors);
};

// Mostly short, so that there are many; now and then long.
Range RandomRange(std::mt19937_64& random) {
  const uint64_t first = random() % kSectors;
  const uint64_t sectors = random() % 400 == 0 ? random() % 2500 : random() % 3;
  return {first, std::min(first + sectors, kSectors - 1)};
}

std::optional<Range> FirstTouched(const std::vector<Range>& entries, Range range) {
  for (const Range& entry : entries) {
    if (entry.first <= range.last && range.first <= entry.last) return entry;
  }
  return std::nullopt;
}

void ExpectSame(const BadBlocks& bad_blocks, const Model& model, std::mt19937_64& random) {
  const std::vector<Range> entries = model.Entries();
  ASSERT_EQ(bad_blocks.ranges(), model.Ranges());
  ASSERT_EQ(bad_blocks.Entries(), entries);
  ASSERT_EQ(bad_blocks.empty(), entries.empty());
  std::string shown;
  for (const Range& entry : entries) {
    absl::StrAppend(&shown, entry.first, " ", entry.last - entry.first + 1, "\n");
  }
  ASSERT_EQ(bad_blocks.Show(), shown);
  for (int i = 0; i < 20; ++i) {
    const Range range = RandomRange(random);
    ASSERT_EQ(bad_blocks.FindEntry(range), FirstTouched(entries, range));
  }
}

TEST(BadBlocks, DoWhatAFlagForEachSectorDoes) {
  std::mt19937_64 random(1);  // NOLINT: the same values each time
  BadBlocks bad_blocks;
  Model model;
  int refused = 0;
  uint64_t longest = 0;
  for (int step = 0; step < 8000 && !testing::Test::HasFatalFailure(); ++step) {
    const Range range = RandomRange(random);
    const bool mark = random() % 16 < 9;  // more, so that the limit is met
    const bool fits = model.Set(range, mark);
    if (random() % 2 == 0) {
      ASSERT_EQ(mark ? bad_blocks.Mark(range) : bad_blocks.Clear(range), fits) << step;
    } else {
      const std::string text = absl::StrCat(mark ? "+" : "-", range.first, "-", range.last);
      ASSERT_EQ(ErrnoOf(bad_blocks.Edit(text)), fits ? 0 : ENOSPC) << step;
    }
    refused += fits ? 0 : 1;
    if (step % 8 != 0) continue;  // it takes longer than all the rest
    for (const Range& there : bad_blocks.ranges()) longest = std::max(longest, there.sectors());
    ExpectSame(bad_blocks, model, random);
  }
  EXPECT_GT(refused, 20) << "the limit is met";
  EXPECT_GT(longest, 1024) << "and so are ranges of several entries";
}

}  // namespace
}  // namespace rnullfs
