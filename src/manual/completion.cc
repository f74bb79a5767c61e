#include "command_line/options.h"
#include "config/wording.h"
#include "manual/manual.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

// Where "-o" and its list stand is told from the line as typed: bash hands the words over broken at
// every "=", so that "size=8G,ro" arrives as three of them.
constexpr std::string_view kFunction = R"bash(
_rnullfs() {
  local cur=${COMP_WORDS[COMP_CWORD]} line=${COMP_LINE:0:COMP_POINT}
  local typed=${line##*[[:space:]]}
  local before=${line%"$typed"}
  local list=
  before=${before%"${before##*[![:space:]]}"}
  if [[ $before == *[[:space:]]-o ]]; then
    list=$typed
  elif [[ $typed == -o* ]]; then
    list=${typed#-o}
  elif [[ $typed == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '-f -o -h --help -V --version --upgrade --rescue --snapshots' -- "$cur")
    return
  else
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    compopt -o filenames
    return
  fi
  local last=${list##*,}
  [[ $last == *=* ]] && return
  local kept=${cur%"$last"}
  mapfile -t COMPREPLY < <(compgen -P "$kept" -W "$_rnullfs_options" -- "$last")
  compopt -o nospace
}
complete -F _rnullfs rnullfs
)bash";

}  // namespace

std::vector<std::string_view> AttributeOptions() {
  std::vector<std::string_view> names;
  for (const Attribute& row : Attributes()) {
    if (row.read_only || !DirectoryOf(row).empty()) continue;
    names.push_back(row.name);
    if (!row.alias.empty()) names.push_back(row.alias);
  }
  for (const FaultGroup& group : FaultGroups()) names.push_back(group.parameter);
  return names;
}

std::string BashCompletion() {
  std::string options;
  for (const std::string_view name : AttributeOptions()) options += Concat({name, "= "});
  for (const MountOption& option : MountOptionTable()) options += Concat({option.name, "= "});
  for (const std::string_view flag : MountFlags()) options += Concat({flag, " "});
  options.pop_back();
  return Concat({"# bash completion for rnullfs(8); made by rnullfs-generate completion.\n",
                 "_rnullfs_options='", options, "'\n", kFunction});
}

}  // namespace rnullfs
