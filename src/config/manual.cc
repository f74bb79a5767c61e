#include "config/manual.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "config/manual_disk.h"
#include "config/manual_end.h"
#include "config/manual_keys.h"
#include "config/manual_options.h"
#include "config/manual_prose.h"
#include "config/manual_stages.h"
#include "config/mount_flags.h"
#include "config/mount_options.h"
#include "config/quantity.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

// What troff would take for a hyphen or an escape, as itself.
std::string Troff(std::string_view text) {
  return absl::StrReplaceAll({text.data(), text.size()}, {{"\\", "\\e"}, {"-", "\\-"}});
}

std::string Paragraph(std::string_view heading, std::string_view text) {
  return Concat({".TP\n", heading, "\n", text});
}

// A summary or a list of values as a sentence of its own.
std::string Sentence(std::string_view text) {
  std::string sentence = Troff(text);
  if (!sentence.empty() && sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] -= 'a' - 'A';
  return sentence + ".\n";
}

std::string AliasSentence(const Attribute& row) {
  if (row.alias_is_file) return Sentence(Concat({row.alias, " is another name for it"}));
  const std::string factor =
      row.alias_unit == 1
          ? ""
          : Concat({", in units of ", absl::StrCat(row.alias_unit), " ", row.type->unit()});
  return Sentence(Concat({"as a mount option also ", row.alias, factor}));
}

std::string AttributeParagraph(const Attribute& row, std::string_view name) {
  std::string text = Sentence(row.summary);
  if (row.inert()) text += Sentence("accepted and shown, but without effect through FUSE");
  text += Sentence(Concat({"takes ", row.type->Accepts()}));
  if (!row.alias.empty()) text += AliasSentence(row);
  text += Sentence(Concat({"default: ", DefaultText(row)}));
  return Paragraph(Concat({".B ", Troff(name)}), text);
}

std::string AttributeParagraphs() {
  std::string text;
  for (const Attribute& row : Attributes()) {
    if (DirectoryOf(row).empty()) text += AttributeParagraph(row, row.name);
  }
  for (const FaultGroup& group : FaultGroups()) {
    text += Paragraph(Concat({".B ", Troff(group.name), "/"}),
                      Sentence(Concat({"a directory: ", group.summary})));
  }
  return text;
}

// The files are the same in each of the directories.
std::string FaultParagraphs() {
  const std::string_view first = FaultGroups().front().name;
  std::string text;
  for (const Attribute& row : Attributes()) {
    if (DirectoryOf(row) != first) continue;
    text += AttributeParagraph(row, row.name.substr(first.size() + 1));
  }
  return text;
}

std::string MountParagraphs() {
  std::string flags;
  for (const std::string_view flag : MountFlags()) {
    flags += Concat({flags.empty() ? "" : ", ", flag});
  }
  const std::string devices =
      Concat({Sentence("how many disks to make at the mount, rnullb0 and up"),
              Sentence(absl::StrCat("takes 0 to ", kMaxDevicesAtMount)),
              Sentence(absl::StrCat("default: ", MountOptions().nr_devices))});
  const std::string memory =
      Concat({"Memory that all disks may take together; beyond it writes fail with\n.BR ENOSPC .\n"
              "A disk that is open through passthrough is charged whole.\n",
              Sentence(Concat({"takes none, or a number of MiB, or one with ", SuffixesOf("MiB")})),
              "Default: four fifths of what is available at the mount.\n"});
  return Concat(
      {Paragraph(".BI nr_devices= count", devices), Paragraph(".BI memory_limit= size", memory),
       Paragraph(".BR huge= never | advise | always", kManualHuge),
       Paragraph(".BR transport= auto | dev | uring", kManualTransport),
       Paragraph(".BR guard= on | off", kManualGuard),
       Paragraph(".BI fsname= name", "The source that\n.BR mount (8)\nand\n.BR df (1)\nshow.\n"),
       Paragraph(Concat({".B ", flags}), kManualMountFlags)});
}

}  // namespace

std::string ManualPage() {
  std::string page = Concat({kManualBeforeOptions, MountParagraphs(), kManualBeforeAttributes});
  page += Concat({AttributeParagraphs(), kManualFaults, FaultParagraphs(), kManualStages});
  page += Concat({kManualDisk, kManualKeys});
  return page += Concat({kManualAfterAttributes, kManualEnd});
}

}  // namespace rnullfs
