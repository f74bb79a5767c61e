// Fault rules as they are said: a value, a line, an object in JSON.
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "config/status_matchers.h"
#include "config/types/chance.h"
#include "config/types/delay.h"
#include "config/types/errno_name.h"
#include "config/types/rule_list.h"
#include "config/types/sector_set.h"
#include "config/types/word_set.h"
#include "config/values_taken.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

constexpr std::string_view kColours[] = {"red", "green", "blue"};
constexpr WordSet kColourSet(kColours);
constexpr SectorSet kSectors;
constexpr Chance kChance;
constexpr ErrnoName kErrno;
constexpr Delay kDelay;
constexpr RuleList kRules;

// The line of what a line says; what is said of one that is refused.
std::string Line(std::string_view line) {
  FaultRules rules;
  const absl::Status put = PutRuleLine("faults", line, rules);
  return put.ok() ? RuleLine(rules.at(0)) : std::string(put.message());
}

TEST(RuleTypes, WordSetsAreSaidInAnyOrder) {
  EXPECT_EQ(Taken(kColourSet, "blue red\n"), "red blue");
  EXPECT_EQ(Taken(kColourSet, "green,green"), "green");
  EXPECT_EQ(Taken(kColourSet, "red green blue"), "all");
  EXPECT_EQ(Taken(kColourSet, "all"), "all");
  EXPECT_EQ(Taken(kColourSet, ""), "?");
  EXPECT_EQ(Taken(kColourSet, "red pink"), "?");
  EXPECT_EQ(TakenJson(kColourSet, R"("blue red")"), "red blue");
  EXPECT_EQ(TakenJson(kColourSet, "1"), "?");
}

TEST(RuleTypes, SectorsThatTouchAreOneRange) {
  EXPECT_EQ(Taken(kSectors, "2048-4095"), "2048-4095");
  EXPECT_EQ(Taken(kSectors, "8-15 0-7 100\n"), "0-15 100-100");
  EXPECT_EQ(Taken(kSectors, "0x10-0x1f, 20-40"), "16-40");
  EXPECT_EQ(Taken(kSectors, "all"), "all");
  for (const char* const text : {"", "7-0", "-7", "1-", "a", "all 1-2", "18014398509481984"}) {
    EXPECT_EQ(Taken(kSectors, text), "?") << text;
  }
}

TEST(RuleTypes, ThereAreNoMoreThanSoManyRanges) {
  std::string text;
  for (int i = 0; i < 512; ++i) text += std::to_string(i * 2) + " ";
  EXPECT_NE(Taken(kSectors, text), "?");
  EXPECT_EQ(Taken(kSectors, text + "2000"), "?");
}

TEST(RuleTypes, ChanceHasDecimals) {
  EXPECT_EQ(Taken(kChance, "100"), "100");
  EXPECT_EQ(Taken(kChance, "0.5%\n"), "0.5");
  EXPECT_EQ(Taken(kChance, "0.000001"), "0.000001");
  EXPECT_EQ(Taken(kChance, "12.340000"), "12.34");
  EXPECT_EQ(Taken(kChance, "0"), "0");
  for (const char* const text : {"", "100.000001", "1.", ".5", "-1", "1e2", "0.0000001", "1.2.3"}) {
    EXPECT_EQ(Taken(kChance, text), "?") << text;
  }
  EXPECT_EQ(TakenJson(kChance, "12.5"), "12.5");
  EXPECT_EQ(TakenJson(kChance, R"("12.5%")"), "12.5");
  EXPECT_EQ(TakenJson(kChance, "true"), "?");
}

TEST(RuleTypes, ErrnosHaveNamesAndNumbers) {
  EXPECT_EQ(Taken(kErrno, "EIO\n"), "EIO");
  EXPECT_EQ(Taken(kErrno, "5"), "EIO");
  EXPECT_EQ(Taken(kErrno, "ENOSPC"), "ENOSPC");
  EXPECT_EQ(Taken(kErrno, "511"), "511");
  for (const char* const text : {"", "0", "512", "-5", "EWHATEVER", "eio", "ENOSYS", "38"}) {
    EXPECT_EQ(Taken(kErrno, text), "?") << text;
  }
  EXPECT_EQ(TakenJson(kErrno, "28"), "ENOSPC");
  EXPECT_EQ(TakenJson(kErrno, R"("EROFS")"), "EROFS");
}

TEST(RuleTypes, DelaysAreShownInTheLargestUnit) {
  EXPECT_EQ(Taken(kDelay, "50ms\n"), "50ms");
  EXPECT_EQ(Taken(kDelay, "1500000"), "1500us");
  EXPECT_EQ(Taken(kDelay, "3600s"), "3600s");
  EXPECT_EQ(Taken(kDelay, "0"), "0");
  EXPECT_EQ(Taken(kDelay, "10ms-80ms"), "10ms-80ms");
  EXPECT_EQ(Taken(kDelay, "5ms/200ms"), "5ms/200ms");
  for (const char* const text :
       {"", "ms", "3601s", "-5ms", "80ms-10ms", "0/5ms", "5ms/", "1.5ms"}) {
    EXPECT_EQ(Taken(kDelay, text), "?") << text;
  }
}

