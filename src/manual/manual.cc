#include "manual/manual.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/types/span.h"
#include "command_line/options.h"
#include "config/quantity.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

// What scdoc would take for the beginning of another font, as itself.
std::string Escaped(std::string_view text) {
  return absl::StrReplaceAll({text.data(), text.size()},
                             {{"\\", "\\\\"}, {"*", "\\*"}, {"_", "\\_"}});
}

std::string Bold(std::string_view text) { return Concat({"*", Escaped(text), "*"}); }

// In a literal block, where scdoc breaks no line and no word.
std::string Block(absl::Span<const std::string_view> names) {
  constexpr size_t kWidth = 64;  // of 80, with the block's indentation
  std::string text;
  for (const std::string_view name : names) text += Concat({text.empty() ? "" : ", ", name});
  return Concat({"```\n", Wrapped(text, 0, kWidth), "```"});
}

// A summary or a list of values as a sentence of its own, in a line below a heading.
std::string Sentence(std::string_view text) {
  std::string sentence(text);
  if (!sentence.empty() && sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] -= 'a' - 'A';
  return Concat({"\t", Escaped(sentence), ".\n"});
}

std::string AliasSentence(const Attribute& row) {
  if (row.alias_is_file) return Concat({"\t", Bold(row.alias), " is another name for it.\n"});
  std::string unit;
  if (row.alias_unit != 1) {
    unit = Concat({", in units of ", absl::StrCat(row.alias_unit), " ", row.type->unit()});
  }
  return Concat({"\tAs a mount option also ", Bold(row.alias), unit, ".\n"});
}

std::string Paragraph(const Attribute& row) {
  std::string text = Concat({Bold(FileOf(row)), "\n", Sentence(row.summary)});
  // The others have a section of their own.
  if (row.inert() && !DirectoryOf(row).empty()) text += Sentence("without effect through FUSE");
  if (!row.read_only) {
    text += Sentence(Concat({"takes ", row.type->Accepts()}));
    text += Sentence(Concat({"default: ", DefaultText(row)}));
  }
  if (!row.alias.empty()) text += AliasSentence(row);
  return text + "\n";
}

std::string Paragraphs(std::string_view directory, bool inert) {
  std::string text;
  for (const Attribute& row : Attributes()) {
    if (DirectoryOf(row) == directory && row.inert() == inert) text += Paragraph(row);
  }
  return text;
}

std::string FaultDirectories() {
  std::string text;
  for (const FaultGroup& group : FaultGroups()) {
    text += Concat({Bold(Concat({group.name, "/"})), "\n", Sentence(group.summary),
                    "\tAs a mount option ", Bold(Concat({group.parameter, "="})),
                    "_interval_,_probability_,_space_,_times_.\n\n"});
  }
  return text;
}

std::string RuleFiles() {
  std::string text;
  for (const RuleAttribute& row : RuleAttributes()) {
    text +=
        Concat({Bold(row.name), "\n", Sentence(row.summary),
                Sentence(Concat({"takes ", row.type->Accepts()})),
                Sentence(Concat({"default: ", row.type->Text(row.field.get(FaultRule()))})), "\n"});
  }
  return text;
}

std::string LiveAttributes() {
  std::string text;
  for (const Attribute& row : Attributes()) {
    if (!row.live || !DirectoryOf(row).empty()) continue;
    text += Concat({text.empty() ? "" : ", ", Bold(row.name)});
    if (row.only_larger) text += " (to a larger one)";
  }
  return text;
}

// The first; other at signs are text.
std::string_view MarkerIn(std::string_view page) {
  for (size_t at = page.find('@'); at != std::string_view::npos; at = page.find('@', at + 1)) {
    const size_t end = page.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", at + 1);
    if (end != std::string_view::npos && end > at + 1 && page[end] == '@') {
      return page.substr(at, end + 1 - at);
    }
  }
  return {};
}

}  // namespace

absl::StatusOr<std::string> ManualPage(std::string_view source) {
  const std::string_view faults = FaultGroups().front().name;  // each has the same files
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"@VERSION@", RNULLFS_VERSION},
      {"@ATTRIBUTES@", Paragraphs("", /*inert=*/false)},
      {"@INERT_ATTRIBUTES@", Paragraphs("", /*inert=*/true)},
      {"@FAULT_DIRECTORIES@", FaultDirectories()},
      {"@FAULT_FILES@", Paragraphs(faults, /*inert=*/false) + Paragraphs(faults, /*inert=*/true)},
      {"@RULE_FILES@", RuleFiles()},
      {"@LIVE_ATTRIBUTES@", LiveAttributes()},
      {"@ATTRIBUTE_OPTIONS@", Block(AttributeOptions())},
      {"@MOUNT_FLAGS@", Block(MountFlags())},
      {"@DEVICES_MAX@", absl::StrCat(kMaxDevicesAtMount)},
      {"@DEVICES_DEFAULT@", absl::StrCat(MountOptions().nr_devices)},
      {"@SIZE_SUFFIXES@", std::string(SuffixesOf("MiB"))}};
  const std::string page = absl::StrReplaceAll({source.data(), source.size()}, texts);
  if (const std::string_view unknown = MarkerIn(page); !unknown.empty()) {
    return Error(EINVAL, Concat({"the manual page has nothing to put in for ", unknown}));
  }
  return page;
}

}  // namespace rnullfs
