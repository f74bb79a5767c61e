#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "base/visible.h"
#include "config/wording.h"
#include "config/words_of.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

constexpr std::string_view kOff = "off";
constexpr std::string_view kOn = "on";

const RuleAttribute& Row(std::string_view name) { return *FindRuleAttribute(name); }

bool IsWordOf(std::string_view attribute, std::string_view word) {
  const auto words = Row(attribute).type->words();
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool BeginsNumber(std::string_view word) {
  return !word.empty() && absl::ascii_isdigit(static_cast<unsigned char>(word.front()));
}

bool IsErrno(std::string_view word) {
  return word.starts_with('E') || ParseUnsigned(word).has_value();
}

// "3bits", and no range of sectors.
bool IsAmount(std::string_view word) {
  return BeginsNumber(word) && absl::ascii_isalpha(static_cast<unsigned char>(word.back()));
}

// What may be thought to be an action's, and would be a sector.
bool IsLoneNumber(std::string_view action, std::string_view word) {
  const bool silent =
      action == "torn" || action == "corrupt" || action == "misdirected" || action == "lost";
  return silent && ParseUnsigned(word).has_value();
}

// Whether `word` is what the word of an action before it takes, where that may be left out.
bool Follows(std::string_view action, std::string_view word) {
  if (action == "error") return IsErrno(word);
  if (action == "corrupt") return IsAmount(word);
  return action != "torn" || IsWordOf("torn", word);
}

bool IsBoolean(std::string_view word) {
  constexpr std::string_view kBooleans[] = {"1",   "0",  "y",    "n",     "t",  "f",
                                            "yes", "no", "true", "false", "on", "off"};
  return std::find(std::begin(kBooleans), std::end(kBooleans), word) != std::end(kBooleans);
}

// The words of a line, one after the other.
class LineReader {
 public:
  LineReader(std::string_view name, std::string_view line) : said_(name), words_(WordsOf(line)) {}

  absl::StatusOr<FaultRule> Read() {
    TakeName();
    if (words_.empty()) return Refuse("a rule says nothing");
    while (!words_.empty()) {
      const std::string_view word = words_.front();
      words_.erase(words_.begin());
      if (absl::Status read = ReadWord(word); !read.ok()) return read;
    }
    if (actions_.size() > 1 && !chosen_) {
      return Refuse(Concat({"it says both ", actions_[0], " and ", actions_[1],
                            "; one rule does one thing: make another one for the other"}));
    }
    if (actions_.empty() && !chosen_)
      return Refuse(Concat({"it says nothing of what is done: ", Row("action").type->Accepts()}));
    absl::Status stored = ops_.empty() ? absl::OkStatus() : Store(Row("op"), ops_);
    if (stored.ok() && !ranges_.empty()) stored = Store(Row("sectors"), ranges_);
    if (!stored.ok()) return stored;
    return std::move(rule_);
  }

 private:
  // "slow:", and what follows the colon at once.
  void TakeName() {
    if (words_.empty()) return;
    const size_t colon = words_.front().find(':');
    if (colon == std::string_view::npos) return;
    rule_.name = words_.front().substr(0, colon);
    words_.front().remove_prefix(colon + 1);
    if (words_.front().empty()) words_.erase(words_.begin());
  }

  absl::Status ReadWord(std::string_view word) {
    if (word == kOff || word == kOn) {
      rule_.enabled = word == kOn;
    } else if (word == "op" || word == "sectors") {  // go without saying
      of_sectors_ = word == "sectors";
    } else if (word == "all") {
      (of_sectors_ ? ranges_ : ops_) += Concat({" ", word});
    } else if (IsWordOf("op", word)) {
      ops_ += Concat({" ", word});
    } else if (BeginsNumber(word)) {
      ranges_ += Concat({" ", word});
    } else if (IsWordOf("action", word)) {
      return ReadAction(word);
    } else if (const RuleAttribute* const row = FindRuleAttribute(word); row != nullptr) {
      chosen_ = chosen_ || word == "action";
      return ReadValue(*row);
    } else {
      return Unknown(word);
    }
    return absl::OkStatus();
  }

  // An action, and what it takes, which mostly may be left out.
  absl::Status ReadAction(std::string_view word) {
    if (std::find(actions_.begin(), actions_.end(), word) == actions_.end()) {
      actions_.push_back(word);
    }
    absl::Status stored = chosen_ ? absl::OkStatus() : Store(Row("action"), word);
    const RuleAttribute* const takes = FindRuleAttribute(word);
    const bool left_out =
        takes == nullptr || (word != "delay" && (words_.empty() || !Follows(word, words_.front())));
    if (stored.ok() && !left_out) stored = ReadValue(*takes);
    if (!stored.ok() || words_.empty() || !IsLoneNumber(word, words_.front())) return stored;
    const std::string_view number = words_.front();
    return Refuse(Concat({number, " behind ", word, " is not clear: a sector is ", number, "-",
                          number, ", and what is misdirected goes by shift ", number}));
  }

  absl::Status ReadValue(const RuleAttribute& row) {
    if (words_.empty() && row.type->Alone().empty()) {
      return Refuse(Concat({row.name, ": no value is given; it takes ", row.type->Accepts()}));
    }
    // A range of sectors may follow what can stand alone.
    const bool alone = words_.empty() || (!row.type->Alone().empty() && !IsBoolean(words_.front()));
    std::string value(alone ? row.type->Alone() : words_.front());
    if (!alone) words_.erase(words_.begin());
    return Store(row, value);
  }

  absl::Status Store(const RuleAttribute& row, std::string_view text) {
    absl::StatusOr<Value> value = row.type->Parse(Concat({Said(), ": ", row.name}), text, {});
    if (value.ok()) row.field.set(rule_, *value);
    return value.status();
  }

  absl::Status Unknown(std::string_view word) const {
    std::vector<std::string_view> names = {kOff, "all"};
    for (const std::string_view list : {"op", "action"}) {
      const auto words = Row(list).type->words();
      names.insert(names.end(), words.begin(), words.end());
    }
    for (const RuleAttribute& row : RuleAttributes()) names.push_back(row.name);
    return Refuse(Concat({Shown(word), ": a rule has no such word.", DidYouMean(word, names),
                          " One is said like this: slow: read 2048-4095 delay 50ms"}));
  }

  std::string Said() const {
    return rule_.name.empty() ? std::string(said_) : Concat({said_, ": ", Visible(rule_.name)});
  }
  absl::Status Refuse(std::string_view why) const {
    return Error(EINVAL, Concat({Said(), ": ", why}));
  }

  const std::string_view said_;
  std::vector<std::string_view> words_;
  FaultRule rule_ = {.enabled = true};
  std::string ops_;
  std::string ranges_;
  bool of_sectors_ = false;                // that `all` is said of them
  std::vector<std::string_view> actions_;  // that have been said
  bool chosen_ = false;                    // by `action`: what the others take is only kept
};

std::string FreeName(const FaultRules& rules) {
  for (uint64_t i = 1;; ++i) {
    std::string name = absl::StrCat("rule", i);
    if (FindRule(rules, name) == nullptr) return name;
  }
}

// Whether a line says it without the attribute's name.
bool SaidByPlace(std::string_view attribute) {
  return attribute == "enabled" || attribute == "op" || attribute == "sectors" ||
         attribute == "action";
}

}  // namespace

