// Random requests and rules against a model of both, which is as simple as it can be.
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <random>
#include <set>
#include <string>

#include "device/disk.h"

namespace rnullfs {
namespace {

constexpr uint64_t kSectors = 64;

// A rule as the manual has it, a sector at a time.
struct ModelRule {
  FaultRule rule;
  uint64_t seen = 0;
  uint64_t hits = 0;
  uint64_t passed = 0;
  uint64_t asked = 0;
  std::set<uint64_t> done = {};

  bool Touches(uint8_t op, uint64_t first, uint64_t last) const {
    if (!rule.enabled || (rule.ops & op) == 0) return false;
    if (op == kFaultFlush || rule.sectors.empty()) return true;
    for (const BadBlocks::Range& range : rule.sectors) {
      for (uint64_t sector = first; sector <= last; ++sector) {
        if (sector >= range.first && sector <= range.last) return true;
      }
    }
    return false;
  }

  bool Fires(uint8_t op, uint64_t first, uint64_t last) {
    if (rule.times >= 0 && hits >= static_cast<uint64_t>(rule.times)) return false;
    if (seen <= rule.after) return false;
    if (rule.space > 0 && passed + 1 < rule.space) {
      ++passed;
      return false;
    }
    if (rule.interval > 1 && ++asked % rule.interval != 0) return false;
    if (rule.probability == 0) return false;
    if (!rule.once_per_sector || op == kFaultFlush) return true;
    bool any = false;
    for (uint64_t sector = first; sector <= last; ++sector) {
      if (Touches(op, sector, sector)) any = done.insert(sector).second || any;
    }
    return any;
  }
};

class Model {
 public:
  void SetRules(const FaultRules& rules) {
    std::map<std::string, ModelRule> next;
    for (const FaultRule& rule : rules) {
      const auto before = rules_.find(rule.name);
      const bool same = before != rules_.end() && before->second.rule == rule;
      if (before != rules_.end() && (same || !rule.enabled)) next[rule.name] = before->second;
      next[rule.name].rule = rule;
    }
    rules_ = next;
  }

  // The errno, and whether the request does what it is to do.
  std::pair<int, bool> Judge(uint8_t op, uint64_t first, uint64_t last) {
    int error = 0;
    bool done = true;
    for (auto& [name, model] : rules_) {
      if (!model.Touches(op, first, last)) continue;
      ++model.seen;
      const bool fails = model.rule.action == FaultAction::kError;
      if ((fails && error != 0) || !model.Fires(op, first, last)) continue;
      ++model.hits;
      if (!fails) continue;
      error = static_cast<int>(model.rule.error);
      done = model.rule.when == FaultMoment::kAfter;
    }
    return {error, done};
  }

  const std::map<std::string, ModelRule>& rules() const { return rules_; }

 private:
  std::map<std::string, ModelRule> rules_;
};

class Session {
 public:
  explicit Session(uint64_t seed) : random_(seed), seed_(seed) {}

  void Run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("seed " + std::to_string(seed_) + ", step " + std::to_string(step));
      Any(20) == 0 ? ChangeRules() : Submit();
    }
  }

 private:
  uint64_t Any(uint64_t bound) { return random_() % bound; }

  FaultRule AnyRule(const std::string& name) {
    FaultRule rule = {.name = name, .enabled = Any(4) != 0};
    rule.ops = static_cast<uint8_t>(1 + Any(kFaultAllOps));
    if (Any(3) != 0) {
      const uint64_t first = Any(kSectors);
      rule.sectors = {{first, first + Any(9)}};
      if (Any(2) == 0) rule.sectors.push_back({first + 12, first + 12 + Any(9)});
    }
    if (Any(3) == 0) rule.after = Any(5);
    if (Any(3) == 0) rule.space = Any(5);
    if (Any(3) == 0) rule.interval = 1 + Any(4);
    if (Any(3) == 0) rule.times = static_cast<int64_t>(Any(5));
    if (Any(6) == 0) rule.probability = 0;
    rule.once_per_sector = Any(4) == 0;
    rule.action = Any(3) == 0 ? FaultAction::kDelay : FaultAction::kError;
    rule.error = Any(2) == 0 ? EIO : EROFS;
    rule.when = static_cast<FaultMoment>(Any(2));
    rule.delay.nsec = Any(2) * 1000;
    return rule;
  }

  void ChangeRules() {
    const std::string name(1, static_cast<char>('a' + Any(5)));
    if (Any(4) == 0) {
      const auto at = RuleAt(rules_, name);
      if (at != rules_.end() && at->name == name) rules_.erase(at);
    } else if (FaultRule* const there = FindRule(rules_, name); there != nullptr && Any(2) == 0) {
      there->enabled = !there->enabled;
    } else {
      ASSERT_TRUE(PutRule(AnyRule(name), rules_).ok());
    }
    ASSERT_TRUE(disk_.rules().Prepare(rules_).ok());
    disk_.rules().Commit();
    model_.SetRules(rules_);
  }

  void Submit() {
    constexpr Op kOps[] = {Op::kRead, Op::kWrite, Op::kFlush, Op::kDiscard, Op::kWriteZeroes};
    const size_t which = Any(5);
    const Op op = kOps[which];
    const uint64_t first = Any(kSectors);
    const uint64_t sectors =
        op == Op::kFlush ? 0 : 1 + Any(std::min<uint64_t>(9, kSectors - first));
    const std::string data(sectors * 512, static_cast<char>('a' + Any(26)));
    const auto [error, does] =
        model_.Judge(static_cast<uint8_t>(1 << which), first, first + sectors - 1);
    const Outcome outcome = disk_.Do({op, first * 512, sectors * 512, data.data()});
    ASSERT_EQ(outcome.error, error);
    const std::string zeros(data.size(), '\0');
    if (op == Op::kRead && error == 0) {
      ASSERT_EQ(outcome.data, stored_.substr(first * 512, data.size()));
    } else if (op == Op::kWrite && does) {
      stored_.replace(first * 512, data.size(), data);
    } else if ((op == Op::kDiscard || op == Op::kWriteZeroes) && does) {
      stored_.replace(first * 512, data.size(), zeros);
    }
    for (const auto& [name, rule] : model_.rules()) {
      ASSERT_EQ(disk_.rules().CountsOf(name)->seen, rule.seen) << name;
      ASSERT_EQ(disk_.rules().CountsOf(name)->hits, rule.hits) << name;
    }
  }

  std::mt19937_64 random_;
  const uint64_t seed_;
  TestDisk disk_{{.blocksize = 512, .size = 1, .memory_backed = true, .discard = true, .seed = 1}};
  std::string stored_ = std::string(kSectors * 512, '\0');
  FaultRules rules_;
  Model model_;
};

TEST(FaultRulesRandom, AreAsTheModelHasThem) {
  for (uint64_t seed = 1; seed <= 10; ++seed) Session(seed).Run(2000);
}

}  // namespace
}  // namespace rnullfs
