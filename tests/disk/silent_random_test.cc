// Random requests, rules, heals and power cuts of a disk, against a model of its sectors.
//
// Of a sector the model has the truth and what is shown; of both, what the last true flush has
// covered; and which truth others have promised since.  A cut that keeps nothing leaves these.  The
// program remembers a note for each sector (docs/decisions.md): where that is not enough, what is
// shown after a cut is taken as it is, and has to be in the list if it is not the truth.
//
// Not here: `torn random`, what reads bring, cuts that keep a part, a history that forgets.  Other
// seeds than the first are for who gives them.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../from_environment.h"
#include "silent_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kSectors = kMiB / kSectorSize;

class Sectors {
 public:
  std::string_view At(uint64_t i) const { return {&bytes[i * kSectorSize], kSectorSize}; }
  void Put(uint64_t i, std::string_view to) { bytes.replace(i * kSectorSize, kSectorSize, to); }
  uint64_t CountOther(const Sectors& than) const {
    uint64_t count = 0;
    for (uint64_t i = 0; i < kSectors; ++i) count += At(i) != than.At(i) ? 1 : 0;
    return count;
  }

  std::string bytes = std::string(kMiB, '\0');
};

// What has been done to a request.
struct Verdict {
  int error = 0;
  bool before = false;
  std::vector<const FaultRule*> harms = {};
  uint64_t detail = 0;  // of the harm, as its rule has noted it

  // What a sector of the request has come to; null: it has been written.
  const FaultRule* At(uint64_t sector, uint64_t first, uint64_t last) const {
    for (const FaultRule* const harm : harms) {
      if (harm->action == FaultAction::kCorrupt && !Concerns(*harm, sector)) continue;
      if (harm->action != FaultAction::kTorn) return harm;
      const bool begins = harm->torn == FaultPart::kFirst;
      return (begins ? sector - first : last - sector) < detail ? nullptr : harm;
    }
    return nullptr;
  }
  static bool Concerns(const FaultRule& rule, uint64_t sector) {
    return rule.sectors.empty() ||
           std::any_of(rule.sectors.begin(), rule.sectors.end(), [=](const auto& range) {
             return range.first <= sector && sector <= range.last;
           });
  }
  bool Is(FaultAction action) const { return !harms.empty() && harms[0]->action == action; }
  bool IsTold() const { return Is(FaultAction::kTorn) && !harms[0]->acknowledged; }
  bool DoesNothing() const { return error != 0 && before; }
};

struct Kind {
  const char* name;
  int cache, history;  // MiB
};

class Model {
 public:
  bool damaged(uint64_t i) const { return shown.At(i) != truth.At(i); }
  // A sector that is written; `harm` has it not arrive as it is.
  void WriteSector(uint64_t i, std::string_view data, const FaultRule* harm,
                   std::string_view corrupted) {
    const bool was = damaged(i);
    truth.Put(i, data);
    const bool corrupt = harm != nullptr && harm->action == FaultAction::kCorrupt;
    if (harm == nullptr || corrupt) shown.Put(i, corrupt ? corrupted : data);
    if (was && !damaged(i)) ++healed;
    if (!was && damaged(i)) ++injected;
    if (damaged(i) && harm != nullptr) NoteDamage(i, /*lost=*/was && !corrupt);
  }
  // Others, which what was meant for these has gone to; all at once.
  void Misdirect(uint64_t first, uint64_t last, uint64_t away, std::string_view data,
                 const std::vector<bool>& before) {
    for (uint64_t i = first; i <= last; ++i) {
      const uint64_t at = (i + away) % kSectors;
      const bool within = first <= at && at <= last;
      const bool was = damaged(at);
      shown.Put(at, data);
      if (was && !damaged(at)) {
        // What this request would have damaged has never been.
        within && !before[at - first] ? --injected : ++otherwise;
      }
      if (!was && damaged(at)) ++injected;
      NoteDamage(at, /*lost=*/false);
    }
  }
  // A flush, or what counts as one.
  void Cover(uint64_t first = 0, uint64_t last = kSectors - 1) {
    for (uint64_t i = first; i <= last; ++i) {
      flushed.Put(i, truth.At(i));
      promised.Put(i, truth.At(i));
      showed.Put(i, shown.At(i));
      vague_[i] = lost_[i] = noted_[i] = false;
    }
  }
  void Promise(bool cached) {
    promised = truth;
    for (uint64_t i = 0; cached && i < kSectors; ++i) {
      // Of a cache that is noted when it happens, as far as there is no other note.
      if (damaged(i)) vague_[i] = true;
      noted_[i] = truth.At(i) != flushed.At(i);
    }
  }
  void Heal(uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i) {
      otherwise += damaged(i) ? 1 : 0;
      // What has been promised stays so, if there is no damage in its note.
      vague_[i] = noted_[i] && (vague_[i] || showed.At(i) != flushed.At(i));
      shown.Put(i, truth.At(i));
      showed.Put(i, flushed.At(i));
      lost_[i] = false;
    }
  }
  void Lose(const Sectors& is) {
    for (uint64_t i = 0; i < kSectors; ++i) {
      const bool was = damaged(i);
      truth.Put(i, promised.At(i));
      shown.Put(i, vague_[i] ? is.At(i) : showed.At(i));
      otherwise += was && !damaged(i) ? 1 : 0;
    }
    Cover();
  }

  Sectors truth, shown, flushed, showed, promised;
  uint64_t injected = 0;
  uint64_t healed = 0;
  uint64_t otherwise = 0;  // made whole, but not by being written to

 private:
  // What is damaged while it has what a cut would leave is so after the cut, too; and so is what
  // was damaged before, if writes to it have then been `lost`, but only once.
  void NoteDamage(uint64_t i, bool lost) {
    const bool left = truth.At(i) == flushed.At(i);
    if (noted_[i]) {
      vague_[i] = true;
    } else if (left && promised.At(i) == flushed.At(i)) {
      showed.Put(i, shown.At(i));
      vague_[i] = lost_[i] = noted_[i] = false;
    } else if (left || (showed.At(i) != flushed.At(i) && (!lost || lost_[i]))) {
      vague_[i] = true;
    } else {
      lost_[i] = true;
    }
  }

  std::vector<bool> vague_ = std::vector<bool>(kSectors);
  std::vector<bool> noted_ = std::vector<bool>(kSectors);
  std::vector<bool> lost_ = std::vector<bool>(kSectors);
};

