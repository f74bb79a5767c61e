#include "tree/damage_file.h"

#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/parse.h"
#include "config/wording.h"
#include "damage/damage.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

constexpr std::string_view kHeal = "heal";

std::string DamageText(DeviceNode& node) {
  const std::vector<Damage::Range> ranges = node.With([](Disk& disk, const Doors& /*doors*/) {
    return disk.medium() == nullptr ? std::vector<Damage::Range>() : disk.medium()->damage().List();
  });
  const RuleAttribute& action = *FindRuleAttribute("action");
  std::string text;
  for (const Damage::Range& range : ranges) {
    const std::string what = action.type->Text(static_cast<uint64_t>(range.action));
    absl::StrAppend(&text, range.first, "-", range.last, " ", what, " ", range.rule, " ",
                    range.sequence, "\n");
  }
  return text;
}

// Takes one write(2) as one command, whatever its offset, as an attribute's file does.
class DamageHandle final : public TextFile {
 public:
  explicit DamageHandle(std::shared_ptr<DeviceNode> node)
      : TextFile([node] { return DamageText(*node); }), node_(std::move(node)) {}

  absl::StatusOr<uint64_t> Write(uint64_t /*offset*/, std::string_view data,
                                 const Writer& writer) override {
    absl::Status healed = HealDamage(*node_, data, writer);
    if (!healed.ok()) return healed;
    return data.size();
  }
  absl::Status Truncate(uint64_t /*length*/) override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<DeviceNode> node_;
};

bool IsSpace(char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }

// What is behind the word; empty: all.
absl::StatusOr<SectorRanges> RangesOf(std::string_view text) {
  const std::string_view words = TrimSpace(UpToNul(text));
  const std::string_view behind = words.substr(std::min(words.size(), kHeal.size()));
  const bool heals = words.starts_with(kHeal) && (behind.empty() || IsSpace(behind.front()));
  if (!heals) {
    return Error(EINVAL, absl::StrCat("damage: ", Shown(words),
                                      " was refused; it takes heal, for all of it, or heal and "
                                      "ranges of 512-byte sectors, heal 2048-4095"));
  }
  if (TrimSpace(behind).empty()) return SectorRanges();
  absl::StatusOr<Value> ranges =
      FindRuleAttribute("sectors")->type->Parse("damage", TrimSpace(behind), {});
  if (!ranges.ok()) return ranges.status();
  return std::get<SectorRanges>(*ranges);
}

}  // namespace

absl::Status HealDamage(DeviceNode& node, std::string_view text, const Writer& writer) {
  return node.Apply(writer, [&](Disk& disk, const Doors& /*doors*/, Owners& owners) {
    absl::StatusOr<SectorRanges> ranges = RangesOf(text);
    if (!ranges.ok()) return ranges.status();
    Damage& damage = disk.medium()->damage();
    if (ranges->empty()) damage.HealAll();
    for (const BadBlocks::Range& range : *ranges) damage.Heal(range.first, range.last);
    owners.DiskModified();
    KillPoint("damage-healed");
    return absl::OkStatus();
  });
}

uint64_t DamageFile::size() const { return DamageText(*node_).size(); }

absl::StatusOr<std::unique_ptr<FileHandle>> DamageFile::MakeHandle(int /*flags*/,
                                                                   uint64_t /*handle*/,
                                                                   std::string_view /*opener*/) {
  return std::make_unique<DamageHandle>(node_);
}

}  // namespace rnullfs
