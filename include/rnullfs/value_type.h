// What kinds of values attributes have: a type reads a value as text and as JSON, shows it in both,
// and says what it takes.  Everything else about values asks the type: a file and a mount option
// are text, config.json is JSON, saved records are what Text() gives.
//
// A type is one file in src/config/types/, a class derived from this one, and an instance of it
// with its limits stands in the table (src/config/attribute_table.cc).  A type that needs another
// C++ type for its values adds it to Value, with ==, which tells whether an attribute has changed.
// A list of records is such a type, as the list of ranges is (types/ranges.h): Parse() edits
// `current`, a line of the text being a command; Show() has a line for each record; in JSON it is a
// list of objects, or of texts.
//
// Thread safety: types are constants, and their functions are pure.
// Errors: EINVAL with a sentence that begins with `name`, the attribute's; ENOSPC for more records
// than there may be.
#ifndef RNULLFS_VALUE_TYPE_H_
#define RNULLFS_VALUE_TYPE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "rnullfs/bad_blocks.h"
#include "rnullfs/device_config.h"
#include "rnullfs/fault_rule.h"

namespace rnullfs {

using Value = std::variant<bool, uint64_t, int64_t, RateLimit, BadBlocks, std::string, SectorRanges,
                           FaultDelay, FaultAmount, FaultRules>;

// A piece of JSON.  Not the JSON library's tree: to destroy one takes memory, of which there may be
// none.
struct JsonValue {
  enum class Kind : uint8_t { kNull, kBoolean, kNumber, kText, kList, kObject };

  Kind kind = Kind::kNull;
  std::string text = {};  // true, false, the digits of a number, a text
  std::string key = {};   // of an object's member
  std::vector<JsonValue> parts = {};
};

class ValueType {
 public:
  constexpr explicit ValueType(std::string_view unit = {}) : unit_(unit) {}

  // "bytes", "MiB", "ns" or empty.  Text may have a suffix of it (config/quantity.h).
  constexpr std::string_view unit() const { return unit_; }

  // Complete "it takes ...": "a power of two from 512 to 4096 (bytes), or one with the suffix K".
  virtual std::string Accepts() const = 0;
  virtual std::string AcceptsJson() const;

  // What a write of `text` makes of `current`.
  virtual absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                                      const Value& current) const = 0;
  // The text that Parse() makes the same of: "1", "auto", "100:50".  Empty for an empty list.
  virtual std::string Text(const Value& value) const = 0;
  // What the file shows.
  virtual std::string Show(const Value& value) const { return Text(value) + '\n'; }

  // For those that do not say otherwise JSON has Text() as a string.
  virtual absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const;
  virtual JsonValue ToJson(const Value& value) const;

  // The text that a mount option means which stands without one; empty: it may not.
  virtual std::string_view Alone() const { return {}; }
  // What values are called, by their numbers; empty where they have no names.
  virtual absl::Span<const std::string_view> words() const { return {}; }

 protected:
  ~ValueType() = default;  // nobody owns a type

  // EINVAL for a text, and for a piece of JSON.
  absl::Status Refuse(std::string_view name, std::string_view text) const;
  absl::Status RefuseJson(std::string_view name, const JsonValue& json) const;

  // `before` and what the unit's suffixes are called; empty for a unit without.
  std::string Suffixes(std::string_view before) const;

 private:
  std::string_view unit_;
};

}  // namespace rnullfs

#endif  // RNULLFS_VALUE_TYPE_H_
