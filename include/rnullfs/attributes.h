// THE table of attributes.  Everything an attribute appears in is made from its row: the file in
// the device's directory, the key in config.json, the mount option, `features`, --help, the manual
// page and the README.  A new attribute is one member of DeviceConfig, one row in attributes.cc,
// and the code that gives it meaning.
//
// Text follows configfs as null_blk and rnull use it (drivers/block/null_blk/main.c,
// drivers/block/rnull/configfs.rs, kstrtobool() in lib/kstrtox.c): integers are decimal or
// 0x-hexadecimal, with a plus sign or a unit's suffix if one likes ("8G"), white space around
// them is trimmed; booleans are told by their first one or two
// characters, white space before them is refused.
//
// Thread safety: the tables are constant; the functions are pure.
// Errors: EINVAL with a sentence that names the attribute, the value and what is accepted; ENOSPC
// for more bad blocks than there may be.
#ifndef RNULLFS_ATTRIBUTES_H_
#define RNULLFS_ATTRIBUTES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rnullfs/settings.h"

namespace rnullfs {

// A number of a FaultAttr, or of what is left of one.
struct FaultField {
  FaultAttr DeviceConfig::*group;
  int64_t FaultAttr::*number;
};
struct FaultLeftField {
  FaultLeft DeviceState::*group;
  int64_t FaultLeft::*number;
};

// Where a row's value lives.  The alternative also is its type.
using AttributeField =
    std::variant<bool DeviceConfig::*, uint32_t DeviceConfig::*, uint64_t DeviceConfig::*,
                 int32_t DeviceConfig::*, IrqMode DeviceConfig::*, DataPath DeviceConfig::*,
                 RateLimit DeviceConfig::*, BadBlocks DeviceState::*, FaultField, FaultLeftField>;

struct Attribute {
  // The kernel's name: file, JSON key, mount option.  In "timeout_inject/times" a file in a
  // directory, a key in an object.
  std::string_view name;
  AttributeField field;
  // "bytes", "MiB", "ns" or empty.  A value may have a suffix of it (config/quantity.h).
  std::string_view unit;
  std::string_view accepts;  // completes "it takes ..."; e.g. "a power of two from 512 to 4096"
  std::string_view summary;  // one line, for --help, the manual and the README
  // Beyond what the type allows (a negative number is 2^64 less its amount); null: no check.
  bool (*valid)(uint64_t value) = nullptr;
  bool live = false;       // may be written while the device is powered
  bool inert = false;      // accepted and shown, but without effect through FUSE
  bool ours = false;       // no attribute of the kernel's drivers
  bool read_only = false;  // a file alone: neither JSON key nor mount option
  // Another name: the module parameter's ("gb", "bs"), or, with alias_is_file, one for everything.
  // Multiply its value by alias_unit.
  std::string_view alias = {};
  uint64_t alias_unit = 1;
  bool alias_is_file = false;
  // What a value is called in text and JSON, by its number; empty: it is a number or a boolean.
  absl::Span<const std::string_view> words = {};
};

// Every row: `power` first, then as they came to be.
absl::Span<const Attribute> Attributes();

// A directory of the kernel's fault_attr, whose files are rows of their own.
struct FaultGroup {
  std::string_view name;       // the directory
  std::string_view parameter;  // null_blk's: "interval,probability,space,times" in one
  FaultAttr DeviceConfig::*attr;
  std::string_view summary;
};
absl::Span<const FaultGroup> FaultGroups();

// What a row's value is, for faces that have types.
enum class AttributeKind { kBoolean, kNumber, kWord, kRate, kRanges };
AttributeKind KindOf(const Attribute& attribute);

// The row with that name, or whose other file is called so; else null.
const Attribute* FindAttribute(std::string_view name);

// The directory that the row's file is in, "timeout_inject"; empty for the device's own.
std::string_view DirectoryOf(const Attribute& attribute);

// What the attribute's file shows: "1\n".
std::string ShowAttribute(const Attribute& attribute, const Settings& settings);

// What a write of `text` to the attribute's file does to `settings`; unchanged on an error.
absl::Status StoreAttribute(const Attribute& attribute, std::string_view text, Settings& settings);

// The value as text that StoreAttribute() makes the same of (in a new configuration, if it is a set
// of ranges): "1", "auto", "100:50".
std::string ValueText(const Attribute& attribute, const Settings& settings);

// Whether the two differ in this row.
bool Differs(const Attribute& attribute, const Settings& a, const Settings& b);

// The line the root's `features` shows, with its newline.
std::string FeaturesLine();

}  // namespace rnullfs

#endif  // RNULLFS_ATTRIBUTES_H_
