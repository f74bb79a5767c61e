// Random requests, harmed or not, against a model that keeps of each sector what it has, what it
// shows, and why.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "damage_util.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPages = 6;
constexpr uint64_t kSectors = kPages * kSectorsPerPage;
constexpr uint64_t kBytes = kPages * kPage;

struct Change {
  uint64_t offset = 0;
  std::string data;
  std::optional<Harm> harm;

  uint64_t first() const { return offset / kSectorSize; }
  uint64_t last() const { return (offset + data.size() - 1) / kSectorSize; }
  // Of what it writes to that sector, where in the sector, and what.
  uint64_t begin(uint64_t sector) const { return std::max(offset, sector * kSectorSize); }
  std::string of(uint64_t sector) const {
    const uint64_t end = std::min(offset + data.size(), (sector + 1) * kSectorSize);
    return data.substr(begin(sector) - offset, end - begin(sector));
  }
};

class Model {
 public:
  // Whether what was there before is known.
  explicit Model(bool remembers) : remembers_(remembers) {}

  struct Sector {
    std::string truth = std::string(kSectorSize, '\0');
    std::string shown = truth;
    std::optional<std::string> was;  // the last that it had, and that was another
    std::string why;                 // empty: it is not damaged
  };

  int Do(const Change& change) {
    const Harm* const harm = change.harm ? &*change.harm : nullptr;
    const bool told = harm != nullptr && harm->action == FaultAction::kTorn && !harm->acknowledged;
    std::vector<Sector> before = sectors_;
    for (uint64_t i = change.first(); i <= change.last(); ++i) {
      if (!told || harm->Arrives(i)) WriteSector(i, change, told ? nullptr : harm);
      const bool heals = !before[i].why.empty() && sectors_[i].why.empty();
      if (heals) before[i].why.clear();
      healed += heals ? 1 : 0;
    }
    if (harm != nullptr && harm->action == FaultAction::kMisdirected) GoAstray(change);
    for (uint64_t i = 0; i < kSectors; ++i) {
      injected += before[i].why.empty() && !sectors_[i].why.empty() ? 1 : 0;
    }
    return told ? EIO : 0;
  }

  std::string Read(uint64_t offset, uint64_t length, const Harm* harm) {
    std::string bytes;
    const std::vector<Sector> before = sectors_;
    for (uint64_t i = offset / kSectorSize; i <= (offset + length - 1) / kSectorSize; ++i) {
      bytes += harm != nullptr ? ReadSector(i, *harm, before) : sectors_[i].shown;
    }
    return bytes.substr(offset % kSectorSize, length);
  }

