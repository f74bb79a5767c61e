#include "rnullfs/attributes.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/wording.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMinBlockBytes = 512;
constexpr uint64_t kMaxBlockBytes = 4096;

// The kernel takes what a signed 64-bit ktime holds.  A request that is out for more than an hour
// cannot be told from a hung disk, and with this limit the sum of a time and a delay never
// overflows.
constexpr uint64_t kMaxCompletionNsec = uint64_t{3600} * 1'000'000'000;

bool IsBlockSize(uint64_t value) {
  return value >= kMinBlockBytes && value <= kMaxBlockBytes && (value & (value - 1)) == 0;
}

bool IsCompletionTime(uint64_t value) { return value <= kMaxCompletionNsec; }

constexpr std::string_view kDataPaths[] = {"auto", "passthrough", "daemon"};

constexpr std::string_view kBoolean = "1 or 0, also y/n, t/f, on/off";

constexpr Attribute kTable[] = {
    {.name = "power",
     .field = &DeviceConfig::power,
     .unit = "",
     .accepts = kBoolean,
     .summary = "1 starts the disk, 0 stops it; what it has stored stays",
     .live = true,
     .feature = false},
    {.name = "blocksize",
     .field = &DeviceConfig::blocksize,
     .unit = "bytes",
     .accepts = "a power of two from 512 to 4096",
     .summary = "logical block size",
     .valid = IsBlockSize,
     .alias = "bs"},
    {.name = "size",
     .field = &DeviceConfig::size,
     .unit = "MiB",
     .accepts = "a whole number",
     .summary = "capacity; one that cannot be had is refused at power-on",
     .size_suffix = true,
     .alias = "gb",
     .alias_unit = 1024},
    {.name = "rotational",
     .field = &DeviceConfig::rotational,
     .unit = "",
     .accepts = kBoolean,
     .summary = "whether the disk calls itself rotating; its timing stays the same"},
    {.name = "irqmode",
     .field = &DeviceConfig::irqmode,
     .unit = "",
     .accepts = "0 (none), 1 (soft) or 2 (timer)",
     .summary = "how a request completes: inline, from another thread, or after completion_nsec"},
    {.name = "completion_nsec",
     .field = &DeviceConfig::completion_nsec,
     .unit = "ns",
     .accepts = "0 to 3600000000000",
     .summary = "time from submission to completion when irqmode is 2",
     .valid = IsCompletionTime},
    {.name = "memory_backed",
     .field = &DeviceConfig::memory_backed,
     .unit = "",
     .accepts = kBoolean,
     .summary = "1 keeps what is written; with 0 reads give zeros and writes are dropped"},
    {.name = "datapath",
     .field = &DeviceConfig::datapath,
     .unit = "",
     .accepts = "auto, passthrough or daemon",
     .summary = "who serves what is opened from now on: the kernel by itself (passthrough), the "
                "daemon, or the first where it is possible; stats.json says which and why",
     .live = true,
     .words = kDataPaths},
};

template <typename T>
constexpr uint64_t MaxOf() {
  if constexpr (std::is_same_v<T, bool>) {
    return 1;
  } else if constexpr (std::is_same_v<T, IrqMode>) {
    return static_cast<uint64_t>(IrqMode::kTimer);
  } else if constexpr (std::is_same_v<T, DataPath>) {
    return static_cast<uint64_t>(DataPath::kDaemon);
  } else {
    return std::numeric_limits<T>::max();
  }
}

// False, and `config` unchanged, for a value the row does not accept.
bool TrySet(const Attribute& attribute, uint64_t value, DeviceConfig& config) {
  if (attribute.valid != nullptr && !attribute.valid(value)) return false;
  return std::visit(
      [&]<typename T>(T DeviceConfig::*member) {
        if (value > MaxOf<T>()) return false;
        config.*member = static_cast<T>(value);
        return true;
      },
      attribute.field);
}

std::optional<uint64_t> FindWord(const Attribute& attribute, std::string_view word) {
  const auto it = std::find(attribute.words.begin(), attribute.words.end(), word);
  if (it == attribute.words.end()) return std::nullopt;
  return static_cast<uint64_t>(it - attribute.words.begin());
}

std::optional<uint64_t> Parse(const Attribute& attribute, std::string_view text) {
  if (!attribute.words.empty()) return FindWord(attribute, TrimSpace(text));
  if (std::holds_alternative<bool DeviceConfig::*>(attribute.field)) return ParseBool(text);
  return ParseUnsigned(text);
}

}  // namespace

absl::Span<const Attribute> Attributes() { return kTable; }

const Attribute* FindAttribute(std::string_view name) {
  const auto* it = std::find_if(std::begin(kTable), std::end(kTable),
                                [&](const Attribute& row) { return row.name == name; });
  return it == std::end(kTable) ? nullptr : it;
}

std::string ShowAttribute(const Attribute& attribute, const DeviceConfig& config) {
  return ValueText(attribute, config) + '\n';
}

std::string ValueText(const Attribute& attribute, const DeviceConfig& config) {
  const uint64_t value = GetValue(attribute, config);
  if (!attribute.words.empty()) return std::string(attribute.words[value]);
  return absl::StrCat(value);
}

absl::Status SetWord(const Attribute& attribute, std::string_view word, DeviceConfig& config) {
  const std::optional<uint64_t> value = FindWord(attribute, word);
  if (value.has_value()) return SetValue(attribute, *value, config);
  return Rejected(attribute.name, Quoted(word), Accepts(attribute));
}

absl::Status StoreAttribute(const Attribute& attribute, std::string_view text,
                            DeviceConfig& config) {
  const std::optional<uint64_t> value = Parse(attribute, text);
  if (value.has_value() && TrySet(attribute, *value, config)) return absl::OkStatus();
  // The newline of echo is not shown; a space at the front is, it may be what is wrong.
  std::string_view shown = text;
  if (shown.ends_with('\n')) shown.remove_suffix(1);
  return Rejected(attribute.name, Shown(shown), Accepts(attribute));
}

uint64_t GetValue(const Attribute& attribute, const DeviceConfig& config) {
  return std::visit([&](auto member) { return static_cast<uint64_t>(config.*member); },
                    attribute.field);
}

absl::Status SetValue(const Attribute& attribute, uint64_t value, DeviceConfig& config) {
  if (TrySet(attribute, value, config)) return absl::OkStatus();
  return Rejected(attribute.name, absl::StrCat(value), Accepts(attribute));
}

bool Differs(const Attribute& attribute, const DeviceConfig& a, const DeviceConfig& b) {
  return GetValue(attribute, a) != GetValue(attribute, b);
}

std::string FeaturesLine() {
  std::string line;
  for (const Attribute& row : kTable) {
    if (!row.feature) continue;
    if (!line.empty()) line += ',';
    line += row.name;
  }
  return line + '\n';
}

}  // namespace rnullfs
