#include "records/state_records.h"

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/wording.h"
#include "json/document.h"
#include "json/json.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Kind = JsonValue::Kind;

// --- A list of each struct's fields, for both ways ----------------------------------------------

// NLOHMANN_DEFINE_TYPE_...() takes such lists, but goes by the library's tree: to destroy one takes
// memory, of which there may be none where a record is saved.  And it would read 1.5 as 1, and
// leave aside what it does not know.
#define RNULLFS_FIELD(name) field(#name, record.name);

// ForEachField() calls `field` with the name and the reference of each field.
#define RNULLFS_FIELDS(Type, ...)                                         \
  template <typename Record, typename Field>                              \
  requires std::same_as<std::remove_const_t<Record>, Type>                \
  void ForEachField(Record& record, Field field) {                        \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(RNULLFS_FIELD, __VA_ARGS__)) \
  }

template <typename Record, typename Field>
requires std::same_as<std::remove_const_t<Record>, timespec>
void ForEachField(Record& time, Field field) {
  field("sec", time.tv_sec);
  field("nsec", time.tv_nsec);
}
RNULLFS_FIELDS(Ownership, mode, uid, gid, accessed, modified, changed)
RNULLFS_FIELDS(OpenRecord, handle, request, opener, passthrough)
RNULLFS_FIELDS(TextRecord, request, error)
RNULLFS_FIELDS(OriginKey, disk, snapshot, file_device, file_inode, file_bytes, file_modified)
RNULLFS_FIELDS(DeviceRecord, id, name, request, config, created, ownership, memfd, opens,
               next_handle, backing_id, last_error, unfinished_json, writes_seen, stored_seen,
               unfinished_handle, unfinished_begin, unfinished_aside, texts, origin, log, needs)
RNULLFS_FIELDS(MountRecord, memory_limit, next_id, ownership, removals, init, capabilities,
               counters_layout, counters, last_error, blackout, blackout_request, needs)

// What a record cannot be without; the other fields have their defaults.
using Names = std::initializer_list<const char*>;
template <typename T>
constexpr Names kRequired = {};
template <>
constexpr Names kRequired<OpenRecord> = {"handle"};
template <>
constexpr Names kRequired<TextRecord> = {"request"};
template <>
constexpr Names kRequired<DeviceRecord> = {"id", "name", "config", "memfd"};
template <>
constexpr Names kRequired<MountRecord> = {"memory_limit", "next_id", "init"};

// --- Bytes are text in which each is the character of its number (U+0000 to U+00FF) --------------

std::string ToUtf8(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

// `text` is valid UTF-8.  False for a character past U+00FF.
bool FromUtf8(std::string_view text, std::string& bytes) {
  bytes.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead > 0xC3) return false;
    bytes += lead < 0x80
                 ? text[i]
                 : static_cast<char>(lead << 6 | (static_cast<unsigned char>(text[++i]) & 0x3F));
  }
  return true;
}

// --- Writing ------------------------------------------------------------------------------------

// A number as such, anything else as text.
JsonValue ToJson(const Attribute& row, const Settings& settings) {
  const Value value = row.field.get(settings);
  std::string text = row.type->Text(value);
  const bool number =
      !std::holds_alternative<std::string>(value) && ParseUnsigned(text).has_value();
  return {number ? Kind::kNumber : Kind::kText, std::move(text)};
}

template <typename T>
JsonValue ToJson(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return {Kind::kBoolean, value ? "true" : "false"};
  } else if constexpr (std::integral<T>) {
    return {Kind::kNumber, absl::StrCat(value)};
  } else if constexpr (std::same_as<T, std::string>) {
    return {Kind::kText, ToUtf8(value)};
  } else if constexpr (requires { typename T::value_type; }) {
    JsonValue elements = {Kind::kList};
    for (const auto& element : value) elements.parts.push_back(ToJson(element));
    return elements;
  } else if constexpr (requires { value.second; }) {  // of a map
    JsonValue pair = {Kind::kList};
    pair.parts.push_back(ToJson(value.first));
    pair.parts.push_back(ToJson(value.second));
    return pair;
  } else {
    JsonValue object = {Kind::kObject};
    const auto add = [&object](std::string_view name, JsonValue member) {
      member.key = name;
      object.parts.push_back(std::move(member));
    };
    if constexpr (std::same_as<T, Settings>) {  // by the attributes' names
      for (const Attribute& row : Attributes()) add(row.name, ToJson(row, value));
    } else {
      ForEachField(value, [&](const char* name, const auto& field) { add(name, ToJson(field)); });
    }
    if constexpr (requires { value.unknown; }) {
      JsonReading others = ReadJson(value.unknown);
      for (JsonValue& member : others.value.parts) object.parts.push_back(std::move(member));
    }
    return object;
  }
}

