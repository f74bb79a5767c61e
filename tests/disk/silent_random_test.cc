// Random requests, rules, heals and power cuts of a disk, against a model of its sectors.
//
// Not here: `torn random`, what reads bring, cuts that keep a part, which rules fire (tests/damage,
// tests/device), and a history that forgets.

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
#include "silent_model.h"
#include "silent_util.h"

namespace rnullfs {
namespace {

struct Kind {
  const char* name;
  int cache;    // MiB; what has not been flushed is there, and a discard goes past it
  int history;  // MiB; what has not been flushed is known
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
