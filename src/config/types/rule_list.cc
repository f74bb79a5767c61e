#include "config/types/rule_list.h"

#include <cerrno>
#include <utility>

#include "base/parse.h"
#include "config/wording.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

absl::Status UnknownMember(std::string_view rule, std::string_view key) {
  std::vector<std::string_view> names;
  for (const RuleAttribute& row : RuleAttributes()) names.push_back(row.name);
  return Error(EINVAL, Concat({rule, ": ", Shown(key), ": a rule has no such key.",
                               DidYouMean(key, names)}));
}

bool HasMember(const JsonValue& object, std::string_view key) {
  for (const JsonValue& member : object.parts) {
    if (member.key == key) return true;
  }
  return false;
}

// `said`: the rule's name with what stands before it in a sentence.
absl::StatusOr<FaultRule> ReadRule(std::string_view said, const JsonValue& json) {
  FaultRule rule = {.name = json.key, .enabled = true};
  std::vector<const RuleAttribute*> seen;
  bool acts = false;
  for (const JsonValue& member : json.parts) {
    const RuleAttribute* const row = FindRuleAttribute(member.key);
    if (row == nullptr) return UnknownMember(said, member.key);
    for (const RuleAttribute* const before : seen) {
      if (before != row) continue;
      return Error(EINVAL, Concat({said, ": ", row->name, ": the key stands twice in the object"}));
    }
    seen.push_back(row);
    const absl::StatusOr<Value> value =
        row->type->FromJson(Concat({said, ": ", row->name}), member);
    if (!value.ok()) return value.status();
    row->field.set(rule, *value);
    // As in a line.
    if (!row->action || HasMember(json, "action")) continue;
    if (acts && rule.action != *row->action) {
      return Error(EINVAL, Concat({said,
                                   ": it says what two actions take; say which is meant, "
                                   "with action"}));
    }
    rule.action = *row->action;
    acts = true;
  }
  if (acts || HasMember(json, "action")) return rule;
  return Error(EINVAL, Concat({said, ": it says nothing of what is done: action"}));
}

}  // namespace

absl::StatusOr<Value> RuleList::Parse(std::string_view name, std::string_view text,
                                      const Value& current) const {
  FaultRules rules;
  if (const auto* const before = std::get_if<FaultRules>(&current)) rules = *before;
  while (!text.empty()) {
    const std::string_view line = TrimSpace(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    if (line.empty()) continue;
    if (line.front() != '-') {
      if (absl::Status put = PutRuleLine(name, line, rules); !put.ok()) return put;
      continue;
    }
    const auto at = RuleAt(rules, line.substr(1));
    if (at == rules.end() || at->name != line.substr(1)) {
      return Error(EINVAL, Concat({name, ": ", Shown(line), ": there is no rule of that name"}));
    }
    rules.erase(at);
  }
  return Value(std::move(rules));
}

std::string RuleList::Text(const Value& value) const {
  std::string text = Show(value);
  if (!text.empty()) text.pop_back();
  return text;
}

std::string RuleList::Show(const Value& value) const {
  std::string text;
  for (const FaultRule& rule : std::get<FaultRules>(value)) text += Concat({RuleLine(rule), "\n"});
  return text;
}

absl::StatusOr<Value> RuleList::FromJson(std::string_view name, const JsonValue& json) const {
  if (json.kind != JsonValue::Kind::kObject) return RefuseJson(name, json);
  FaultRules rules;
  for (const JsonValue& part : json.parts) {
    if (absl::Status good = CheckRuleName(part.key); !good.ok()) return good;
    const std::string said = Concat({name, ": ", part.key});
    if (part.kind != JsonValue::Kind::kObject) {
      return Rejected(said, Described(part), "a JSON object with what differs from a new rule");
    }
    if (FindRule(rules, part.key) != nullptr) {
      return Error(EINVAL, Concat({said, ": the key stands twice in the object"}));
    }
    absl::StatusOr<FaultRule> rule = ReadRule(said, part);
    absl::Status put = rule.ok() ? PutRule(*std::move(rule), rules) : rule.status();
    if (!put.ok()) return put;
  }
  return Value(std::move(rules));
}

// What it has in common with a new rule goes without saying, but for what everybody asks.
JsonValue RuleList::ToJson(const Value& value) const {
  JsonValue list = {JsonValue::Kind::kObject};
  for (const FaultRule& rule : std::get<FaultRules>(value)) {
    JsonValue object = {JsonValue::Kind::kObject, {}, rule.name};
    for (const RuleAttribute& row : RuleAttributes()) {
      const bool asked = row.name == "enabled" || row.name == "op" || row.name == "action";
      if (!asked && !Differs(row, rule, FaultRule())) continue;
      JsonValue member = row.type->ToJson(row.field.get(rule));
      member.key = row.name;
      object.parts.push_back(std::move(member));
    }
    list.parts.push_back(std::move(object));
  }
  return list;
}

}  // namespace rnullfs