// --- Reading: false for what is no such value ---------------------------------------------------

template <typename T>
bool FromJson(const JsonValue& json, T& value);

// `index` is what nobody can write, and is kept all the same.
bool ReadAttribute(const Attribute& row, const JsonValue& json, Settings& settings) {
  if (row.read_only) return FromJson(json, settings.config.index);
  uint64_t number = 0;
  const bool is_number = FromJson(json, number);
  if (!is_number && json.kind != Kind::kText) return false;
  // A word by its number is how version 0.1 wrote it.
  const absl::Span<const std::string_view> words = row.type->words();
  const bool word = is_number && !words.empty();
  if (word && number >= words.size()) return false;
  const std::string_view text = word ? words[number] : json.text;
  if (text.empty() && ValueText(row, Settings()).empty()) return true;  // as it is
  return StoreAttribute(row, text, settings).ok();
}

template <typename T>
bool ReadFields(const JsonValue& json, T& value) {
  bool good = std::all_of(kRequired<T>.begin(), kRequired<T>.end(), [&json](const char* name) {
    return std::any_of(json.parts.begin(), json.parts.end(),
                       [name](const JsonValue& member) { return member.key == name; });
  });
  JsonValue others = {Kind::kObject};
  for (const JsonValue& member : json.parts) {
    bool ours = false;
    if constexpr (std::same_as<T, Settings>) {
      const Attribute* const row = FindAttribute(member.key);
      ours = row != nullptr;
      good = good && (!ours || ReadAttribute(*row, member, value));
    } else {
      ForEachField(value, [&](const char* name, auto& field) {
        if (member.key != name) return;
        ours = true;
        good = good && FromJson(member, field);
      });
    }
    if (!ours) others.parts.push_back(member);
  }
  if constexpr (requires { value.unknown; }) {
    if (!others.parts.empty()) value.unknown = WriteJson(others, JsonLayout::kDense);
    return good;
  }
  return good && others.parts.empty();
}

template <typename T>
bool FromJson(const JsonValue& json, T& value) {
  const auto all_parts = [&json](auto read) {
    return json.kind == Kind::kList && std::all_of(json.parts.begin(), json.parts.end(), read);
  };
  if constexpr (std::same_as<T, bool>) {
    value = json.text == "true";
    return json.kind == Kind::kBoolean;
  } else if constexpr (std::integral<T>) {
    return json.kind == Kind::kNumber && absl::SimpleAtoi(json.text, &value);
  } else if constexpr (std::same_as<T, std::string>) {
    return json.kind == Kind::kText && FromUtf8(json.text, value);
  } else if constexpr (requires { typename T::mapped_type; }) {
    return all_parts([&](const JsonValue& pair) {
      typename T::key_type key = 0;
      return pair.kind == Kind::kList && pair.parts.size() == 2 && FromJson(pair.parts[0], key) &&
             FromJson(pair.parts[1], value[key]);
    });
  } else if constexpr (requires { typename T::value_type; }) {
    return all_parts(
        [&](const JsonValue& element) { return FromJson(element, value.emplace_back()); });
  } else {
    return json.kind == Kind::kObject && ReadFields(json, value);
  }
}

template <typename Record>
absl::StatusOr<Record> Read(std::string_view bytes, const char* what) {
  Record record;
  const JsonReading reading = ReadJson(bytes);
  if (reading.text != JsonText::kComplete || reading.too_deep || !FromJson(reading.value, record)) {
    return Error(EINVAL, absl::StrCat("the saved state of ", what,
                                      " is damaged, or of a later version of rnullfs"));
  }
  std::string needs;
  for (const std::string& need : record.needs) {
    const auto known = {kNeedsPast, kNeedsOrigin, kNeedsLog, kNeedsFaults, kNeedsCut, kNeedsDamage};
    if (std::find(known.begin(), known.end(), need) == known.end())
      absl::StrAppend(&needs, " ", Shown(need));
  }
  if (needs.empty()) return record;
  return Error(EINVAL, absl::StrCat("the saved state of ", what, " needs what this version of ",
                                    "rnullfs does not know:", needs, "; take a later version"));
}

}  // namespace

std::string WriteRecord(const DeviceRecord& record) {
  return WriteJson(ToJson(record), JsonLayout::kDense);
}

std::string WriteRecord(const MountRecord& record) {
  return WriteJson(ToJson(record), JsonLayout::kDense);
}

absl::StatusOr<DeviceRecord> ReadDeviceRecord(std::string_view bytes) {
  return Read<DeviceRecord>(bytes, "a disk");
}

absl::StatusOr<MountRecord> ReadMountRecord(std::string_view bytes) {
  return Read<MountRecord>(bytes, "the mount");
}

}  // namespace rnullfs
