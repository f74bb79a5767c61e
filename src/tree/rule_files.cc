// The files of a device's fault rules: of each rule one for each of its attributes, and what it has
// counted; of all of them `new`, to which a line is written that makes a rule, and `rules`, which
// shows them as lines and takes a whole list.

#include "tree/rule_files.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/wording.h"
#include "device/fault_rule_table.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

constexpr uint64_t kTextBytesMax = uint64_t{1} << 20;

// --- What a rule's directory has ---------------------------------------------------------------

constexpr uint32_t kFilesOfRule = 32;  // a rule may have so many, those of attributes first
enum : uint32_t { kSeen = 28, kHits, kPending, kLast };

template <typename F>
auto WithRules(DeviceNode& node, F f) {
  return node.With([&](Disk& disk, const Doors& /*doors*/) {
    using Result = decltype(f(disk.medium()->fault_rules()));
    return disk.medium() == nullptr ? Result() : f(disk.medium()->fault_rules());
  });
}

// As a rule's own line says it: "81734 write 2048 8 error EIO".
std::string EventText(const FaultFile::Event& event) {
  FaultRule done = {.ops = event.op, .action = event.action};
  done.error = static_cast<uint32_t>(event.detail);
  done.delay.nsec = event.detail;
  done.corrupt = {.bytes = event.detail >> 32 != 0, .count = static_cast<uint32_t>(event.detail)};
  const auto text = [&done](std::string_view attribute) {
    const RuleAttribute& row = *FindRuleAttribute(attribute);
    return row.type->Text(row.field.get(done));
  };
  std::string line = absl::StrCat(event.sequence, " ", text("op"), " ", event.sector, " ",
                                  event.sectors, " ", text("action"));
  if (event.action == FaultAction::kError) absl::StrAppend(&line, " ", text("error"));
  if (event.action == FaultAction::kDelay) absl::StrAppend(&line, " ", text("delay"));
  if (event.action == FaultAction::kCorrupt) absl::StrAppend(&line, " ", text("corrupt"));
  // How many sectors have arrived; where the first one went, or came from.
  const bool numbered =
      event.action == FaultAction::kTorn || event.action == FaultAction::kMisdirected;
  if (numbered) absl::StrAppend(&line, " ", event.detail);
  return line + "\n";
}

std::string CountText(DeviceNode& node, const std::string& rule, uint32_t number) {
  return WithRules(node, [&](FaultRuleTable& rules) {
    std::string text;
    if (number == kLast) {
      for (const FaultFile::Event& event : rules.EventsOf(rule)) text += EventText(event);
      return text;
    }
    const FaultRuleTable::Counts counts = rules.CountsOf(rule).value_or(FaultRuleTable::Counts());
    return absl::StrCat(number == kSeen   ? counts.seen
                        : number == kHits ? counts.hits
                                          : counts.pending,
                        "\n");
  });
}

// --- Files ---------------------------------------------------------------------------------------

// One write(2) is one text, as of an attribute's file; `goes_on`: not the first of several, as a
// shell makes them, which writes line by line.
class RuleHandle final : public TextFile {
 public:
  using Take =
      std::function<absl::Status(std::string_view text, bool goes_on, const Writer& writer)>;
  // `take` is null where there is nothing to write.
  RuleHandle(std::function<std::string()> show, Take take)
      : TextFile(std::move(show)), take_(std::move(take)) {}

  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                 const Writer& writer) override {
    if (take_ == nullptr) return TextFile::Write(offset, data, writer);
    // tar(1) pads with NULs, as AttributeHandle has it; all of what is empty.
    if (!data.empty() && data.find_first_not_of('\0') == std::string_view::npos) return data.size();
    absl::Status taken = take_(UpToNul(data), offset > 0, writer);
    if (!taken.ok()) return taken;
    return data.size();
  }
  absl::Status Truncate(uint64_t /*length*/) override { return absl::OkStatus(); }

 private:
  const Take take_;
};

class RuleFile final : public DeviceEntry<File> {
 public:
  using DeviceEntry::DeviceEntry;

