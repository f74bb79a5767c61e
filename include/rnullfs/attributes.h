// THE table of attributes.  Everything an attribute appears in is made from its row: the file in
// the device's directory, the key in config.json, the mount option, `features`, --help, the manual
// page and the README.  A new attribute is one member of DeviceConfig, one row in attributes.cc,
// and the code that gives it meaning.
//
// Text follows configfs as null_blk and rnull use it (drivers/block/null_blk/main.c,
// drivers/block/rnull/configfs.rs, kstrtobool() in lib/kstrtox.c): integers are decimal or
// 0x-hexadecimal, white space around them is trimmed; booleans are told by their first one or two
// characters, white space before them is refused.
//
// Thread safety: the table is constant; the functions are pure.
// Errors: EINVAL with a sentence that names the attribute, the value and what is accepted.
#ifndef RNULLFS_ATTRIBUTES_H_
#define RNULLFS_ATTRIBUTES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rnullfs/device_config.h"

namespace rnullfs {

// Where a row's value lives.  The alternative also is its type: bool, u32, u64, irqmode or, told by
// one of the row's words, datapath.
using AttributeField =
    std::variant<bool DeviceConfig::*, uint32_t DeviceConfig::*, uint64_t DeviceConfig::*,
                 IrqMode DeviceConfig::*, DataPath DeviceConfig::*>;

struct Attribute {
  std::string_view name;  // the kernel's name: file, JSON key, mount option
  AttributeField field;
  std::string_view unit;     // "bytes", "MiB", "ns" or empty
  std::string_view accepts;  // completes "it takes ..."; e.g. "a power of two from 512 to 4096"
  std::string_view summary;  // one line, for --help, the manual and the README
  bool (*valid)(uint64_t value) = nullptr;  // beyond what the type allows; null: no check
  bool live = false;                        // may be written while the device is powered
  bool feature = true;                      // named in `features` (power is not)
  bool size_suffix = false;                 // as JSON and mount option also "1536M", "8G", "2T"
  // The module parameter of another name ("gb", "bs"); multiply its value by alias_unit.
  std::string_view alias = {};
  uint64_t alias_unit = 1;
  // What a value is called in text and JSON, by its number; empty: it is a number or a boolean.
  absl::Span<const std::string_view> words = {};
};

// Every row: `power` first, then in the order of `features`.
absl::Span<const Attribute> Attributes();

// The row with that name (not an alias), or null.
const Attribute* FindAttribute(std::string_view name);

// What the attribute's file shows: "1\n".
std::string ShowAttribute(const Attribute& attribute, const DeviceConfig& config);

// What a write of `text` to the attribute's file does to `config`; unchanged on an error.
absl::Status StoreAttribute(const Attribute& attribute, std::string_view text,
                            DeviceConfig& config);

// The value as an integer (a boolean is 0 or 1, irqmode and datapath their numbers).
uint64_t GetValue(const Attribute& attribute, const DeviceConfig& config);

// The same as it stands in text: "1", "auto".
std::string ValueText(const Attribute& attribute, const DeviceConfig& config);

// Sets a value by its word.  EINVAL when the row has no such word; `config` is unchanged then.
absl::Status SetWord(const Attribute& attribute, std::string_view word, DeviceConfig& config);

// Checks `value` against the row and sets it; `config` is unchanged on an error.
absl::Status SetValue(const Attribute& attribute, uint64_t value, DeviceConfig& config);

// Whether the two configurations differ in this row.
bool Differs(const Attribute& attribute, const DeviceConfig& a, const DeviceConfig& b);

// The line the root's `features` shows, with its newline.
std::string FeaturesLine();

}  // namespace rnullfs

#endif  // RNULLFS_ATTRIBUTES_H_
