#include "device/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace rnullfs {
namespace {

class StoppedClock : public Clock {
 public:
  explicit StoppedClock(int64_t now_nsec) : now_nsec_(now_nsec) {}
  int64_t NowNsec() const override { return now_nsec_; }

 private:
  const int64_t now_nsec_;
};

const StoppedClock kClock(77);

std::vector<uint64_t> Draw(Random& random, int count, uint64_t bound) {
  std::vector<uint64_t> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(random.Below(bound));
  return numbers;
}

std::vector<uint64_t> SeriesOf(uint64_t seed, int count, uint64_t bound) {
  DeviceCounters counters;
  RandomState& state = counters.random;
  Random random(state);
  random.Start(seed, kClock);
  return Draw(random, count, bound);
}

TEST(Random, IsSplitMix64) {
  // What the generator's authors publish for this seed; the upper half, by the bound of 2^32.
  const uint64_t published[] = {6457827717110365317, 3203168211198807973, 9817491932198370423U,
                                4593380528125082431, 16408922859458223821U};
  std::vector<uint64_t> expected;
  for (const uint64_t bits : published) expected.push_back(bits >> 32);
  EXPECT_EQ(SeriesOf(1234567, 5, uint64_t{1} << 32), expected);
}

TEST(Random, ScalesToTheBound) {
  EXPECT_EQ(SeriesOf(42, 10, 100), (std::vector<uint64_t>{74, 15, 27, 34, 3, 86, 21, 80, 33, 61}));
  EXPECT_EQ(SeriesOf(42, 10, 10), (std::vector<uint64_t>{7, 1, 2, 3, 0, 8, 2, 8, 3, 6}));
  EXPECT_EQ(SeriesOf(42, 10, 1), std::vector<uint64_t>(10, 0));
  // As wide as it goes: one less than the published number, as (2^64 - 1) / 2^64 of it is.
  EXPECT_EQ(SeriesOf(1234567, 1, UINT64_MAX), std::vector<uint64_t>{6457827717110365316});
}

TEST(Random, IsEvenlySpread) {
  std::vector<int> seen(100);
  for (const uint64_t number : SeriesOf(5, 100'000, 100)) ++seen.at(number);
  const auto [least, most] = std::minmax_element(seen.begin(), seen.end());
  EXPECT_GT(*least, 850);  // 1000, less or more five times the deviation
  EXPECT_LT(*most, 1150);
}

TEST(Random, RepeatsFromItsSeedAlone) {
  EXPECT_EQ(SeriesOf(9, 50, 1000), SeriesOf(9, 50, 1000));
  EXPECT_NE(SeriesOf(9, 50, 1000), SeriesOf(10, 50, 1000));
}

TEST(Random, StartBeginsAgain) {
  DeviceCounters counters;
  RandomState& state = counters.random;
  Random random(state);
  random.Start(9, kClock);
  const std::vector<uint64_t> first = Draw(random, 20, 1000);
  EXPECT_NE(Draw(random, 20, 1000), first);
  EXPECT_EQ(state.drawn, 40);
  random.Start(9, kClock);
  EXPECT_EQ(state.drawn, 0);
  EXPECT_EQ(Draw(random, 20, 1000), first);
}

TEST(Random, TakesASeedFromTheClockWhereThereIsNone) {
  const struct {
    uint64_t seed;
    int64_t now_nsec;
    uint64_t in_use;
  } cases[] = {
      {5, 77, 5}, {UINT64_MAX, 77, UINT64_MAX}, {0, 77, 77}, {0, INT64_MAX, INT64_MAX}, {0, 0, 1}};
  for (const auto& [seed, now_nsec, in_use] : cases) {
    DeviceCounters counters;
    RandomState& state = counters.random;
    Random(state).Start(seed, StoppedClock(now_nsec));
    EXPECT_EQ(state.seed, in_use) << seed << " at " << now_nsec;
  }
}

TEST(Random, GoesOnInTheNextProcess) {
  DeviceCounters counters;
  RandomState& state = counters.random;
  Random(state).Start(9, kClock);
  std::vector<uint64_t> numbers;
  for (int process = 0; process < 20; ++process) numbers.push_back(Random(state).Below(1000));
  EXPECT_EQ(numbers, SeriesOf(9, 20, 1000));
}

TEST(Random, DrawsEachNumberOnceFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kDraws = 5000;
  DeviceCounters counters;
  RandomState& state = counters.random;
  Random random(state);
  random.Start(3, kClock);
  std::vector<std::vector<uint64_t>> drawn(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : drawn) {
    threads.emplace_back([&] { mine = Draw(random, kDraws, UINT64_MAX); });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<uint64_t> all;
  for (const auto& mine : drawn) all.insert(all.end(), mine.begin(), mine.end());
  std::vector<uint64_t> expected = SeriesOf(3, kThreads * kDraws, UINT64_MAX);
  std::sort(all.begin(), all.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(all, expected);
}

}  // namespace
}  // namespace rnullfs
