// faults/ in a device's directory: mkdir makes a rule, rmdir removes it; in each there are its
// files, and beside them those of all rules (rule_files.h).
//
// Slots of the first view are 0 for the directory, the serials of rules, and behind them those of
// the two files.  In the second view a rule's files have its serial and their number.

#include "tree/fault_rules.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"
#include "tree/rule_files.h"

namespace rnullfs {
namespace {

class RuleDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  bool lasting() const override { return false; }  // a list may take it away

  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    for (const RuleFileName& file : RuleFileNames()) {
      if (file.name == name) return FindRuleFile(node_, RuleFilePlace(serial(), file.number));
    }
    return nullptr;
  }

 private:
  uint32_t serial() const { return SlotOf(place_); }
  Inode parent() const override { return MakeInode(node_->id(), MakePlace(kFaultRulesView, 0)); }
  // Offsets: by the place in the list.
  void ListBehind(uint64_t offset, Show show) override {
    const std::vector<RuleFileName>& files = RuleFileNames();
    for (uint64_t i = offset; i < files.size(); ++i) {
      const Inode inode = MakeInode(node_->id(), RuleFilePlace(serial(), files[i].number));
      if (!show(files[i].name, inode, S_IFREG, i + 1)) return;
    }
  }
};

class RulesDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;

  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    if (name == "new") return FindInFaultRules(node_, MakePlace(kFaultRulesView, kNewRuleSlot));
    if (name == "rules") return FindInFaultRules(node_, MakePlace(kFaultRulesView, kRulesSlot));
    const std::optional<uint32_t> serial = RuleSerialOf(*node_, name);
    return serial ? FindInFaultRules(node_, MakePlace(kFaultRulesView, *serial)) : nullptr;
  }

  absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                              const Creation& creation) override {
    if (name.size() > kNameMax) return NameTooLong();
    const Writer writer = {.request = creation.request, .if_open = creation.if_open};
    absl::Status made = node_->Edit(writer, [&](Settings& next) {
      if (FindRule(next.faults, name) != nullptr) {
        return Error(EEXIST, absl::StrCat("faults: there is a rule ", Visible(name), " already"));
      }
      return PutRule({.name = std::string(name)}, next.faults);
    });
    if (!made.ok()) return made;
    std::shared_ptr<Entry> rule = Lookup(name);
    return rule == nullptr ? absl::StatusOr<std::shared_ptr<Entry>>(NoSuchFile()) : rule;
  }

  absl::Status Remove(std::string_view name, uint64_t request, IfOpen if_open) override {
    return node_->Edit({.request = request, .if_open = if_open}, [&](Settings& next) {
      const auto there = RuleAt(next.faults, name);
      if (there == next.faults.end() || there->name != name) return NoSuchFile();
      next.faults.erase(there);
      return absl::OkStatus();
    });
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  uint64_t directories() const override { return node_->settings().faults.size(); }

  // Offsets: the slots; the serials are those of rules that are listed by name.
  void ListBehind(uint64_t offset, Show show) override {
    const auto tell = [&](std::string_view name, uint32_t slot, mode_t type) {
      return show(name, MakeInode(node_->id(), MakePlace(kFaultRulesView, slot)), type, slot);
    };
    std::vector<std::pair<uint32_t, std::string>> rules;
    for (const FaultRule& rule : node_->settings().faults) {
      const std::optional<uint32_t> serial = RuleSerialOf(*node_, rule.name);
      if (serial && *serial > offset) rules.emplace_back(*serial, rule.name);
    }
    std::sort(rules.begin(), rules.end());
    for (const auto& [serial, name] : rules) {
      if (!tell(name, serial, S_IFDIR)) return;
    }
    if (offset < kNewRuleSlot && !tell("new", kNewRuleSlot, S_IFREG)) return;
    if (offset < kRulesSlot) tell("rules", kRulesSlot, S_IFREG);
  }
};

}  // namespace

std::shared_ptr<Entry> FindInFaultRules(const std::shared_ptr<DeviceNode>& node, Place place) {
  const uint32_t slot = SlotOf(place);
  if (ViewOf(place) == kRuleFilesView) return FindRuleFile(node, place);
  if (slot == 0) return std::make_shared<RulesDirectory>(node, place, 0755);
  if (slot == kNewRuleSlot || slot == kRulesSlot) return MakeRulesFile(node, slot);
  if (!RuleNameOf(*node, slot)) return nullptr;
  return std::make_shared<RuleDirectory>(node, place, 0755);
}

}  // namespace rnullfs