TEST(RuleLine, SaysWhatDiffersFromANewRule) {
  EXPECT_EQ(Line("slow: read 2048-4095 delay 50ms"), "slow: read 2048-4095 delay 50ms");
  EXPECT_EQ(Line("write 0-7 error EIO times 3"), "rule1: write 0-7 error EIO times 3");
  EXPECT_EQ(Line("slow:read,delay=50ms"), "slow: read delay 50ms");
  EXPECT_EQ(Line("x: off hang"), "x: off all hang");
  EXPECT_EQ(Line("x: error write flush"), "x: write flush error EIO");
  EXPECT_EQ(Line("x: error 28 when after probability 0.5%"),
            "x: all error ENOSPC probability 0.5 when after");
  EXPECT_EQ(Line("x: delay 1ms/9ms lanes 2 once_per_sector"),
            "x: all delay 1ms/9ms once_per_sector 1 lanes 2");
  EXPECT_EQ(Line("x: read sectors 8-15 hang"), "x: read 8-15 hang");
  EXPECT_EQ(Line("x: op=read,write sectors=0-7,16-23 action=error,error=EROFS"),
            "x: read write 0-7 16-23 error EROFS");
  EXPECT_EQ(Line("x: read sectors all hang"), "x: read hang");
  EXPECT_EQ(Line("x: once_per_sector 0-7 hang"), "x: all 0-7 hang once_per_sector 1");
  EXPECT_EQ(Line("x: once_per_sector 0 0-7 hang"), "x: all 0-7 hang");
  EXPECT_EQ(Line("x: hang once_per_sector=off"), "x: all hang");
  EXPECT_EQ(Line("x: read op write hang"), "x: read write hang");
  EXPECT_EQ(Line("x: 5 sectors 7 hang"), "x: all 5-5 7-7 hang");
  EXPECT_EQ(Line("x: delay 5ms error ENOSPC action error"),
            "x: all error ENOSPC delay 5ms action error");
  EXPECT_EQ(Line("x: delay 5-10ms"), "x: all delay 5ms-10ms");
}

TEST(RuleLine, SaysWhatItRefuses) {
  EXPECT_EQ(Line(""), "faults: a rule says nothing");
  EXPECT_EQ(Line("x: write 0-7"),
            "faults: x: it says nothing of what is done: error, delay, hang, lost, torn, corrupt, "
            "misdirected or stale");
  EXPECT_EQ(Line("x: raed hang"),
            "faults: x: raed: a rule has no such word. Did you mean read? One is said like this: "
            "slow: read 2048-4095 delay 50ms");
  EXPECT_EQ(Line("x: read delay"),
            "faults: x: delay: no value is given; it takes " + Delay().Accepts());
  EXPECT_EQ(Line("x: read delay 5parsec"),
            "faults: x: delay: 5parsec is not accepted; it takes " + Delay().Accepts());
  EXPECT_EQ(Line("x: read hang error"),
            "faults: x: it says both hang and error; one rule does one thing: make another one for "
            "the other");
  EXPECT_NE(Line("x: error 4294967301").find("4294967301 is not accepted"), std::string::npos);
  EXPECT_NE(Line("x: error 38").find("38 is not accepted"), std::string::npos);
  EXPECT_NE(Line("x: error 600").find("600 is not accepted"), std::string::npos);
  EXPECT_EQ(Line("x: error EWHAT"),
            "faults: x: error: EWHAT is not accepted; it takes " + ErrnoName().Accepts());
  EXPECT_NE(Line("new: hang").find("new is not accepted"), std::string::npos);
  EXPECT_NE(Line("-x: hang").find("-x is not accepted"), std::string::npos);
}

// As config.json shows it.
std::string JsonOf(const FaultRules& rules) {
  std::string text;
  for (const JsonValue& rule : kRules.ToJson(Value(rules)).parts) {
    text += rule.key + "(";
    for (const JsonValue& member : rule.parts) text += member.key + "=" + member.text + " ";
    text += ")";
  }
  return text;
}

