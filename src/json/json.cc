// The JSON library's event parser goes over a text twice: what is no JSON is refused before any
// value is looked at.
#include "json/json.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/wording.h"
#include "json/document.h"
#include "json/json_text.h"
#include "json/json_value.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

const FaultGroup* FindGroup(std::string_view name) {
  for (const FaultGroup& group : FaultGroups()) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

// The row of a key in the object, or in the object of a directory in it.
const Attribute* FindRow(std::string_view directory, std::string_view key) {
  const Attribute* const row =
      FindAttribute(directory.empty() ? std::string(key) : Concat({directory, "/", key}));
  return row == nullptr || row->read_only || DirectoryOf(*row) != directory ? nullptr : row;
}

std::vector<std::string_view> KeysOf(std::string_view directory) {
  std::vector<std::string_view> keys;
  for (const Attribute& row : Attributes()) {
    if (row.read_only || DirectoryOf(row) != directory) continue;
    keys.push_back(directory.empty() ? row.name : row.name.substr(directory.size() + 1));
  }
  if (!directory.empty()) return keys;
  for (const FaultGroup& group : FaultGroups()) keys.push_back(group.name);
  return keys;
}

absl::Status UnknownKey(std::string_view directory, std::string_view key) {
  const std::vector<std::string_view> names = KeysOf(directory);
  return Error(EINVAL, Concat({directory, directory.empty() ? "" : ": ", Shown(key),
                               ": there is no such key.", DidYouMean(key, names),
                               " config.json shows those there are"}));
}

absl::Status ReadAttribute(const Attribute& row, const JsonValue& json, Settings& settings) {
  const absl::StatusOr<Value> value = row.type->FromJson(row.name, json);
  if (value.ok()) row.field.set(settings, *value);
  return value.status();
}

// What the members of the object, or of the object of a directory in it, say; up to the first that
// is refused.
absl::Status ReadMembers(const JsonValue& object, std::string_view directory, Settings& settings) {
  std::vector<const void*> seen;  // rows and groups: some have two names
  for (const JsonValue& member : object.parts) {
    const Attribute* const row = FindRow(directory, member.key);
    const FaultGroup* const group = directory.empty() ? FindGroup(member.key) : nullptr;
    const void* const found = row != nullptr ? static_cast<const void*>(row) : group;
    if (found == nullptr) return UnknownKey(directory, member.key);
    if (std::find(seen.begin(), seen.end(), found) != seen.end()) {
      return Error(EINVAL, Concat({member.key, ": the key stands twice in the object"}));
    }
    seen.push_back(found);
    absl::Status status;
    if (row != nullptr) {
      status = ReadAttribute(*row, member, settings);
    } else if (member.kind == JsonValue::Kind::kObject) {
      status = ReadMembers(member, group->name, settings);
    } else {
      status =
          Rejected(group->name, Described(member), "a JSON object with the names of its files");
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

std::string ShowJson(const Settings& settings) {
  Document document;
  for (const Attribute& row : Attributes()) {
    if (row.read_only || !DirectoryOf(row).empty()) continue;
    document.Add(row.name, row.type->ToJson(row.field.get(settings)));
  }
  for (const FaultGroup& group : FaultGroups()) {
    Document files;
    for (const Attribute& row : Attributes()) {
      if (DirectoryOf(row) != group.name) continue;
      files.Add(row.name.substr(group.name.size() + 1), row.type->ToJson(row.field.get(settings)));
    }
    document.AddObject(group.name, files);
  }
  return document.Text();
}

absl::StatusOr<Settings> ApplyJson(std::string_view text, const Settings& settings) {
  if (absl::Status status = CheckJson(text); !status.ok()) return status;
  Settings next = settings;
  if (absl::Status status = ReadMembers(ReadJson(text), {}, next); !status.ok()) return status;
  return next;
}

}  // namespace rnullfs
