#include "config/config_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/quantity.h"
#include "config/rate_text.h"
#include "config/wording.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

std::string JsonAccepts(const Attribute& row) {
  switch (KindOf(row)) {
    case AttributeKind::kBoolean:
      return "true or false, or 1 or 0";
    case AttributeKind::kWord:
      return Concat({Accepts(row), ", as a JSON string"});
    case AttributeKind::kRate: {
      const std::string_view suffixes = SuffixesOf(row.unit);
      return Concat({"a JSON number (", row.unit,
                     "), or an object with a number for \"read\" and one for \"write\"",
                     suffixes.empty() ? "" : ", or text with ", suffixes});
    }
    case AttributeKind::kRanges:
      return "a JSON array of \"FIRST-LAST\", in 512-byte sectors";
    case AttributeKind::kNumber:
      break;
  }
  const std::string_view suffixes = SuffixesOf(row.unit);
  return Concat({AcceptsPlain(row), ", as a JSON number", suffixes.empty() ? "" : ", or text with ",
                 suffixes});
}

const FaultGroup* FindGroup(std::string_view name) {
  for (const FaultGroup& group : FaultGroups()) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

// The keys of the object, or of the object of a directory in it.
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

}  // namespace

bool ConfigReader::key(string_t& name) {
  if (inside_ == Inside::kRefused) return true;
  if (inside_ == Inside::kRate) return SetRateKey(name);
  return SetKey(name);
}

bool ConfigReader::SetKey(std::string_view name) {
  const bool inner = inside_ == Inside::kGroup;
  const std::string_view directory = inner ? group_->name : std::string_view();
  if (!inner) group_ = FindGroup(name);
  row_ = FindAttribute(inner ? Concat({directory, "/", name}) : std::string(name));
  if (row_ != nullptr && (row_->read_only || DirectoryOf(*row_) != directory)) row_ = nullptr;
  const void* const found = row_ != nullptr ? static_cast<const void*>(row_) : group_;
  if (row_ == nullptr && (inner || group_ == nullptr)) {
    return Complain(UnknownKey(directory, name));
  }
  if (std::find(seen_.begin(), seen_.end(), found) != seen_.end()) {
    return Complain(Error(EINVAL, Concat({name, ": the key stands twice in the object"})));
  }
  seen_.push_back(found);
  return true;
}

bool ConfigReader::SetRateKey(std::string_view name) {
  const auto part = name == "read"    ? &RateLimit::read
                    : name == "write" ? &RateLimit::write
                                      : nullptr;
  if (part == nullptr || part == rate_part_) {
    rate_part_ = nullptr;
    return Refuse(Concat({"the key ", Shown(name)}));
  }
  rate_part_ = part;
  return true;
}

bool ConfigReader::SetRatePart(std::optional<uint64_t> value, std::string_view found) {
  if (rate_part_ == nullptr || !value.has_value() ||
      *value > std::numeric_limits<uint32_t>::max()) {
    return Refuse(found);
  }
  rate_.*rate_part_ = static_cast<uint32_t>(*value);
  return true;
}

bool ConfigReader::boolean(bool value) {
  const bool wanted =
      row_ != nullptr && KindOf(*row_) == AttributeKind::kBoolean && inside_ != Inside::kRefused;
  return wanted ? Set(value ? "1" : "0") : Refuse(value ? "true" : "false");
}

bool ConfigReader::number_unsigned(number_unsigned_t value) { return Number(absl::StrCat(value)); }

// The library reports "-0" here, too.
bool ConfigReader::number_integer(number_integer_t value) { return Number(absl::StrCat(value)); }

bool ConfigReader::Number(std::string_view digits) {
  const std::string found = Concat({"the number ", digits});
  if (row_ == nullptr || inside_ == Inside::kRefused) return Refuse(found);
  if (inside_ == Inside::kRate) return SetRatePart(ParseUnsigned(digits), found);
  const AttributeKind kind = KindOf(*row_);
  // As the file shows them.
  const bool zero_or_one = digits == "0" || digits == "1";
  if (kind == AttributeKind::kBoolean && inside_ != Inside::kRanges && zero_or_one) {
    return Set(digits);
  }
  const bool wanted = kind == AttributeKind::kNumber || kind == AttributeKind::kRate;
  // A negative number, where none is accepted, is refused as what it is in JSON.
  const bool negative = digits.starts_with('-') &&
                        !std::holds_alternative<FaultField>(row_->field) &&
                        !std::holds_alternative<FaultLeftField>(row_->field) &&
                        !std::holds_alternative<int32_t DeviceConfig::*>(row_->field);
  return wanted && inside_ != Inside::kRanges && !negative ? Set(digits) : Refuse(found);
}

