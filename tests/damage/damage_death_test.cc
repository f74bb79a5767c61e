// A process that dies between any two stores of what a disk shows, again and again, within one
// request, which comes again each time: in the end all is as on a disk whose process never died.
//
// The program is built with src/damage as builds with kill points have it, and says itself who
// dies.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/kill_point.h"
#include "damage_util.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

// How many points a process still passes; 0: it passes all.
int points_left = 0;
char* died_at = nullptr;  // shared
constexpr size_t kNameBytes = 64;

}  // namespace

void KillPoint(const char* name) {
  if (points_left == 0 || --points_left > 0) return;
  std::strncpy(died_at, name, kNameBytes - 1);
  kill(getpid(), SIGKILL);
}

namespace {

constexpr uint64_t kPages = 4;
constexpr uint64_t kSectors = kPages * kSectorsPerPage;
constexpr uint64_t kBytes = kPages * kPage;

struct Request {
  enum Kind { kWrite, kDiscard, kZero, kRead } kind = kWrite;
  uint64_t offset = 0;
  std::string data;
  std::optional<Harm> harm;

  int Do(Damage& damage) const {
    const Harm* const h = harm ? &*harm : nullptr;
    std::string bytes(data.size(), '?');
    switch (kind) {
      case kWrite:
        return damage.Write(offset, data.size(), data.data(), HarmsOf(h).get());
      case kDiscard:
        return damage.Discard(offset, data.size(), HarmsOf(h).get());
      case kZero:
        return damage.WriteZeroes(offset, data.size(), HarmsOf(h).get());
      case kRead:
        return damage.CopyOutHarmed(offset, data.size(), bytes.data(), Only(*harm));
    }
    return EINVAL;
  }
};

class DamageDeathTest : public testing::Test {
 protected:
  DamageDeathTest()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    died_at = static_cast<char*>(
        mmap(nullptr, kNameBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  }
  ~DamageDeathTest() override { munmap(died_at, kNameBytes); }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // `unit`: of its begin and its length, bytes.
  Request Any(uint64_t unit) {
    Request request;
    if (Below(2) == 0) request.kind = static_cast<Request::Kind>(Below(4));
    const uint64_t begin = Below(kBytes / unit);
    const uint64_t length = 1 + Below(std::min(kBytes / unit - begin, 3 * kPage / unit));
    request.offset = begin * unit;
    const bool writes = request.kind == Request::kWrite;
    request.data.assign(length * unit, writes ? static_cast<char>('a' + Below(3)) : '\0');
    if (request.kind == Request::kRead || Below(3) != 0) request.harm = AnyHarm(request);
    return request;
  }
  Harm AnyHarm(const Request& request) {
    const std::vector<FaultAction> of_writes = {FaultAction::kLost, FaultAction::kTorn,
                                                FaultAction::kCorrupt, FaultAction::kMisdirected};
    FaultAction action = FaultAction::kLost;
    if (request.kind == Request::kWrite) action = of_writes[Below(of_writes.size())];
    // A read that goes astray comes again to what has stayed of it.
    if (request.kind == Request::kRead) action = FaultAction::kCorrupt;
    const std::string rule(1, static_cast<char>('a' + Below(3)));
    Harm harm = HarmTo(action, request.offset, request.data.size(), rule, Below(4));
    if (harm.first == harm.last && action == FaultAction::kTorn) harm.action = FaultAction::kLost;
    harm.op = request.kind == Request::kRead ? kFaultRead : kFaultWrite;
    harm.draw = random_();
    harm.part = static_cast<FaultPart>(Below(3));
    harm.acknowledged = Below(3) != 0;
    harm.shift = static_cast<int64_t>(Below(20)) - 10;
    harm.stored = true;
    harm.disk_sectors = kSectors;
    return harm;
  }

  // A process that does it, or dies.
  void Die(const Request& request, int points) {
    died_at[0] = '\0';
    const pid_t child = fork();
    if (child == 0) {
      points_left = points;
      const int error = request.Do(disk_.damage());
      _exit(error == 0 || error == EIO ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(status == 0 || WIFSIGNALED(status)) << "a request failed";
    if (status != 0) ++died_[died_at];
    way_ += std::string(" ") + died_at;
  }

  void ExpectSame(const Request& request) {
    SCOPED_TRACE(testing::Message() << "kind " << request.kind << " at " << request.offset << " + "
                                    << request.data.size() << ", "
                                    << (request.harm ? NameOf(request.harm->action) : "unharmed")
                                    << ", died at" << way_);
    EXPECT_TRUE(disk_.TruthBytes() == undisturbed_.TruthBytes());
    EXPECT_TRUE(disk_.ShownBytes() == undisturbed_.ShownBytes()) << disk_.Shown() << "\n"
                                                                 << undisturbed_.Shown();
    EXPECT_EQ(disk_.Listed(), undisturbed_.Listed());
    EXPECT_EQ(disk_.sectors(), undisturbed_.sectors());
  }

  // Each with some deaths.
  void Try(uint64_t rounds, uint64_t unit) {
    for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
      const Request request = Any(unit);
      const int error = request.Do(undisturbed_.damage());
      way_ = "";
      for (uint64_t deaths = Below(4); deaths > 0; --deaths) {
        Die(request, 1 + static_cast<int>(Below(30)));
        if (HasFatalFailure()) return;
        disk_.BeKilled();
        SCOPED_TRACE(testing::Message() << "round " << round);
      }
      EXPECT_EQ(request.Do(disk_.damage()), error) << "it comes again";
      ExpectSame(request);
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  LyingDisk disk_{kPages};
  LyingDisk undisturbed_{kPages};
  std::map<std::string, int> died_;  // where, how often
  std::string way_;
};

TEST_F(DamageDeathTest, LeavesWhatTheUndisturbedRequestLeaves) {
  Try(FromEnvironment("RNULLFS_TEST_STEPS", 400), kSectorSize);
  for (const char* const point : {"damage-stored", "damage-erased", "damage-noted", "damage-made",
                                  "damage-misdirected", "damage-entered"}) {
    EXPECT_TRUE(died_.contains(point)) << point;
  }
}

TEST_F(DamageDeathTest, AlsoWherePartsOfSectorsAreWritten) {
  Try(FromEnvironment("RNULLFS_TEST_STEPS", 400), 1);
}

// All that is left is given back with the last of it.
TEST_F(DamageDeathTest, LeavesNoMemoryBehind) {
  const std::string data = Sectors(std::string(kSectors, 'a'));
  const Harm harm = HarmTo(FaultAction::kLost, 0, kBytes);
  const Request lost = {.kind = Request::kWrite, .offset = 0, .data = data, .harm = harm};
  ASSERT_EQ(disk_.Write(0, data), 0);
  ASSERT_EQ(disk_.Write(0, Sectors("b"), &harm), 0) << "the rule's name stays";
  ASSERT_EQ(disk_.Write(0, data), 0);
  const uint64_t before = disk_.memory().used_bytes();
  for (int points = 1; points < 40; ++points) {
    Die({.kind = Request::kWrite,
         .offset = 0,
         .data = Sectors(std::string(kSectors, 'b')),
         .harm = harm},
        points);
    disk_.BeKilled();
    Die({.kind = Request::kWrite, .offset = 0, .data = data, .harm = {}}, points);
    disk_.BeKilled();
    ASSERT_EQ(disk_.Write(0, data), 0);
    ASSERT_EQ(disk_.Listed(), "");
    ASSERT_EQ(disk_.memory().used_bytes(), before) << points << way_;
  }
}

}  // namespace
}  // namespace rnullfs
