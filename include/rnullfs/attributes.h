// THE table of attributes.  Everything an attribute appears in is made from its row: the file in
// the device's directory, the key in config.json, the mount option, `features`, --help, the manual
// page and the README.  A new attribute is one member of the settings, one row in
// src/config/attribute_table.cc, and the code that gives it meaning.
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

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rnullfs/settings.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

// How a row's value is read and written, as its type has it.
struct SettingsField {
  Value (*get)(const Settings& settings);
  void (*set)(Settings& settings, const Value& value);
};

// When a change shows in what the disk does.
enum class TakesEffect : uint8_t {
  kAtOnce,
  kPowerOn,
  kNextRequest,
  kNextOpen,  // of `disk`
  kNever,     // accepted and shown, but without effect through FUSE
};

struct Attribute {
  // The kernel's name: file, JSON key, mount option.  In "timeout_inject/times" a file in a
  // directory, a key in an object.
  std::string_view name;
  const ValueType* type;
  SettingsField field;
  std::string_view summary;  // one line, for --help, the manual and the README
  TakesEffect takes_effect = TakesEffect::kPowerOn;
  bool live = false;         // may be written while the device is powered,
  bool only_larger = false;  // but no smaller value than it has
  bool ours = false;         // no attribute of the kernel's drivers
  bool read_only = false;    // a file alone: neither JSON key nor mount option
  bool is_section = false;   // no file: a directory that the tree has (device_directory.h)
  // Another name: the module parameter's ("gb", "bs"), or, with alias_is_file, one for everything.
  // Multiply its value by alias_unit.
  std::string_view alias = {};
  uint64_t alias_unit = 1;
  bool alias_is_file = false;

  bool inert() const { return takes_effect == TakesEffect::kNever; }
};

// Every row: `power` first, then as they came to be.
absl::Span<const Attribute> Attributes();

// A directory of the kernel's fault_attr, whose files are rows of their own.
struct FaultGroup {
  std::string_view name;       // the directory
  std::string_view parameter;  // null_blk's: "interval,probability,space,times" in one
  std::string_view summary;
};
absl::Span<const FaultGroup> FaultGroups();

// The row with that name, or whose other file is called so; else null.
const Attribute* FindAttribute(std::string_view name);

// The directory that the row's file is in, "timeout_inject"; empty for the device's own.
std::string_view DirectoryOf(const Attribute& attribute);

// What the file is called in it, "times".
std::string_view FileOf(const Attribute& attribute);

// What the attribute's file shows: "1\n".
inline std::string ShowAttribute(const Attribute& attribute, const Settings& settings) {
  return attribute.type->Show(attribute.field.get(settings));
}

// What a write of `text` to the attribute's file does to `settings`; unchanged on an error.
absl::Status StoreAttribute(const Attribute& attribute, std::string_view text, Settings& settings);

// The value as text that StoreAttribute() makes the same of (in new settings, if it is a list):
// "1", "auto", "100:50".
inline std::string ValueText(const Attribute& attribute, const Settings& settings) {
  return attribute.type->Text(attribute.field.get(settings));
}

// What the attribute is when nothing has been said, with the unit: "4096 bytes".
std::string DefaultText(const Attribute& attribute);

// Whether the two differ in this row.
inline bool Differs(const Attribute& attribute, const Settings& a, const Settings& b) {
  return attribute.field.get(a) != attribute.field.get(b);
}

// The line the root's `features` shows, with its newline.
std::string FeaturesLine();

}  // namespace rnullfs

#endif  // RNULLFS_ATTRIBUTES_H_