 private:
  uint32_t number() const { return SlotOf(place_) % kFilesOfRule; }
  const RuleAttribute* row() const {
    return number() < RuleAttributes().size() ? &RuleAttributes()[number()] : nullptr;
  }
  std::string_view name() const override {
    for (const RuleFileName& file : RuleFileNames()) {
      if (file.number == number()) return file.name;
    }
    return {};
  }
  bool writable() const override { return row() != nullptr; }

  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    const std::optional<std::string> rule = RuleNameOf(*node_, SlotOf(place_) / kFilesOfRule);
    if (!rule) return NoSuchFile();
    const std::string& name = *rule;
    if (row() == nullptr) {
      return std::make_unique<RuleHandle>(
          [node = node_, name, number = number()] { return CountText(*node, name, number); },
          nullptr);
    }
    const RuleAttribute& attribute = *row();
    const auto show = [node = node_, name, &attribute] {
      const Settings settings = node->settings();
      const FaultRule* const there = FindRule(settings.faults, name);
      return there == nullptr ? std::string() : attribute.type->Show(attribute.field.get(*there));
    };
    const auto take = [node = node_, name, &attribute](std::string_view text, bool /*goes_on*/,
                                                       const Writer& writer) {
      return node->Edit(writer, [&](Settings& next) {
        FaultRule* const there = FindRule(next.faults, name);
        if (there == nullptr) return Error(ENOENT, "the rule has been removed");
        return StoreRuleAttribute(attribute, Concat({"faults/", name, "/", attribute.name}), text,
                                  *there);
      });
    };
    return std::make_unique<RuleHandle>(show, take);
  }
};

// `new` and `rules`.
class RulesFile final : public DeviceEntry<File> {
 public:
  using DeviceEntry::DeviceEntry;

 private:
  bool lists() const { return SlotOf(place_) == kRulesSlot; }
  std::string_view name() const override { return lists() ? "rules" : "new"; }
  bool writable() const override { return true; }

  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    const Attribute& faults = *FindAttribute("faults");
    const auto take = [node = node_, lists = lists(), &faults](std::string_view text, bool goes_on,
                                                               const Writer& writer) {
      return node->Edit(writer, [&](Settings& next) {
        if (text.size() > kTextBytesMax) return Error(EFBIG, "faults: that is too much text");
        if (!lists && TrimSpace(text).empty()) return Error(EINVAL, "faults: a rule says nothing");
        const bool anew = lists && !goes_on;
        const absl::StatusOr<Value> rules = faults.type->Parse(
            faults.name, text, anew ? Value(FaultRules()) : faults.field.get(next));
        if (rules.ok()) faults.field.set(next, *rules);
        if (rules.ok() || !goes_on) return rules.status();
        return Error(ErrnoOf(rules.status()),
                     absl::StrCat(rules.status().message(),
                                  " (a list that comes in several writes has to be cut between its "
                                  "lines; cat does not cut it)"));
      });
    };
    const auto show = [node = node_, lists = lists(), &faults] {
      return lists ? ShowAttribute(faults, node->settings()) : std::string();
    };
    return std::make_unique<RuleHandle>(show, take);
  }
};

// --- Directories

}  // namespace

std::optional<std::string> RuleNameOf(DeviceNode& node, uint32_t serial) {
  return WithRules(node, [&](FaultRuleTable& rules) { return rules.NameOf(serial); });
}

std::optional<uint32_t> RuleSerialOf(DeviceNode& node, std::string_view name) {
  return WithRules(node, [&](FaultRuleTable& rules) {
    const auto counts = rules.CountsOf(name);
    return counts ? std::optional(counts->serial) : std::nullopt;
  });
}

const std::vector<RuleFileName>& RuleFileNames() {
  static const std::vector<RuleFileName>& files = *[] {
    auto* const all = new std::vector<RuleFileName>();
    for (const RuleAttribute& row : RuleAttributes()) {
      all->push_back({row.name, static_cast<uint32_t>(all->size())});
    }
    // Who copies a directory switches a rule on when it is what it is to be.
    std::rotate(all->begin(), all->begin() + 1, all->end());
    all->insert(all->end(),
                {{"seen", kSeen}, {"hits", kHits}, {"pending", kPending}, {"last", kLast}});
    return all;
  }();
  return files;
}

Place RuleFilePlace(uint32_t serial, uint32_t number) {
  return MakePlace(kRuleFilesView, serial * kFilesOfRule + number);
}

std::shared_ptr<Entry> FindRuleFile(const std::shared_ptr<DeviceNode>& node, Place place) {
  const uint32_t number = SlotOf(place) % kFilesOfRule;
  const bool is_row = number < RuleAttributes().size();
  if (!is_row && number < kSeen) return nullptr;
  if (!RuleNameOf(*node, SlotOf(place) / kFilesOfRule)) return nullptr;
  return std::make_shared<RuleFile>(node, place, is_row ? 0644 : 0444);
}

std::shared_ptr<Entry> MakeRulesFile(const std::shared_ptr<DeviceNode>& node, uint32_t slot) {
  return std::make_shared<RulesFile>(node, MakePlace(kFaultRulesView, slot), 0644);
}

}  // namespace rnullfs
