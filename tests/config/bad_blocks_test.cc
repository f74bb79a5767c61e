#include "rnullfs/bad_blocks.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "config/status_matchers.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Range = BadBlocks::Range;

constexpr std::string_view kAccepts =
    " is not accepted; it takes +FIRST-LAST to mark 512-byte sectors as bad, -FIRST-LAST to clear "
    "them, or lines of these";

BadBlocks Of(std::string_view text) {
  BadBlocks bad_blocks;
  EXPECT_TRUE(bad_blocks.Edit(text).ok()) << text;
  return bad_blocks;
}

// `count` entries of a sector each, with a gap of one behind each: 0, 2, 4, ...
BadBlocks EverySecond(uint64_t count) {
  BadBlocks bad_blocks;
  for (uint64_t i = 0; i < count; ++i) EXPECT_TRUE(bad_blocks.Mark({2 * i, 2 * i}));
  return bad_blocks;
}

TEST(BadBlocks, ShowWhatAWriteMakesOfNone) {
  const struct {
    std::string_view text;
    std::string_view shown;
  } cases[] = {
      {"+8-15", "8 8\n"},
      {"+0-0", "0 1\n"},
      {"-8-15", ""},
      {"+18014398509481983-18014398509481983", "18014398509481983 1\n"},
      // Hexadecimal, and zeros that mean nothing.
      {"+0x8-0XF", "8 8\n"},
      {"+010-0000000000000000000000015", "10 6\n"},
      // Any white space around each, the order does not matter.
      {" \t\n\v\f\r+8-15 \t\n\v\f\r", "8 8\n"},
      {"+8-15 +0-1\n\n+4-4\t+20-20\n", "0 2\n4 1\n8 8\n20 1\n"},
      // Ranges that touch or overlap are one, those with a sector between them are not.
      {"+8-15\n+16-23", "8 16\n"},
      {"+16-23\n+8-15", "8 16\n"},
      {"+8-15\n+17-23", "8 8\n17 7\n"},
      {"+8-15\n+12-23", "8 16\n"},
      {"+8-23\n+10-12", "8 16\n"},
      {"+10-12\n+8-23", "8 16\n"},
      {"+0-0\n+2-2\n+1-1", "0 3\n"},
      {"+0-0\n+4-4\n+8-8\n+12-12\n+3-9", "0 1\n3 7\n12 1\n"},
      // A clear cuts off, cuts through, takes away.
      {"+8-15\n-0-8", "9 7\n"},
      {"+8-15\n-15-99", "8 7\n"},
      {"+8-15\n-10-11", "8 2\n12 4\n"},
      {"+8-15\n-0-7\n-16-99", "8 8\n"},
      {"+8-15\n-8-15", ""},
      {"+0-0\n+4-7\n+12-15\n+20-20\n-5-12", "0 1\n4 1\n13 3\n20 1\n"},
      {"+0-15\n-0-15\n+4-4", "4 1\n"},
      // An entry has 512 sectors at most, the first where its range begins.
      {"+1-512", "1 512\n"},
      {"+1-513", "1 512\n513 1\n"},
      {"+5-1100", "5 512\n517 512\n1029 72\n"},
      {"+512-1023\n+0-511", "0 512\n512 512\n"},
      {"+1-512\n+0-0", "0 512\n512 1\n"},
      {"+0-1535\n-512-1023", "0 512\n1024 512\n"},
      {"+0-1023\n-0-0", "1 512\n513 511\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(Of(c.text).Show(), c.shown) << c.text;
}

TEST(BadBlocks, RefuseWhatIsNoListOfRanges) {
  for (const std::string_view word : {"8-15",
                                      "8",
                                      "+",
                                      "-",
                                      "+8",
                                      "-8",
                                      "+8-",
                                      "+-15",
                                      "+-",
                                      "--",
                                      "+++8-15",
                                      "+8--15",
                                      "+8-++15",
                                      "+8-15-20",
                                      "+0x-1",
                                      "+0x8-15x",
                                      "+8-f",
                                      "+8..15",
                                      "+8-15,+20-23",
                                      "x+8-15",
                                      "*8-15",
                                      "+1.0-2",
                                      "+8-18446744073709551616",
                                      "+18446744073709551616-18446744073709551617",
                                      "+0x0-0x10000000000000000"}) {
    BadBlocks bad_blocks;
    EXPECT_THAT(bad_blocks.Edit(word), EinvalWith(kAccepts)) << word;
    EXPECT_TRUE(bad_blocks.empty()) << word;
  }
}

TEST(BadBlocks, RefuseWithASentence) {
  const struct {
    std::string_view text;
    std::string sentence;
  } cases[] = {
      {"", absl::StrCat("\"\"", std::string(kAccepts))},
      {" \n", absl::StrCat("\"\"", std::string(kAccepts))},
      {"+8-15 20-23 +x", absl::StrCat("20-23", std::string(kAccepts))},
      {"+ 8-15", absl::StrCat("+", std::string(kAccepts))},
      {std::string_view("+8-15\0", 6), absl::StrCat("\"+8-15\\x00\"", std::string(kAccepts))},
      {"+15-8", "+15-8 is not accepted; its first sector is past its last"},
      {"-0x1-0", "-0x1-0 is not accepted; its first sector is past its last"},
      {"+8-18014398509481984",
       "+8-18014398509481984 is not accepted; the largest sector is 18014398509481983"},
      {"-18446744073709551615-18446744073709551615",
       "\"-18446744073709551615-184467440737095516...\" is not accepted; the largest sector is "
       "18014398509481983"},
  };
  for (const auto& c : cases) {
    BadBlocks bad_blocks;
    EXPECT_THAT(bad_blocks.Edit(c.text), Einval(absl::StrCat("badblocks: ", c.sentence)));
  }
}

TEST(BadBlocks, ChangeAllOrNothing) {
  const BadBlocks before = Of("+8-15\n+100-100");
  for (const std::string_view text :
       {"", "+0-0\n+9-8", "+0-0\n-8-15\nx", "x\n+0-0", "-0-99\n+0-18014398509481984",
        "-0-200\n+0-18014398509481983", "+0-262143\n+262145-262145\n-0-300000"}) {
    BadBlocks bad_blocks = before;
    EXPECT_FALSE(bad_blocks.Edit(text).ok()) << text;
    EXPECT_EQ(bad_blocks, before) << text;
  }
}

TEST(BadBlocks, HaveNoMoreEntriesThanTheKernels) {
  const BadBlocks full = EverySecond(512);
  const BadBlocks one_range = Of("+0-262143");
  ASSERT_EQ(full.Entries().size(), 512);
  ASSERT_EQ(one_range.Entries().size(), 512);
  const struct {
    const BadBlocks& before;
    std::string_view text;
    std::optional<size_t> entries;  // none: refused
  } cases[] = {
      {full, "+1024-1024", std::nullopt},
      {full, "+1024-1024\n-0-0",
       std::nullopt},  // in this order, though there would be room in the end
      {full, "-0-0\n+1024-1024", 512},
      {full, "+1023-1023", 512},
      {full, "+1-1\n+1024-1024", 512},
      {full, "+0-1022", 2},
      {full, "-0-1022", 0},
      {one_range, "+262144-262144", std::nullopt},
      {one_range, "+0-18014398509481983", std::nullopt},
      {one_range, "-1-1", std::nullopt},  // more entries by clearing
      {one_range, "-512-512", 512},
      {one_range, "-512-1023", 511},
      {one_range, "-262143-262143\n+0-0", 512},
  };
  for (const auto& c : cases) {
    BadBlocks bad_blocks = c.before;
    const absl::Status status = bad_blocks.Edit(c.text);
    EXPECT_EQ(ErrnoOf(status), c.entries.has_value() ? 0 : ENOSPC) << c.text;
    if (c.entries.has_value()) {
      EXPECT_EQ(bad_blocks.Entries().size(), *c.entries) << c.text;
    } else {
      EXPECT_EQ(bad_blocks, c.before) << c.text;
    }
  }
}

TEST(BadBlocks, SayHowManyEntriesThereMayBe) {
  BadBlocks bad_blocks;
  EXPECT_EQ(std::string(bad_blocks.Edit("+0-262144").message()),
            "badblocks: there may be 512 entries, of at most 512 sectors each, and +0-262144 would "
            "make more; clear some, or mark less");
}

TEST(BadBlocks, MarkAndClearSayWhenThereAreTooMany) {
  BadBlocks full = EverySecond(511);
  const BadBlocks before = full;
  EXPECT_FALSE(full.Mark({2000, 2512}));
  EXPECT_EQ(full, before);
  EXPECT_TRUE(full.Mark({2000, 2511}));
  const BadBlocks most = full;
  EXPECT_FALSE(full.Clear({2100, 2100}));
  EXPECT_EQ(full, most);
  EXPECT_TRUE(full.Clear({2000, 2000}));
}

TEST(BadBlocks, FindTheFirstEntryOfThoseTouched) {
  const BadBlocks bad_blocks = Of("+8-15\n+20-20\n+1000-2100\n+18014398509481983-0x3fffffffffffff");
  constexpr uint64_t kMax = BadBlocks::kSectorMax;
  const struct {
    Range range;
    std::optional<Range> entry;
  } cases[] = {
      {{0, 7}, std::nullopt},
      {{0, 8}, Range{8, 15}},
      {{15, 15}, Range{8, 15}},
      {{15, 20}, Range{8, 15}},
      {{0, kMax}, Range{8, 15}},
      {{16, 19}, std::nullopt},
      {{16, 20}, Range{20, 20}},
      {{21, 999}, std::nullopt},
      // The entries of a range longer than one.
      {{21, 1000}, Range{1000, 1511}},
      {{1511, 1512}, Range{1000, 1511}},
      {{1512, 1512}, Range{1512, 2023}},
      {{2023, 5000}, Range{1512, 2023}},
      {{2024, 5000}, Range{2024, 2100}},
      {{2100, 2100}, Range{2024, 2100}},
      {{2101, kMax - 1}, std::nullopt},
      {{kMax, kMax}, Range{kMax, kMax}},
      {{kMax + 1, UINT64_MAX}, std::nullopt},
  };
  for (const auto& [range, entry] : cases) {
    EXPECT_EQ(bad_blocks.FindEntry(range), entry) << range.first << '-' << range.last;
    EXPECT_EQ(BadBlocks().FindEntry(range), std::nullopt);
  }
}

TEST(BadBlocks, AreMadeAgainByTheirCommands) {
  EXPECT_EQ(BadBlocks().Commands(), "");
  EXPECT_EQ(Of("+20-1999\n+8-15").Commands(), "+8-15\n+20-1999");
  const BadBlocks full = EverySecond(512);
  EXPECT_EQ(Of(full.Commands()), full);
}

}  // namespace
}  // namespace rnullfs
