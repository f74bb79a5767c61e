#include "json/json.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/wording.h"
#include "json/document.h"
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

absl::Status NoObject(std::string_view text, const JsonReading& reading) {
  constexpr size_t kExcerptBytes = 20;
  if (reading.text != JsonText::kInvalid) {
    return Error(EINVAL,
                 Concat({"config.json: the text ends too soon; it takes ", reading.expected}));
  }
  const std::string_view before = text.substr(0, reading.at);
  const size_t line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = before.size() - (before.rfind('\n') + 1) + 1;
  return Rejected(absl::StrCat("config.json: line ", line, ", column ", column),
                  Quoted(text.substr(reading.at, kExcerptBytes)), reading.expected);
}

// The row of a key in the object, or in the object of a directory in it.
const Attribute* FindRow(std::string_view directory, std::string_view key) {
  const Attribute* const row =
      FindAttribute(directory.empty() ? std::string(key) : Concat({directory, "/", key}));
  return row == nullptr || row->read_only || DirectoryOf(*row) != directory ? nullptr : row;
}

absl::Status UnknownKey(std::string_view directory, std::string_view key) {
  std::vector<std::string_view> names;
  for (const Attribute& row : Attributes()) {
    if (!row.read_only && DirectoryOf(row) == directory) names.push_back(FileOf(row));
  }
  if (directory.empty()) {
    for (const FaultGroup& group : FaultGroups()) names.push_back(group.name);
  }
  return Error(EINVAL, Concat({directory, directory.empty() ? "" : ": ", Shown(key),
                               ": there is no such key.", DidYouMean(key, names),
                               " config.json shows those there are"}));
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
      const absl::StatusOr<Value> value = row->type->FromJson(row->name, member);
      if (value.ok()) row->field.set(settings, *value);
      status = value.status();
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

Document Members(std::string_view directory, const Settings& settings) {
  Document members;
  for (const Attribute& row : Attributes()) {
    if (row.read_only || DirectoryOf(row) != directory) continue;
    members.Add(FileOf(row), row.type->ToJson(row.field.get(settings)));
  }
  return members;
}

}  // namespace

std::string ShowJson(const Settings& settings) {
  Document document = Members({}, settings);
  for (const FaultGroup& group : FaultGroups()) {
    document.AddObject(group.name, Members(group.name, settings));
  }
  return document.Text();
}

// What is no JSON is refused before any value is looked at.
absl::StatusOr<Settings> ApplyJson(std::string_view text, const Settings& settings) {
  const JsonReading reading = ReadJson(text);
  if (reading.value.kind != JsonValue::Kind::kObject) return NoObject(text, reading);
  Settings next = settings;
  if (absl::Status status = ReadMembers(reading.value, {}, next); !status.ok()) return status;
  return next;
}

}  // namespace rnullfs
