// What a harm makes of the sectors of a request, which is a function of the seed and of what is
// there.

#include "damage/harm.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>

#include "base/mix.h"

namespace rnullfs {
namespace {

// --- Torn --------------------------------------------------------------------------------------

// "xx..": which sectors arrive.
std::string RowOf(const Harm& harm) {
  std::string row;
  for (uint64_t sector = harm.first; sector <= harm.last; ++sector) {
    row += harm.Arrives(sector) ? 'x' : '.';
  }
  return row;
}

Harm Torn(FaultPart part, uint64_t count, uint64_t draw) {
  return {.action = FaultAction::kTorn,
          .first = 1003,
          .last = 1003 + count - 1,
          .draw = Mix(draw),
          .part = part};
}

TEST(HarmTest, OfATornWriteSomeSectorsArriveAndSomeDoNot) {
  for (const FaultPart part : {FaultPart::kFirst, FaultPart::kLast, FaultPart::kRandom}) {
    for (uint64_t count = 2; count < 40; ++count) {
      for (uint64_t draw = 0; draw < 100; ++draw) {
        const Harm harm = Torn(part, count, draw);
        const std::string row = RowOf(harm);
        const auto arriving = static_cast<uint64_t>(std::count(row.begin(), row.end(), 'x'));
        ASSERT_EQ(harm.ArrivingCount(), arriving) << row;
        ASSERT_GE(arriving, 1U) << row;
        ASSERT_LT(arriving, count) << row;
        ASSERT_EQ(RowOf(harm), row);
        if (part == FaultPart::kRandom) continue;
        const std::string some(arriving, 'x');
        const std::string others(count - arriving, '.');
        ASSERT_EQ(row, part == FaultPart::kFirst ? some + others : others + some);
      }
    }
  }
}

TEST(HarmTest, ATornWriteIsTornInAnyWay) {
  const auto ways = [](FaultPart part) {
    std::set<std::string> rows;
    for (uint64_t draw = 0; draw < 1000; ++draw) rows.insert(RowOf(Torn(part, 4, draw)));
    return rows.size();
  };
  EXPECT_EQ(ways(FaultPart::kFirst), 3U);
  EXPECT_EQ(ways(FaultPart::kLast), 3U);
  EXPECT_EQ(ways(FaultPart::kRandom), 14U) << "but for all and none";
}

// --- Corrupt -----------------------------------------------------------------------------------

struct Sector {
  char bytes[kSectorSize];
  explicit Sector(char letter) { std::memset(bytes, letter, sizeof bytes); }
  bool operator==(const Sector& other) const {
    return std::memcmp(bytes, other.bytes, sizeof bytes) == 0;
  }
};

Sector Corrupted(Sector is, uint64_t seed, uint64_t sector, FaultAmount amount) {
  const Harm harm = {.action = FaultAction::kCorrupt, .seed = seed, .amount = amount};
  harm.Corrupt(sector, is.bytes);
  return is;
}

uint32_t BitsThatDiffer(const Sector& a, const Sector& b) {
  uint32_t count = 0;
  for (uint64_t i = 0; i < kSectorSize; ++i) {
    count += std::popcount(static_cast<unsigned char>(a.bytes[i] ^ b.bytes[i]));
  }
  return count;
}

uint32_t BytesThatDiffer(const Sector& a, const Sector& b) {
  uint32_t count = 0;
  for (uint64_t i = 0; i < kSectorSize; ++i) count += a.bytes[i] != b.bytes[i] ? 1 : 0;
  return count;
}

TEST(HarmTest, CorruptsExactlySoMuch) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Sector was(static_cast<char>(seed));
    for (const uint32_t bits : {1U, 2U, 3U, 100U, 4096U}) {
      EXPECT_EQ(BitsThatDiffer(was, Corrupted(was, seed, 9, {.count = bits})), bits);
    }
    for (const uint32_t bytes : {1U, 2U, 16U, 511U, 512U}) {
      EXPECT_EQ(BytesThatDiffer(was, Corrupted(was, seed, 9, {.bytes = true, .count = bytes})),
                bytes);
    }
  }
}

