#include "config/wording.h"
#include "manual/manual.h"
#include "rnullfs/attributes.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {

namespace {

// Of the option's other name, if it has one.
std::string Alias(const Attribute& row) {
  if (row.alias.empty()) return "";
  return Concat({row.alias_is_file ? " = `" : ", mount option also `", row.alias, "`"});
}

std::string Lines(std::string_view directory) {
  std::string lines;
  for (const Attribute& row : Attributes()) {
    if (DirectoryOf(row) != directory) continue;
    lines += Concat({"| `", FileOf(row), "`", Alias(row), " | ", DefaultText(row), " | ",
                     row.type->Accepts(), " | ", row.inert() ? "none" : "yes", " | ", row.summary,
                     row.ours ? " (ours)" : "", " |\n"});
  }
  return lines;
}

std::string RuleLines() {
  std::string lines;
  for (const RuleAttribute& row : RuleAttributes()) {
    lines += Concat({"| `", row.name, "` | ", row.type->Text(row.field.get(FaultRule())), " | ",
                     row.type->Accepts(), " | ", row.summary, " |\n"});
  }
  return lines;
}

}  // namespace

std::string ReadmeTable() {
  constexpr std::string_view kHead =
      "| Attribute | Default | Accepts | Effect | Meaning |\n"
      "|---|---|---|---|---|\n";
  std::string table = Concat({kHead, Lines("")});
  for (const FaultGroup& group : FaultGroups()) {
    table += Concat({"| `", group.name, "/`, mount option `", group.parameter,
                     "` | no fault | a directory, see below | yes | ", group.summary, " |\n"});
  }
  constexpr std::string_view kFaults =
      "\nEach directory of faults has the files of the kernel's fault_attr; the mount option takes "
      "interval, probability, space and times, with commas (`timeout=1,100,0,5`):\n\n";
  constexpr std::string_view kRules =
      "\nEach fault rule is a directory in `faults/` with these files, and with `seen`, `hits`, "
      "`pending` and `last`, which say what it has done:\n\n"
      "| File | Default | Accepts | Meaning |\n|---|---|---|---|\n";
  return Concat({table, kFaults, kHead, Lines(FaultGroups().front().name), kRules, RuleLines()});
}

}  // namespace rnullfs
