#include "config/state_records.h"

#include <cerrno>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/record_text.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Json = nlohmann::json;

// --- Both ways, by type: a list of a struct's fields serves reading and writing
// -------------------

// What a record cannot be without.
enum class Presence { kOptional, kRequired };
constexpr Presence kRequired = Presence::kRequired;

// Calls `field` with the name and the reference of each field, and kRequired.
template <typename Field>
void ForEachField(timespec& time, Field field) {
  field("sec", time.tv_sec);
  field("nsec", time.tv_nsec);
}

template <typename Field>
void ForEachField(Ownership& ownership, Field field) {
  field("mode", ownership.mode);
  field("uid", ownership.uid);
  field("gid", ownership.gid);
  field("accessed", ownership.accessed);
  field("modified", ownership.modified);
  field("changed", ownership.changed);
}

template <typename Field>
void ForEachField(OpenRecord& open, Field field) {
  field("handle", open.handle, kRequired);
  field("request", open.request);
  field("opener", open.opener);
  field("passthrough", open.passthrough);
}

template <typename Field>
void ForEachField(TextRecord& text, Field field) {
  field("request", text.request, kRequired);
  field("error", text.error);
}

template <typename Field>
void ForEachField(DeviceRecord& device, Field field) {
  field("id", device.id, kRequired);
  field("name", device.name, kRequired);
  field("request", device.request);
  field("config", device.settings, kRequired);
  field("created", device.created);
  field("ownership", device.ownership);
  field("memfd", device.memfd, kRequired);
  field("opens", device.opens);
  field("next_handle", device.next_handle);
  field("backing_id", device.backing_id);
  field("last_error", device.last_error);
  field("unfinished_json", device.unfinished_json);
  field("writes_seen", device.writes_seen);
  field("stored_seen", device.stored_seen);
  field("unfinished_handle", device.unfinished_handle);
  field("unfinished_begin", device.unfinished_begin);
  field("unfinished_aside", device.unfinished_aside);
  field("texts", device.texts);
  field("needs", device.needs);
}

template <typename Field>
void ForEachField(MountRecord& mount, Field field) {
  field("memory_limit", mount.memory_limit, kRequired);
  field("next_id", mount.next_id, kRequired);
  field("ownership", mount.ownership);
  field("removals", mount.removals);
  field("init", mount.init, kRequired);
  field("capabilities", mount.capabilities);
  field("counters_layout", mount.counters_layout);
  field("last_error", mount.last_error);
  field("counters", mount.counters);
  field("needs", mount.needs);
}

// --- Writing
// --------------------------------------------------------------------------------------

// Not by the JSON library's tree: to destroy one takes memory, and records are written where there
// may be none.

// A number as such, anything else as text.
std::string ToText(const Attribute& row, const Settings& settings) {
  const std::string text = ValueText(row, settings);
  const std::optional<uint64_t> number = ParseUnsigned(text);
  return number.has_value() ? absl::StrCat(*number) : JsonText(text);
}

template <typename T>
std::string ToText(T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::integral<T>) {
    return absl::StrCat(value);
  } else if constexpr (std::same_as<T, std::string>) {
    return JsonText(ToUtf8(value));
  } else if constexpr (requires { typename T::mapped_type; }) {
    JsonListing pairs('[');
    for (auto& [key, mapped] : value) pairs.Add(absl::StrCat("[", key, ",", ToText(mapped), "]"));
    return std::move(pairs).Close(']');
  } else if constexpr (requires { typename T::value_type; }) {
    JsonListing elements('[');
    for (auto& element : value) elements.Add(ToText(element));
    return std::move(elements).Close(']');
  } else {
    JsonListing members('{');
    if constexpr (std::same_as<T, Settings>) {  // by the attributes' names
      for (const Attribute& row : Attributes()) members.Add(row.name, ToText(row, value));
    } else {
      ForEachField(value, [&](const char* name, auto& field, Presence = Presence::kOptional) {
        members.Add(name, ToText(field));
      });
    }
    if constexpr (requires { value.unknown; }) members.AddMembersOf(value.unknown);
    return std::move(members).Close('}');
  }
}

template <typename Record>
std::string Write(Record record) {
  return ToText(record);
}

// --- Reading: false for what is no such value
// -----------------------------------------------------

template <typename T>
bool FromJson(const Json& json, T& value);

template <std::integral T>
bool ReadNumber(const Json& json, T& value) {
  if constexpr (std::same_as<T, bool>) {
    if (json.is_boolean()) value = json.get<bool>();
    return json.is_boolean();
  } else if (json.is_number_unsigned()) {
    const auto number = json.get<uint64_t>();
    value = static_cast<T>(number);
    return std::in_range<T>(number);
  } else if (json.is_number_integer()) {
    const auto number = json.get<int64_t>();
    value = static_cast<T>(number);
    return std::in_range<T>(number);
  } else {
    return false;
  }
}

