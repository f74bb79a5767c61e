#include "command_line/option_list.h"

#include <algorithm>
#include <utility>

#include "base/parse.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

bool IsFaultList(std::string_view option) {
  const auto groups = FaultGroups();
  return std::any_of(groups.begin(), groups.end(), [&](const FaultGroup& group) {
    return option.starts_with(Concat({group.parameter, "="}));
  });
}

// Takes the next option, and what ends it, off the front.
std::string TakeOption(std::string_view& list) {
  std::string option;
  bool quoted = false;
  while (!list.empty()) {
    const char c = list.front();
    list.remove_prefix(1);
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == ',' || TrimSpace({&c, 1}).empty())) {
      break;
    } else {
      option += c;
    }
  }
  return option;
}

}  // namespace

std::vector<std::string> SplitOptions(std::string_view list) {
  std::vector<std::string> options;
  while (!list.empty()) {
    std::string option = TakeOption(list);
    if (option.empty()) continue;
    // Of several numbers those behind the first belong to a list.
    if (!options.empty() && IsFaultList(options.back()) && ParseSigned(option).has_value()) {
      options.back() += Concat({",", option});
    } else {
      options.push_back(std::move(option));
    }
  }
  return options;
}

}  // namespace rnullfs