  void Heal(uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i) Heal(sectors_[i]);
  }
  // The truth changes by another way.
  void ChangeTruth(uint64_t sector, const std::string& truth) {
    if (sectors_[sector].truth == truth) return;
    SetTruth(sectors_[sector], truth);
    Heal(sectors_[sector]);
  }
  void ForgetWhatWas() {
    for (Sector& sector : sectors_) sector.was.reset();
  }

  std::string Shown() const {
    std::string bytes;
    for (const Sector& sector : sectors_) bytes += sector.shown;
    return bytes;
  }
  std::string Truth() const {
    std::string bytes;
    for (const Sector& sector : sectors_) bytes += sector.truth;
    return bytes;
  }
  std::string List() const {
    std::string text;
    for (uint64_t first = 0, last = 0; first < kSectors; first = last + 1) {
      last = first;
      const std::string& why = sectors_[first].why;
      if (why.empty()) continue;
      while (last + 1 < kSectors && sectors_[last + 1].why == why) ++last;
      text += std::to_string(first) + "-" + std::to_string(last) + " " + why + "\n";
    }
    return text;
  }
  uint64_t Count() const {
    uint64_t count = 0;
    for (const Sector& sector : sectors_) count += sector.why.empty() ? 0 : 1;
    return count;
  }
  uint64_t injected = 0;
  uint64_t healed = 0;

 private:
  static std::string WhyOf(const Harm& harm) {
    return std::string(NameOf(harm.action)) + " " + harm.rule + " " + std::to_string(harm.sequence);
  }
  static void Heal(Sector& sector) {
    sector.shown = sector.truth;
    sector.why.clear();
  }
  void SetTruth(Sector& sector, const std::string& truth) const {
    if (remembers_ && sector.truth != truth) sector.was = sector.truth;
    sector.truth = truth;
  }
  static void Corrupt(const Harm& harm, uint64_t i, std::string& bytes) {
    harm.Corrupt(i, *reinterpret_cast<char(*)[kSectorSize]>(bytes.data()));
  }

  void WriteSector(uint64_t i, const Change& change, const Harm* harm) {
    Sector& sector = sectors_[i];
    const std::string data = change.of(i);
    const uint64_t at = change.begin(i) % kSectorSize;
    std::string truth = sector.truth;
    SetTruth(sector, truth.replace(at, data.size(), data));
    const FaultAction action = harm != nullptr ? harm->action : FaultAction::kError;
    const bool corrupts = action == FaultAction::kCorrupt && harm->Concerns(i);
    const bool arrives = action == FaultAction::kError || action == FaultAction::kCorrupt ||
                         (action == FaultAction::kTorn && harm->Arrives(i)) ||
                         (action == FaultAction::kMisdirected && harm->Elsewhere(i) == i);
    if (arrives) sector.shown.replace(at, data.size(), data);
    if (corrupts) sector.shown = sector.truth;
    if (corrupts) Corrupt(*harm, i, sector.shown);
    const bool now = sector.shown != sector.truth;
    if (!now) sector.why.clear();
    if (now && (corrupts || !arrives)) sector.why = WhyOf(*harm);
  }

  void GoAstray(const Change& change) {
    for (uint64_t i = change.first(); i <= change.last(); ++i) {
      const uint64_t other = change.harm->Elsewhere(i);
      const std::string data = change.of(i);
      if (other == i) continue;
      Sector& sector = sectors_[other];
      sector.shown.replace(change.begin(i) % kSectorSize, data.size(), data);
      const bool now = sector.shown != sector.truth;
      sector.why = now ? WhyOf(*change.harm) : "";
    }
  }

  std::string ReadSector(uint64_t i, const Harm& harm, const std::vector<Sector>& before) {
    Sector& sector = sectors_[i];
    std::string bytes = sector.shown;
    if (!harm.Concerns(i) || (harm.stored && !sector.why.empty())) return bytes;
    if (harm.action == FaultAction::kCorrupt) Corrupt(harm, i, bytes);
    if (harm.action == FaultAction::kMisdirected) bytes = before[harm.Elsewhere(i)].shown;
    if (harm.action == FaultAction::kStale && sector.was) bytes = *sector.was;
    if (!harm.stored || bytes == sector.truth) return bytes;
    sector.shown = bytes;
    sector.why = WhyOf(harm);
    ++injected;
    return bytes;
  }

  const bool remembers_;
  std::vector<Sector> sectors_ = std::vector<Sector>(kSectors);
};

