#include "config/wording.h"
#include "manual/manual.h"
#include "rnullfs/attributes.h"

namespace rnullfs {

namespace {

// Of the option's other name, if it has one.
std::string Alias(const Attribute& row) {
  if (row.alias.empty()) return "";
  return Concat({row.alias_is_file ? " = `" : ", mount option also `", row.alias, "`"});
}

std::string Line(const Attribute& row, std::string_view name) {
  return Concat({"| `", name, "`", Alias(row), " | ", DefaultText(row), " | ", row.type->Accepts(),
                 " | ", row.inert() ? "none" : "yes", " | ", row.summary, row.ours ? " (ours)" : "",
                 " |\n"});
}

}  // namespace

std::string ReadmeTable() {
  constexpr std::string_view kHead =
      "| Attribute | Default | Accepts | Effect | Meaning |\n"
      "|---|---|---|---|---|\n";
  std::string table(kHead);
  for (const Attribute& row : Attributes()) {
    if (DirectoryOf(row).empty()) table += Line(row, row.name);
  }
  for (const FaultGroup& group : FaultGroups()) {
    table += Concat({"| `", group.name, "/`, mount option `", group.parameter,
                     "` | no fault | a directory, see below | yes | ", group.summary, " |\n"});
  }
  table +=
      Concat({"\nEach directory of faults has the files of the kernel's fault_attr; the mount "
              "option takes interval, probability, space and times, with commas "
              "(`timeout=1,100,0,5`):\n\n",
              kHead});
  const std::string_view first = FaultGroups().front().name;
  for (const Attribute& row : Attributes()) {
    if (DirectoryOf(row) == first) table += Line(row, row.name.substr(first.size() + 1));
  }
  return table;
}

}  // namespace rnullfs
