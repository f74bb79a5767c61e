#include "absl/strings/str_cat.h"
#include "command_line/options.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kIndent = 6;

constexpr std::string_view kBefore =
    R"(usage: rnullfs [-f] [-o option,...] mountpoint

Presents null block devices as directories: mkdir makes one, its files
configure it, writing 1 to power starts it, and its file disk is the disk.

  -f             stay in the foreground
  -o option,...  the options below; of several that contradict, the last wins
  -h, --help     print this text
  -V, --version  print the version
  --upgrade MNT  replace the processes of a mount by this program, under I/O
  --rescue PID DIRECTORY
                 copy the disks that the process holds (guard_pid) to DIRECTORY
  --snapshots    with --rescue: and their snapshots

What the disks made at the mount are set to, as with the files of these names:

)";

constexpr std::string_view kAfter = R"(
Every option, file and JSON key is explained in rnullfs(8) and rnullfs(5).
)";

std::string Entry(std::string_view heading, std::string_view text) {
  return Concat({"  ", heading, "\n", Wrapped(text, kIndent, kWidth)});
}

std::string AttributeEntry(const Attribute& row) {
  std::string text = Concat({row.summary, row.inert() ? " (no effect through FUSE)" : "",
                             "; takes ", row.type->Accepts(), "; default ", DefaultText(row)});
  if (row.alias_unit != 1) {
    text += Concat({"; ", row.alias, " counts in units of ", absl::StrCat(row.alias_unit), " ",
                    row.type->unit()});
  }
  std::string heading = Concat({row.name, "=VALUE"});
  if (!row.alias.empty()) heading += Concat({", ", row.alias, "=VALUE"});
  return Entry(heading, text);
}

}  // namespace

std::string HelpText() {
  std::string text(kBefore);
  for (const Attribute& row : Attributes()) {
    if (!row.read_only && DirectoryOf(row).empty()) text += AttributeEntry(row);
  }
  for (const FaultGroup& group : FaultGroups()) {
    text += Entry(Concat({group.parameter, "=INTERVAL,PROBABILITY,SPACE,TIMES"}),
                  Concat({group.summary, "; the files of the directory ", group.name}));
  }
  text += "\nOf the mount:\n\n";
  for (const MountOption& option : MountOptionTable()) {
    text += Entry(Concat({option.name, "=", option.value}), option.summary);
  }
  std::string flags;
  for (const std::string_view flag : MountFlags()) {
    flags += Concat({flags.empty() ? "" : ", ", flag});
  }
  text += Wrapped(flags, 2, kWidth) + Wrapped("as in mount(8)", kIndent, kWidth);
  return text += kAfter;
}

}  // namespace rnullfs
