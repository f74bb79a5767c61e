#include "rnullfs/attributes.h"

#include <cerrno>

#include "config/wording.h"
#include "rnullfs/error.h"

namespace rnullfs {

const Attribute* FindAttribute(std::string_view name) {
  for (const Attribute& row : Attributes()) {
    if (row.name == name || (row.alias_is_file && row.alias == name)) return &row;
  }
  return nullptr;
}

std::string_view DirectoryOf(const Attribute& attribute) {
  const size_t slash = attribute.name.find('/');
  return attribute.name.substr(0, slash == std::string_view::npos ? 0 : slash);
}

std::string_view FileOf(const Attribute& attribute) {
  return attribute.name.substr(attribute.name.find('/') + 1);  // all of it where there is none
}

absl::Status StoreAttribute(const Attribute& attribute, std::string_view text, Settings& settings) {
  if (attribute.read_only) {
    return Error(EACCES, Concat({attribute.name, ": the file is read-only"}));
  }
  const absl::StatusOr<Value> value =
      attribute.type->Parse(attribute.name, text, attribute.field.get(settings));
  if (value.ok()) attribute.field.set(settings, *value);
  return value.status();
}

std::string DefaultText(const Attribute& attribute) {
  const std::string value = ValueText(attribute, Settings());
  if (value.empty()) return "none";
  const std::string_view unit = attribute.type->unit();
  return unit.empty() ? value : Concat({value, " ", unit});
}

// The kernel's names first: the seed's six are the beginning of every version's line.
std::string FeaturesLine() {
  std::string line;
  const auto add = [&line](std::string_view name) {
    line += Concat({line.empty() ? "" : ",", name});
  };
  for (const bool ours : {false, true}) {
    for (const Attribute& row : Attributes()) {
      if (row.ours != ours || row.name == "power" || !DirectoryOf(row).empty()) continue;
      add(row.name);
      if (row.alias_is_file) add(row.alias);
    }
    if (ours) continue;
    for (const FaultGroup& group : FaultGroups()) add(group.name);
  }
  return line + '\n';
}

}  // namespace rnullfs