FaultRule RandomRule(std::mt19937_64& random) {
  const auto any = [&random](uint64_t bound) { return random() % bound; };
  FaultRule rule = {.name = "r" + std::to_string(any(1000)), .enabled = any(2) == 0};
  rule.ops = static_cast<uint8_t>(1 + any(kFaultAllOps));
  for (uint64_t at = any(9); any(3) != 0; at += 2 + any(100)) {
    const uint64_t first = at;
    at += any(50);
    rule.sectors.push_back({first, at});
  }
  rule.after = any(2) * any(1000);
  rule.space = any(2) * any(1000);
  rule.interval = 1 + any(2) * any(9);
  rule.probability = any(2) == 0 ? FaultRule::kChanceOfAll : any(FaultRule::kChanceOfAll);
  rule.times = static_cast<int64_t>(any(5)) - 1;
  rule.once_per_sector = any(2) == 0;
  rule.action = static_cast<FaultAction>(any(3));
  rule.error = 1 + any(37);
  rule.when = static_cast<FaultMoment>(any(2));
  rule.delay.kind = static_cast<FaultDelay::Kind>(any(3));
  rule.delay.nsec = 1 + (any(1000) << any(20));
  if (rule.delay.kind != FaultDelay::Kind::kFixed) {
    rule.delay.until_nsec = rule.delay.nsec + any(1'000'000'000);
  }
  rule.lanes = any(2) * any(65536);
  return rule;
}

TEST(RuleList, WhatIsSaidIsUnderstoodInEachForm) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    FaultRules rules;
    for (int count = 0; count < 4; ++count) ASSERT_TRUE(PutRule(RandomRule(random), rules).ok());
    const Value value(rules);
    const auto as_text = kRules.Parse("faults", kRules.Text(value), {});
    ASSERT_TRUE(as_text.ok()) << as_text.status() << "\n" << kRules.Text(value);
    ASSERT_EQ(*as_text, value) << kRules.Text(value);
    const auto as_json = kRules.FromJson("faults", kRules.ToJson(value));
    ASSERT_TRUE(as_json.ok()) << as_json.status() << "\n" << JsonOf(rules);
    ASSERT_EQ(*as_json, value) << JsonOf(rules);
  }
}

TEST(RuleList, LinesPutAndRemoveRules) {
  const auto begun = kRules.Parse("faults", "b: read hang\na: write error\n\nall hang\n", {});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(kRules.Show(*begun), "a: write error EIO\nb: read hang\nrule1: all hang\n");
  const auto next = kRules.Parse("faults", "-a\nb: off read hang", *begun);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(kRules.Show(*next), "b: off read hang\nrule1: all hang\n");
  EXPECT_THAT(kRules.Parse("faults", "-c", *begun).status(),
              EinvalWith("there is no rule of that name"));
  EXPECT_EQ(kRules.Text(Value(FaultRules())), "");
}

TEST(RuleList, ThereAreNoMoreThanSoMany) {
  FaultRules rules;
  for (size_t i = 0; i < kRulesMax; ++i) ASSERT_TRUE(PutRuleLine("faults", "hang", rules).ok());
  const absl::Status put = PutRuleLine("faults", "hang", rules);
  EXPECT_EQ(ErrnoOf(put), ENOSPC) << put;
  EXPECT_TRUE(PutRuleLine("faults", "rule7: off hang", rules).ok());
  EXPECT_EQ(rules.size(), kRulesMax);
}

std::string Refused(const std::string& json) {
  return std::string(kRules.FromJson("faults", Json(json)).status().message());
}

TEST(RuleList, JsonIsAnObjectOfObjects) {
  const auto rules = kRules.FromJson("faults", Json(R"({"slow": {"op": "read", "delay": "50ms"},
      "dead": {"enabled": false, "error": 28, "sectors": "8-15"}})"));
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(kRules.Show(*rules), "dead: off all 8-15 error ENOSPC\nslow: read delay 50ms\n");
  EXPECT_EQ(JsonOf(std::get<FaultRules>(*rules)),
            "dead(enabled=false op=all sectors=8-15 action=error error=ENOSPC )"
            "slow(enabled=true op=read action=delay delay=50ms )");
  EXPECT_NE(Refused("[]").find("an array is not accepted"), std::string::npos);
  EXPECT_NE(Refused(R"({"a": 1})").find("faults: a: the number 1"), std::string::npos);
  EXPECT_EQ(Refused(R"({"a": {"ops": "read"}})"),
            "faults: a: ops: a rule has no such key. Did you mean op?");
  EXPECT_EQ(Refused(R"({"a": {"op": "read", "op": "write", "error": 5}})"),
            "faults: a: op: the key stands twice in the object");
  EXPECT_EQ(Refused(R"({"a": {"action": "hang"}, "a": {}})"),
            "faults: a: the key stands twice in the object");
  EXPECT_EQ(Refused(R"({"a": {"op": "read"}})"),
            "faults: a: it says nothing of what is done: action");
  EXPECT_NE(Refused(R"({"a": {"error": 5, "delay": "5ms"}})").find("two actions"),
            std::string::npos);
  EXPECT_NE(Refused(R"({"a b": {}})").find("names of at most 64 bytes"), std::string::npos);
}

TEST(RuleWords, TellARuleFromWhatFollowsIt) {
  for (const char* const word : {"read", "all", "off", "0-7", "delay=50ms", "delay", "times=3",
                                 "discard", "EIO", "error=EIO"}) {
    EXPECT_TRUE(IsRuleWord(word)) << word;
  }
  for (const char* const word :
       {"size=8", "discard=1", "memory_backed", "ro", "fault=x:hang", ""}) {
    EXPECT_FALSE(IsRuleWord(word)) << word;
  }
}

}  // namespace
}  // namespace rnullfs