// What there is beside our fields; empty for none.
std::string UnknownText(const Json& others) { return others.empty() ? "" : others.dump(); }

template <typename T>
bool ReadFields(const Json& json, T& value) {
  if (!json.is_object()) return false;
  bool good = true;
  Json others = json;
  ForEachField(value, [&](const char* name, auto& field, Presence presence = Presence::kOptional) {
    const auto it = json.find(name);
    good = good && (it == json.end() ? presence == Presence::kOptional : FromJson(*it, field));
    others.erase(name);
  });
  if constexpr (requires { value.unknown; }) {
    value.unknown = UnknownText(others);
    return good;
  }
  return good && others.empty();
}

// `index` is what nobody can write, and is kept all the same.
bool ReadAttribute(const Attribute& row, const Json& json, Settings& settings) {
  uint64_t number = 0;
  const bool is_number = ReadNumber(json, number);
  if (!is_number && !json.is_string()) return false;
  if (row.read_only) return is_number && ReadNumber(json, settings.config.index);
  // A word by its number is how version 0.1 wrote it.
  const bool word = is_number && !row.words.empty();
  if (word && number >= row.words.size()) return false;
  const std::string text = word        ? std::string(row.words[number])
                           : is_number ? absl::StrCat(number)
                                       : json.get<std::string>();
  if (text.empty()) return KindOf(row) == AttributeKind::kRanges;
  return StoreAttribute(row, text, settings).ok();
}

bool ReadSettings(const Json& json, Settings& settings) {
  if (!json.is_object()) return false;
  Json others = Json::object();
  for (const auto& [name, value] : json.items()) {
    const Attribute* row = FindAttribute(name);
    if (row == nullptr) {
      others[name] = value;
    } else if (!ReadAttribute(*row, value, settings)) {
      return false;
    }
  }
  settings.unknown = UnknownText(others);
  return true;
}

template <typename T>
bool ReadList(const Json& json, std::vector<T>& values) {
  if (!json.is_array()) return false;
  values.resize(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    if (!FromJson(json[i], values[i])) return false;
  }
  return true;
}

template <typename Key, typename T>
bool ReadMap(const Json& json, std::map<Key, T>& values) {
  if (!json.is_array()) return false;
  for (const Json& pair : json) {
    Key key = 0;
    if (!pair.is_array() || pair.size() != 2 || !ReadNumber(pair[0], key)) return false;
    if (!FromJson(pair[1], values[key])) return false;
  }
  return true;
}

template <typename T>
bool FromJson(const Json& json, T& value) {
  if constexpr (std::integral<T>) {
    return ReadNumber(json, value);
  } else if constexpr (std::same_as<T, std::string>) {
    return json.is_string() && FromUtf8(json.get_ref<const std::string&>(), value);
  } else if constexpr (std::same_as<T, Settings>) {
    return ReadSettings(json, value);
  } else if constexpr (requires { typename T::mapped_type; }) {
    return ReadMap(json, value);
  } else if constexpr (requires { typename T::value_type; }) {
    return ReadList(json, value);
  } else {
    return ReadFields(json, value);
  }
}

template <typename Record>
absl::StatusOr<Record> Read(std::string_view bytes, const char* what) {
  Record record;
  if (TooDeep(bytes) || !FromJson(Json::parse(bytes.begin(), bytes.end(), nullptr,
                                              /*allow_exceptions=*/false),
                                  record)) {
    return Error(EINVAL, absl::StrCat("the saved state of ", what,
                                      " is damaged, or of a later version of rnullfs"));
  }
  if (record.needs.empty()) return record;
  std::string needs;
  for (const std::string& need : record.needs) absl::StrAppend(&needs, " ", Shown(need));
  return Error(EINVAL, absl::StrCat("the saved state of ", what, " needs what this version of ",
                                    "rnullfs does not know:", needs, "; take a later version"));
}

}  // namespace

std::string WriteRecord(const DeviceRecord& record) { return Write(record); }
std::string WriteRecord(const MountRecord& record) { return Write(record); }

absl::StatusOr<DeviceRecord> ReadDeviceRecord(std::string_view bytes) {
  return Read<DeviceRecord>(bytes, "a disk");
}

absl::StatusOr<MountRecord> ReadMountRecord(std::string_view bytes) {
  return Read<MountRecord>(bytes, "the mount");
}

}  // namespace rnullfs