// With a past, or without one.
class DamageRandomTest : public testing::TestWithParam<bool> {
 protected:
  DamageRandomTest()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    if (GetParam()) disk_.past().SetHistory(kHistory);
  }
  ~DamageRandomTest() override {
    if (!HasFailure()) return;
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  static constexpr uint64_t kHistory = uint64_t{64} << 20;

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // Where a request lies, in bytes; mostly in whole sectors.
  std::pair<uint64_t, uint64_t> AnyRange() {
    const uint64_t unit = Below(3) == 0 ? 1 : kSectorSize;
    const uint64_t begin = Below(kBytes / unit);
    const uint64_t most = Below(4) == 0 ? kBytes : 10 * kSectorSize;
    const uint64_t length = 1 + Below(std::min(kBytes / unit - begin, most / unit));
    return {begin * unit, length * unit};
  }

  Harm AnyHarm(const std::vector<FaultAction>& actions, std::pair<uint64_t, uint64_t> range) {
    const std::string rule(1, static_cast<char>('a' + Below(3)));
    Harm harm = HarmTo(actions[Below(actions.size())], range.first, range.second, rule, Below(4));
    if (Below(2) == 0) {
      const uint64_t first = Below(kSectors);
      harm.sectors = {{first, first + Below(8)}};
    }
    harm.seed = Below(4);
    harm.draw = random_();
    harm.part = static_cast<FaultPart>(Below(3));
    harm.acknowledged = Below(4) != 0;
    harm.amount = {.bytes = Below(2) == 0, .count = 1 + static_cast<uint32_t>(Below(512))};
    harm.shift = Below(3) == 0 ? 0 : static_cast<int64_t>(Below(20)) - 10;
    harm.stored = Below(2) == 0;
    harm.disk_sectors = kSectors;
    // A sector cannot be torn.
    if (harm.first == harm.last && harm.action == FaultAction::kTorn) {
      harm.action = FaultAction::kLost;
    }
    return harm;
  }

  void ChangeSome() {
    const uint64_t kind = Below(8);  // 0: discard, 1: zeroes, 2: a write through
    const auto range = AnyRange();
    Change change = {.offset = range.first, .data = {}, .harm = {}};
    change.data.assign(range.second, kind < 2 ? '\0' : static_cast<char>('a' + Below(3)));
    if (Below(2) == 0) {
      const std::vector<FaultAction> silent = {FaultAction::kLost, FaultAction::kTorn,
                                               FaultAction::kCorrupt, FaultAction::kMisdirected};
      change.harm =
          AnyHarm(kind < 2 ? std::vector<FaultAction>{FaultAction::kLost} : silent, range);
    }
    const Harm* const harm = change.harm ? &*change.harm : nullptr;
    Damage& damage = disk_.damage();
    const int error =
        kind == 0   ? damage.Discard(range.first, range.second, HarmsOf(harm).get())
        : kind == 1 ? damage.WriteZeroes(range.first, range.second, HarmsOf(harm).get())
        : kind == 2
            ? damage.WriteThrough(range.first, range.second, change.data.data(),
                                  HarmsOf(harm).get())
            : damage.Write(range.first, range.second, change.data.data(), HarmsOf(harm).get());
    ASSERT_EQ(error, model_.Do(change));
  }

  void ReadSome() {
    const auto [offset, length] = AnyRange();
    std::string bytes(length, '?');
    if (Below(2) == 0) {
      ASSERT_EQ(disk_.damage().CopyOut(offset, length, bytes.data()), 0);
      ASSERT_TRUE(bytes == model_.Read(offset, length, nullptr)) << offset << " " << length;
      return;
    }
    Harm harm = AnyHarm({FaultAction::kCorrupt, FaultAction::kMisdirected, FaultAction::kStale},
                        {offset, length});
    harm.op = kFaultRead;
    ASSERT_EQ(disk_.damage().CopyOutHarmed(offset, length, bytes.data(), Only(harm)), 0);
    ASSERT_TRUE(bytes == model_.Read(offset, length, &harm)) << NameOf(harm.action);
  }

  void DoSomethingElse() {
    const uint64_t sector = Below(kSectors);
    switch (Below(4)) {
      case 0:
        disk_.BeKilled();
        break;
      case 1: {
        const uint64_t last = sector + Below(kSectors - sector);
        disk_.damage().Heal(sector, last);
        model_.Heal(sector, last);
        break;
      }
      case 2: {
        // Nothing that it has ever been: what it was in place of is damaged still.
        const std::string truth = std::to_string(++anew_) + std::string(kSectorSize, 'z');
        ASSERT_EQ(disk_.top().Write(sector * kSectorSize, kSectorSize, truth.data()), 0);
        disk_.damage().Settle(Damage::After::kChange);
        model_.ChangeTruth(sector, truth.substr(0, kSectorSize));
        break;
      }
      default:
        if (!GetParam()) break;
        disk_.past().SetHistory(0);
        disk_.past().SetHistory(kHistory);
        model_.ForgetWhatWas();
    }
  }

  void Compare() {
    ASSERT_TRUE(disk_.TruthBytes() == model_.Truth());
    ASSERT_TRUE(disk_.ShownBytes() == model_.Shown());
    ASSERT_EQ(disk_.Listed(), model_.List());
    ASSERT_EQ(disk_.sectors(), model_.Count());
    ASSERT_EQ(disk_.injected(), model_.injected);
    ASSERT_EQ(disk_.healed(), model_.healed);
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  LyingDisk disk_{kPages, GetParam()};
  Model model_{GetParam()};
  uint64_t anew_ = 0;
};

TEST_P(DamageRandomTest, ShowsWhatTheModelSays) {
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_STEPS", Repetitions(8'000));
  for (uint64_t step = 0; step < steps && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(testing::Message() << "seed " << seed_ << ", step " << step);
    const uint64_t kind = Below(16);
    if (kind == 0) {
      DoSomethingElse();
    } else if (kind < 6) {
      ReadSome();
    } else {
      ChangeSome();
    }
    if (!HasFatalFailure()) Compare();
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutAPast, DamageRandomTest, testing::Bool());

}  // namespace
}  // namespace rnullfs
