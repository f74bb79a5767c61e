#include "records/state_records.h"

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/wording.h"
#include "json/document.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Json = nlohmann::json;

// --- A list of each struct's fields, for both ways ----------------------------------------------

// NLOHMANN_DEFINE_TYPE_...() takes such lists, but writes by the library's tree: to destroy one
// takes memory, of which there may be none where a record is saved.  And it would read 1.5 as 1,
// and leave aside what it does not know.
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
RNULLFS_FIELDS(DeviceRecord, id, name, request, config, created, ownership, memfd, opens,
               next_handle, backing_id, last_error, unfinished_json, writes_seen, stored_seen,
               unfinished_handle, unfinished_begin, unfinished_aside, texts, needs)
RNULLFS_FIELDS(MountRecord, memory_limit, next_id, ownership, removals, init, capabilities,
               counters_layout, counters, last_error, needs)

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
std::string ToText(const Attribute& row, const Settings& settings) {
  const Value value = row.field.get(settings);
  const std::string text = row.type->Text(value);
  const bool number =
      !std::holds_alternative<std::string>(value) && ParseUnsigned(text).has_value();
  return number ? text : JsonString(text);
}

template <typename T>
std::string ToText(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::integral<T>) {
    return absl::StrCat(value);
  } else if constexpr (std::same_as<T, std::string>) {
    return JsonString(ToUtf8(value));
  } else if constexpr (requires { typename T::mapped_type; }) {
    JsonListing pairs('[');
    for (const auto& [key, mapped] : value)
      pairs.Add(absl::StrCat("[", key, ",", ToText(mapped), "]"));
    return pairs.Close(']');
  } else if constexpr (requires { typename T::value_type; }) {
    JsonListing elements('[');
    for (const auto& element : value) elements.Add(ToText(element));
    return elements.Close(']');
  } else {
    JsonListing members('{');
    if constexpr (std::same_as<T, Settings>) {  // by the attributes' names
      for (const Attribute& row : Attributes()) members.Add(row.name, ToText(row, value));
    } else {
      ForEachField(value,
                   [&](const char* name, const auto& field) { members.Add(name, ToText(field)); });
    }
    if constexpr (requires { value.unknown; }) members.AddMembersOf(value.unknown);
    return members.Close('}');
  }
}

// --- Reading: false for what is no such value ---------------------------------------------------

template <typename T>
bool FromJson(const Json& json, T& value);

// What there is beside our fields; empty for none.
std::string UnknownText(const Json& others) { return others.empty() ? "" : others.dump(); }

template <typename T>
bool ReadFields(const Json& json, T& value) {
  if (!json.is_object()) return false;
  bool good = std::all_of(kRequired<T>.begin(), kRequired<T>.end(),
                          [&json](const char* name) { return json.contains(name); });
  Json others = json;
  ForEachField(value, [&](const char* name, auto& field) {
    const auto it = json.find(name);
    good = good && (it == json.end() || FromJson(*it, field));
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
  const bool is_number = FromJson(json, number);
  if (!is_number && !json.is_string()) return false;
  if (row.read_only) return is_number && FromJson(json, settings.config.index);
  // A word by its number is how version 0.1 wrote it.
  const absl::Span<const std::string_view> words = row.type->words();
  const bool word = is_number && !words.empty();
  if (word && number >= words.size()) return false;
  const std::string text = word        ? std::string(words[number])
                           : is_number ? absl::StrCat(number)
                                       : json.get<std::string>();
  if (text.empty() && ValueText(row, Settings()).empty()) return true;  // as it is
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
bool FromJson(const Json& json, T& value) {
  if constexpr (std::same_as<T, bool>) {
    if (json.is_boolean()) value = json.get<bool>();
    return json.is_boolean();
  } else if constexpr (std::integral<T>) {
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<T>(json.get<uint64_t>())
                          : json.is_number_integer() && std::in_range<T>(json.get<int64_t>());
    if (fits) value = json.get<T>();
    return fits;
  } else if constexpr (std::same_as<T, std::string>) {
    return json.is_string() && FromUtf8(json.get_ref<const std::string&>(), value);
  } else if constexpr (requires { typename T::mapped_type; }) {
    return json.is_array() && std::all_of(json.begin(), json.end(), [&](const Json& pair) {
             typename T::key_type key = 0;
             return pair.is_array() && pair.size() == 2 && FromJson(pair[0], key) &&
                    FromJson(pair[1], value[key]);
           });
  } else if constexpr (requires { typename T::value_type; }) {
    return json.is_array() && std::all_of(json.begin(), json.end(), [&](const Json& element) {
             return FromJson(element, value.emplace_back());
           });
  } else if constexpr (std::same_as<T, Settings>) {
    return ReadSettings(json, value);
  } else {
    return ReadFields(json, value);
  }
}

// What is kept unread is written by recursion: no record of ours nests as deep as that.
constexpr int kDepthMax = 64;

template <typename Record>
absl::StatusOr<Record> Read(std::string_view bytes, const char* what) {
  bool deep = false;
  const auto keep = [&deep](int depth, Json::parse_event_t /*event*/, const Json& /*value*/) {
    deep = deep || depth > kDepthMax;
    return !deep;
  };
  Record record;
  const Json json = Json::parse(bytes.begin(), bytes.end(), keep, /*allow_exceptions=*/false);
  if (deep || !FromJson(json, record)) {
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

std::string WriteRecord(const DeviceRecord& record) { return ToText(record); }
std::string WriteRecord(const MountRecord& record) { return ToText(record); }

absl::StatusOr<DeviceRecord> ReadDeviceRecord(std::string_view bytes) {
  return Read<DeviceRecord>(bytes, "a disk");
}

absl::StatusOr<MountRecord> ReadMountRecord(std::string_view bytes) {
  return Read<MountRecord>(bytes, "the mount");
}

}  // namespace rnullfs