TEST(HarmTest, CorruptsBySeedPlaceAndContentsAndNothingElse) {
  const FaultAmount amount = {.count = 3};
  const Sector was('a');
  Sector other('a');
  other.bytes[511] = 'b';
  const Sector is = Corrupted(was, 1, 9, amount);
  EXPECT_EQ(Corrupted(was, 1, 9, amount), is) << "who tries again sees the same";
  EXPECT_FALSE(Corrupted(was, 2, 9, amount) == is);
  EXPECT_FALSE(Corrupted(was, 1, 10, amount) == is);
  Sector of_other = Corrupted(other, 1, 9, amount);
  EXPECT_EQ(BitsThatDiffer(other, of_other), 3U);
  EXPECT_GT(BitsThatDiffer(is, of_other), 2U) << "not the same places";
  Sector by_another = was;
  const Harm another = {.op = kFaultWrite,
                        .first = 5,
                        .last = 50,
                        .sequence = 7,
                        .seed = 1,
                        .draw = 8,
                        .amount = amount};
  another.Corrupt(9, by_another.bytes);
  EXPECT_EQ(by_another, is) << "whatever the request";
}

// --- Misdirected -------------------------------------------------------------------------------

uint64_t Elsewhere(int64_t shift, uint64_t sector, uint64_t disk_sectors = 2048) {
  const Harm harm = {.action = FaultAction::kMisdirected,
                     .op = kFaultWrite,
                     .shift = shift,
                     .disk_sectors = disk_sectors};
  return harm.Elsewhere(sector);
}

TEST(HarmTest, AShiftGoesRoundTheEndOfTheDisk) {
  EXPECT_EQ(Elsewhere(1, 7), 8U);
  EXPECT_EQ(Elsewhere(-1, 7), 6U);
  EXPECT_EQ(Elsewhere(1, 2047), 0U);
  EXPECT_EQ(Elsewhere(-8, 7), 2047U);
  EXPECT_EQ(Elsewhere(2048 + 3, 7), 10U);
  EXPECT_EQ(Elsewhere(-2048 - 3, 7), 4U);
  EXPECT_EQ(Elsewhere(2048, 7), 7U) << "once around is nowhere else";
  EXPECT_EQ(Elsewhere(-2048, 7), 7U);
  EXPECT_EQ(Elsewhere(INT32_MIN, 7), 7U);
  EXPECT_EQ(Elsewhere(INT32_MAX, 7), 6U);
}

TEST(HarmTest, ChanceGoesAstrayByWholePages) {
  std::set<uint64_t> places;
  for (uint64_t i = 0; i < 3000; ++i) {
    const Harm harm = {.op = kFaultWrite, .seed = 1, .draw = Mix(i), .disk_sectors = 2048};
    const uint64_t sector = i % 2048;
    const uint64_t other = harm.Elsewhere(sector);
    ASSERT_LT(other, 2048U);
    ASSERT_EQ(other % kSectorsPerPage, sector % kSectorsPerPage);
    ASSERT_NE(other, sector);
    const uint64_t away = (other + 2048 - sector) % 2048;
    ASSERT_EQ(harm.Elsewhere((sector + 5) % 2048), (sector + 5 + away) % 2048) << "all together";
    places.insert(away);
  }
  EXPECT_EQ(places.size(), 255U);
}

TEST(HarmTest, AReadThatIsTriedAgainGoesAstrayAlike) {
  Harm read = {.op = kFaultRead, .seed = 1, .draw = 2, .disk_sectors = 2048};
  const uint64_t other = read.Elsewhere(9);
  read.draw = 3;
  EXPECT_EQ(read.Elsewhere(9), other);
  read.seed = 2;
  EXPECT_NE(read.Elsewhere(9), other);
}

TEST(HarmTest, OnADiskOfOnePageThereIsNowhereElse) {
  const Harm harm = {.op = kFaultWrite, .draw = 77, .disk_sectors = 8};
  EXPECT_EQ(harm.Elsewhere(3), 3U);
}

TEST(HarmTest, ConcernsTheSectorsOfItsRule) {
  Harm harm;
  EXPECT_TRUE(harm.Concerns(0));
  EXPECT_TRUE(harm.Concerns(UINT64_MAX));
  harm.sectors = {{8, 15}, {20, 20}};
  std::string row;
  for (uint64_t sector = 6; sector < 22; ++sector) row += harm.Concerns(sector) ? 'x' : '.';
  EXPECT_EQ(row, "..xxxxxxxx....x.");
}

}  // namespace
}  // namespace rnullfs