// Fractions, exponents and integers beyond 64 bits.
bool ConfigReader::number_float(number_float_t /*value*/, const string_t& digits) {
  return Refuse(Concat({"the number ", Shown(digits)}));
}

bool ConfigReader::string(string_t& value) {
  if (inside_ == Inside::kRanges) return AddRange(value);
  const std::string found = Concat({"the text ", Quoted(value)});
  if (row_ == nullptr || inside_ == Inside::kRefused) return Refuse(found);
  // A number alone is written as one; a size may be text, as it always could.
  const bool bare = ParseUnsigned(value).has_value() && row_->unit != "MiB";
  if (inside_ == Inside::kRate) {
    return bare ? Refuse(found) : SetRatePart(ParseQuantity(value, row_->unit), found);
  }
  const bool word = std::find(row_->words.begin(), row_->words.end(), value) != row_->words.end();
  if (word) return Set(value);
  if (bare || row_->unit.empty()) return Refuse(found);
  const bool quantity = KindOf(*row_) == AttributeKind::kRate
                            ? !ParseRate(value, "").has_value() && ParseRate(value, row_->unit)
                            : ParseQuantity(value, row_->unit).has_value();
  return quantity ? Set(value) : Refuse(found);
}

bool ConfigReader::AddRange(std::string_view text) {
  // A sign of its own would make a command of it.
  const bool plain = !text.empty() && text[0] >= '0' && text[0] <= '9' &&
                     text.find_first_of(" \t\n\v\f\r+") == std::string_view::npos;
  const absl::Status marked =
      plain ? ranges_.Edit(Concat({"+", text})) : absl::InvalidArgumentError("");
  if (marked.ok()) return true;
  if (ErrnoOf(marked) == ENOSPC) return Complain(marked);
  return Refuse(Concat({"the text ", Quoted(text)}));
}

bool ConfigReader::null() { return Refuse("null"); }
bool ConfigReader::binary(binary_t& /*value*/) { return false; }  // not in JSON text

bool ConfigReader::start_object(std::size_t /*elements*/) {
  if (depth_ == 0) return Enter(Inside::kObject);
  if (depth_ == 1 && row_ == nullptr && group_ != nullptr) return Enter(Inside::kGroup);
  if (depth_ == 1 && row_ != nullptr && KindOf(*row_) == AttributeKind::kRate) {
    rate_ = {};
    rate_part_ = nullptr;
    return Enter(Inside::kRate);
  }
  Refuse("an object");
  return Enter(Inside::kRefused);
}

bool ConfigReader::start_array(std::size_t /*elements*/) {
  if (depth_ == 1 && row_ != nullptr && KindOf(*row_) == AttributeKind::kRanges) {
    ranges_ = {};
    return Enter(Inside::kRanges);
  }
  Refuse("an array");
  return Enter(Inside::kRefused);
}

bool ConfigReader::end_object() {
  if (depth_ == 2 && inside_ == Inside::kRate)
    settings_.config.*std::get<RateLimit DeviceConfig::*>(row_->field) = rate_;
  return Leave();
}

bool ConfigReader::end_array() {
  if (depth_ == 2 && inside_ == Inside::kRanges) settings_.state.badblocks = ranges_;
  return Leave();
}

bool ConfigReader::Enter(Inside inside) {
  ++depth_;
  inside_ = inside;
  return true;
}

bool ConfigReader::Leave() {
  if (--depth_ > 1) return true;  // still in what has been refused
  inside_ = Inside::kObject;
  row_ = nullptr;
  group_ = nullptr;
  return true;
}

// All that is left to complain of is a number beyond the range of a double.
bool ConfigReader::parse_error(std::size_t /*at*/, const std::string& token,
                               const nlohmann::detail::exception& /*error*/) {
  Refuse(Concat({"the number ", Shown(token)}));
  return false;
}

bool ConfigReader::Set(std::string_view text) {
  return Complain(StoreAttribute(*row_, text, settings_));
}

// What lies deeper than a value that has been refused is part of it.
bool ConfigReader::Refuse(std::string_view found) {
  if (inside_ == Inside::kRefused) return true;
  if (row_ != nullptr) return Complain(Rejected(row_->name, found, JsonAccepts(*row_)));
  if (group_ == nullptr || inside_ == Inside::kGroup) return true;  // the key was complained of
  return Complain(Rejected(group_->name, found, "a JSON object with the names of its files"));
}

bool ConfigReader::Complain(const absl::Status& status) {
  complaint_.Update(status);
  return true;
}

}  // namespace rnullfs
