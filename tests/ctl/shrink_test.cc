// What of a set is needed, against all of its subsets.

#include "ctl/shrink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "base/mix.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

using Items = std::vector<uint64_t>;

Items Numbers(uint64_t count) {
  Items items(count);
  std::iota(items.begin(), items.end(), 0);
  return items;
}

bool HasAll(const Items& items, const Items& needed) {
  return std::all_of(needed.begin(), needed.end(), [&](uint64_t each) {
    return std::find(items.begin(), items.end(), each) != items.end();
  });
}

// Whether `part` is what is left of `items` in their order.
bool IsPartOf(const Items& part, const Items& items) {
  auto at = items.begin();
  for (const uint64_t each : part) {
    at = std::find(at, items.end(), each);
    if (at++ == items.end()) return false;
  }
  return true;
}

template <typename Happens>
void ExpectNoneCanBeLeftOut(const Items& items, const Happens& happens) {
  EXPECT_TRUE(happens(items));
  for (size_t i = 0; i < items.size(); ++i) {
    Items rest = items;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(happens(rest)) << "without " << items[i];
  }
}

Items RandomItems(std::mt19937_64& random) {
  Items items = Numbers(random() % 13);
  for (uint64_t& each : items) each = 1000 - 3 * each;
  std::shuffle(items.begin(), items.end(), random);
  return items;
}

// It happens when all of one of these are there.
TEST(Shrink, FindsOneOfTheSmallest) {
  std::mt19937_64 random(FromEnvironment("RNULLFS_TEST_SEED", 1));
  for (uint64_t i = 0; i < Repetitions(2000); ++i) {
    const Items items = RandomItems(random);
    std::vector<Items> causes(1 + random() % 3);
    for (Items& cause : causes) {
      for (const uint64_t each : items) {
        if (random() % 4 == 0) cause.push_back(each);
      }
    }
    const auto happens = [&](const Items& some) {
      return std::any_of(causes.begin(), causes.end(),
                         [&](const Items& cause) { return HasAll(some, cause); });
    };
    const Items found = Shrink(items, happens);
    ExpectNoneCanBeLeftOut(found, happens);
    EXPECT_TRUE(IsPartOf(found, items));
    EXPECT_THAT(causes, testing::Contains(found)) << "so it has no part that does it";
    ASSERT_FALSE(HasFailure()) << i;
  }
}

// Where it happens with some and not with more.
TEST(Shrink, NoneCanBeLeftOutWhateverItIs) {
  std::mt19937_64 random(FromEnvironment("RNULLFS_TEST_SEED", 1));
  for (uint64_t i = 0; i < Repetitions(2000); ++i) {
    const Items items = RandomItems(random);
    const uint64_t seed = random();
    const auto happens = [&](const Items& some) {
      uint64_t sum = seed;
      for (const uint64_t each : some) sum += Mix(each);
      return some.size() == items.size() || Mix(sum) % 3 == 0;
    };
    const Items found = Shrink(items, happens);
    ExpectNoneCanBeLeftOut(found, happens);
    EXPECT_TRUE(IsPartOf(found, items));
    ASSERT_FALSE(HasFailure()) << i;
  }
}

TEST(Shrink, NothingIsEnough) {
  for (uint64_t count = 0; count < 20; ++count) {
    EXPECT_THAT(Shrink(Numbers(count), [](const Items&) { return true; }), ElementsAre()) << count;
  }
}

TEST(Shrink, AllAreNeeded) {
  for (uint64_t count = 0; count < 20; ++count) {
    const auto happens = [count](const Items& some) { return some.size() == count; };
    EXPECT_THAT(Shrink(Numbers(count), happens), ElementsAreArray(Numbers(count)));
  }
}

TEST(Shrink, FindsTheOneOfManyWithFewQuestions) {
  for (const uint64_t needed : {0, 1, 511, 512, 1022, 1023}) {
    size_t asked = 0;
    const auto happens = [&](const Items& some) {
      ++asked;
      return HasAll(some, {needed});
    };
    EXPECT_THAT(Shrink(Numbers(1024), happens), ElementsAre(needed));
    EXPECT_LE(asked, 64U) << needed;
  }
}

// It asks for a part of what it has, and never the same set twice in a row.
TEST(Shrink, OutOfPatienceItKeepsTheLastWithWhichItHappened) {
  const Items items = Numbers(40);
  const Items needed = {3, 17, 18, 36};
  for (size_t patience = 0; patience < 100; ++patience) {
    size_t asked = 0;
    Items last = items;
    const auto happens = [&](const Items& some) {
      EXPECT_LT(some.size(), last.size());
      EXPECT_TRUE(IsPartOf(some, last));
      if (++asked > patience || !HasAll(some, needed)) return false;
      last = some;
      return true;
    };
    EXPECT_EQ(Shrink(items, happens), last);
    EXPECT_LE(asked, patience + 3 * items.size());
  }
}

}  // namespace
}  // namespace rnullfs