class SilentRandomTest : public SilentFaultsTest, public testing::WithParamInterface<Kind> {
 protected:
  SilentRandomTest() : seed_(FromEnvironment("RNULLFS_TEST_SEED", 1)), random_(seed_) {}
  ~SilentRandomTest() override {
    if (HasFailure()) std::printf("RNULLFS_TEST_SEED=%s\n", std::to_string(seed_).c_str());
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool Once(uint64_t in) { return Below(in) == 0; }
  std::string Any(const std::vector<std::string>& words) { return words[Below(words.size())]; }
  char AnyLetter() { return "\0abcdefghijklmnopqrstuvwxyz"[Below(Once(3) ? 4 : 27)]; }
  // Mostly where others are, else round the end.
  std::pair<uint64_t, uint64_t> AnyRange() {
    const uint64_t first = Once(8) ? kSectors - 1 - Below(12) : Below(40);
    return {first, std::min(first + (Once(3) ? 0 : Below(12)), kSectors - 1)};
  }

  std::string AnyRule(const std::string& name) {
    const std::string shift = std::to_string(Below(12));
    const std::string what =
        Any({"lost", "write lost", "write discard zero lost", "flush lost", "flush lost",
             "write torn", "write torn last", "write torn acknowledged 0",
             "write corrupt " + std::to_string(1 + Below(40)) + Any({"bits", "bytes"}),
             "write misdirected", "write misdirected shift " + shift,
             "write misdirected shift -" + shift, "write flush error when after",
             "write discard error ENOSPC when before", "flush error when before"});
    std::string line = name + ": " + (Once(5) ? "off " : "") + what;
    for (uint64_t more = Below(3); more > 0; --more) {
      const auto [first, last] = AnyRange();
      line += " " + std::to_string(first) + "-" + std::to_string(last);
    }
    if (Once(4)) line += " times " + std::to_string(Below(6));
    if (Once(5)) line += " after " + std::to_string(Below(4));
    if (Once(5)) line += " interval " + std::to_string(1 + Below(3));
    if (Once(4)) line += " probability 50";
    return line;
  }
  void ChangeRules() {
    said_.clear();
    for (uint64_t more = 1 + Below(2); more > 0; --more) {
      const std::string name = Any({"a", "b", "c", "d", "e"});
      const bool goes = rules_.erase(name) > 0 && !Once(3);
      said_ += (goes ? "-" + name : AnyRule(name)) + "\n";
    }
    Rules(said_);
    rules_.clear();
    for (const FaultRule& rule : disk_.settings().faults) {
      rules_[rule.name] = {rule, Hits(rule.name)};
    }
  }
  // What has been done to the newest request, by the rules that have counted it.
  Verdict Judge(uint64_t sector, uint64_t sectors) {
    Verdict verdict;
    for (auto& [name, said] : rules_) {
      const auto& [rule, hits] = said;
      if (!rule.enabled || Hits(name) == hits) continue;
      said.second = hits + 1;
      EXPECT_EQ(Hits(name), hits);
      const FaultFile::Event event = disk_.medium()->fault_rules().EventsOf(name).back();
      EXPECT_TRUE(event.sector == sector && event.sectors == sectors && !verdict.DoesNothing());
      if (IsSilent(rule.action)) {
        EXPECT_TRUE(verdict.harms.empty() || rule.action == FaultAction::kCorrupt) << name;
        verdict.harms.push_back(&rule);
        verdict.detail = event.detail;
      } else {
        verdict.before = rule.when == FaultMoment::kBefore;
        EXPECT_TRUE(verdict.error == 0 && (verdict.harms.empty() || !verdict.before)) << name;
        verdict.error = static_cast<int>(rule.error);
      }
    }
    return verdict;
  }

  void ChangeSome() {
    const auto [first, last] = AnyRange();
    const Op op = Once(5) ? Once(2) ? Op::kDiscard : Op::kWriteZeroes : Op::kWrite;
    const std::string data(kSectorSize, op == Op::kWrite ? AnyLetter() : 0);
    std::string bytes;
    for (uint64_t i = first; i <= last; ++i) bytes += data;
    const bool fua = op == Op::kWrite && Once(16);
    said_ = std::to_string(static_cast<int>(op)) + " of " + std::to_string(first) + "-" +
            std::to_string(last) + " " + data[0] + (fua ? " fua" : "");
    const int error = disk_.Do({.op = op,
                                .offset = first * kSectorSize,
                                .length = bytes.size(),
                                .data = bytes.data(),
                                .fua = fua});
    const Verdict verdict = Judge(first, last - first + 1);
    ASSERT_EQ(error, verdict.IsTold() ? EIO : verdict.error);
    if (verdict.DoesNothing()) return;
    const bool is_cached = GetParam().cache > 0;
    Change(first, last, data, verdict, is_cached && (fua || op != Op::kWrite));
    if (fua && !is_cached) model_.Cover();
  }
  void Change(uint64_t first, uint64_t last, const std::string& data, const Verdict& verdict,
              bool through) {
    std::vector<bool> before;
    for (uint64_t i = first; i <= last; ++i) {
      before.push_back(model_.damaged(i));
      const FaultRule* const harm = verdict.At(i, first, last);
      if (harm != nullptr && verdict.IsTold()) continue;  // it is known not to be there
      const bool corrupt = harm != nullptr && harm->action == FaultAction::kCorrupt;
      const std::string is = corrupt ? ShownBytes(i, 1) : "";
      EXPECT_TRUE(!corrupt || Amount(data, is, harm->corrupt.bytes) == harm->corrupt.count);
      model_.WriteSector(i, data, harm, is);
      if (through) model_.Cover(i, i);
    }
    if (!verdict.Is(FaultAction::kMisdirected)) return;
    const uint64_t away = (verdict.detail + kSectors - first) % kSectors;
    const int64_t shift = verdict.harms[0]->shift;
    EXPECT_TRUE(shift == 0 ? away != 0 : away == (kSectors + shift) % kSectors);
    model_.Misdirect(first, last, away, data, before);
  }
  // How many bytes, or bits, differ.
  static uint64_t Amount(std::string_view was, std::string_view is, bool bytes) {
    uint64_t count = 0;
    for (uint64_t at = 0; at < kSectorSize; ++at) {
      const auto other = static_cast<unsigned char>(was[at] ^ is[at]);
      count += bytes ? (other != 0 ? 1 : 0) : std::popcount(other);
    }
    return count;
  }
  void FlushAll() {
    said_ = "flush";
    const int error = Flush();
    const Verdict verdict = Judge(0, 0);
    ASSERT_EQ(error, verdict.error);
    const bool lost = !verdict.harms.empty();
    if (!lost && !verdict.DoesNothing()) model_.Cover();
    if (lost) model_.Promise(GetParam().cache > 0);
  }
  void HealSome() {
    const auto [first, last] = Once(4) ? std::pair(uint64_t{0}, kSectors - 1) : AnyRange();
    said_ = "heal " + std::to_string(first) + "-" + std::to_string(last);
    damage().Heal(first, last);
    model_.Heal(first, last);
  }
  void SnapOrRollBack() {
    said_ = snapshot_ ? "roll back" : "snapshot";
    ASSERT_TRUE(snapshot_ ? disk_.past().RollBack("s").ok() : disk_.past().Take("s", 0).ok());
    if (!snapshot_) return static_cast<void>(snapshot_ = model_.truth);
    model_.Heal(0, kSectors - 1);
    model_.truth = model_.shown = *snapshot_;
    model_.Cover();
    if (Once(2)) return;
    ASSERT_TRUE(disk_.past().Remove(disk_.past().Find("s")->number).ok());
    snapshot_.reset();
  }
  void LosePower() {
    const bool cached = GetParam().cache > 0;
    const bool cuts = !Once(3);
    const bool loses = cuts ? (cached || GetParam().history > 0) && !Once(4) : cached;
    said_ = !cuts ? "off and on" : loses ? "cut none" : "cut all";
    if (!cuts) Set("power", "0");
    Set("cut_keeps", loses ? "none" : "all");
    ASSERT_TRUE(disk_.CheckCut().ok() && disk_.Cut().ok());
    const uint64_t lost = loses ? model_.truth.CountOther(model_.flushed) : 0;
    ASSERT_TRUE(!cuts || cached || disk_.counters().cuts.lost_sectors == lost);
    disk_.EndCut();
    Set("power", "1");
    if (!loses) return model_.Cover();
    model_.Lose({ShownBytes(0, kSectors)});
    // What is damaged anew, and what is healed no more, counts either way.
    model_.injected = disk_.counters().damage.injected;
    model_.healed = disk_.counters().damage.healed;
  }

  std::string ShownBytes(uint64_t sector, uint64_t count) {
    std::string bytes(count * kSectorSize, '?');
    const Command read = {.op = Op::kRead, .offset = sector * kSectorSize, .length = bytes.size()};
    EXPECT_EQ(disk_.Do(read, bytes.data()), 0);
    return bytes;
  }
  void Compare() {
    const Sectors shown = {ShownBytes(0, kSectors)};
    Sectors truth;
    ASSERT_EQ(disk_.medium()->contents().CopyOut(0, kMiB, truth.bytes.data()), 0);
    std::vector<bool> listed(kSectors);
    for (const Damage::Range& range : damage().List()) {
      for (uint64_t i = range.first; i <= range.last; ++i) listed[i] = true;
    }
    for (uint64_t i = 0; i < kSectors; ++i) {
      ASSERT_TRUE(truth.At(i) == model_.truth.At(i)) << i << " is " << truth.At(i)[0];
      ASSERT_TRUE(shown.At(i) == model_.shown.At(i)) << i << " shows " << shown.At(i)[0];
      ASSERT_EQ(listed[i], model_.damaged(i)) << i;
    }
    const DamageCounters& counters = disk_.counters().damage;
    ASSERT_EQ(counters.sectors, model_.shown.CountOther(model_.truth));
    ASSERT_EQ(counters.injected, model_.injected);
    ASSERT_EQ(counters.healed, model_.healed);
    ASSERT_EQ(counters.injected, counters.sectors + counters.healed + model_.otherwise);
  }
  void DoSome() {
    const uint64_t kind = Below(100);
    if (kind < 59) return ChangeSome();
    if (kind < 75) return ChangeRules();
    if (kind < 87) return FlushAll();
    if (kind < 91) return HealSome();
    kind < 93 ? SnapOrRollBack() : LosePower();
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  Model model_;
  std::map<std::string, std::pair<FaultRule, uint64_t>> rules_;  // and how often they have fired
  std::optional<Sectors> snapshot_;
  std::string said_;
};

TEST_P(SilentRandomTest, IsWhatTheModelSays) {
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_STEPS", Repetitions(400));
  On(", \"cache_size\": " + std::to_string(GetParam().cache) + ", \"history\": " +
     std::to_string(GetParam().history) + ", \"seed\": " + std::to_string(1 + seed_));
  for (uint64_t step = 0; step < steps && !HasFailure(); ++step) {
    DoSome();
    SCOPED_TRACE(testing::Message() << "step " << step << ": " << said_);
    if (!HasFatalFailure()) Compare();
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, SilentRandomTest,
                         testing::Values(Kind{"Plain", 0, 0}, Kind{"History", 0, 64},
                                         Kind{"Cache", 1, 0}, Kind{"Both", 1, 64}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace rnullfs