absl::Status CheckRuleName(std::string_view name) {
  const bool plain = !name.empty() && name.size() <= kRuleNameMax && name.front() != '-' &&
                     name.front() != '.' && Visible(name) == name &&
                     name.find_first_of(" \t,=:/\"") == std::string_view::npos;
  if (plain && name != "new" && name != "rules") return absl::OkStatus();
  return Rejected("faults", Shown(name),
                  absl::StrCat("names of at most ", kRuleNameMax,
                               " bytes, without white space , = : / \" and no - or . in front; "
                               "new and rules are files"));
}

absl::Status PutRule(FaultRule rule, FaultRules& rules) {
  if (absl::Status good = CheckRuleName(rule.name); !good.ok()) return good;
  if (FaultRule* const there = FindRule(rules, rule.name); there != nullptr) {
    rule.writes.count = there->writes.count + 1;
    *there = std::move(rule);
    return absl::OkStatus();
  }
  if (rules.size() >= kRulesMax) {
    return Error(ENOSPC, absl::StrCat("faults: a disk has at most ", kRulesMax,
                                      " rules; remove some (rmdir)"));
  }
  const auto at = RuleAt(rules, rule.name);
  rules.insert(at, std::move(rule));
  return absl::OkStatus();
}

absl::Status PutRuleLine(std::string_view name, std::string_view line, FaultRules& rules) {
  absl::StatusOr<FaultRule> rule = LineReader(name, line).Read();
  if (!rule.ok()) return rule.status();
  if (rule->name.empty()) rule->name = FreeName(rules);
  return PutRule(*std::move(rule), rules);
}

// What other actions would take is said, too; then it has to be said which one it is.
std::string RuleLine(const FaultRule& rule) {
  const FaultRule anew;
  const auto text = [&rule](const RuleAttribute& row) {
    return row.type->Text(row.field.get(rule));
  };
  const std::string action = text(Row("action"));
  std::string line = Concat({rule.name, ": ", rule.enabled ? "" : "off ", text(Row("op"))});
  if (!rule.sectors.empty()) line += Concat({" ", text(Row("sectors"))});
  line += Concat({" ", action});
  if (const RuleAttribute* const takes = FindRuleAttribute(action); takes != nullptr) {
    line += Concat({" ", text(*takes)});
  }
  bool others = false;
  for (const RuleAttribute& row : RuleAttributes()) {
    if (SaidByPlace(row.name) || row.name == action || !Differs(row, rule, anew)) continue;
    others = others || IsWordOf("action", row.name);
    line += Concat({" ", row.name, " ", text(row)});
  }
  return others ? Concat({line, " action ", action}) : line;
}

bool SaysAction(std::string_view line) {
  const std::vector<std::string_view> words = WordsOf(line);
  return std::any_of(words.begin(), words.end(), [](std::string_view word) {
    return IsWordOf("action", word.substr(word.find(':') + 1));
  });
}

bool IsRuleWord(std::string_view word) {
  const std::vector<std::string_view> words = WordsOf(word);
  if (words.empty()) return false;
  if (word.find('=') != std::string_view::npos) return FindRuleAttribute(words[0]) != nullptr;
  return words[0] == kOff || words[0] == kOn || words[0] == "all" || IsWordOf("op", words[0]) ||
         IsWordOf("action", words[0]) || IsWordOf("torn", words[0]) || BeginsNumber(words[0]) ||
         IsErrno(words[0]);
}

}  // namespace rnullfs
