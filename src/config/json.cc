// The scanner judges the grammar; what passes it is read by the JSON library's event parser, which
// does not recurse and builds nothing.
#include "config/json.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/document.h"
#include "config/json_scanner.h"
#include "config/size_text.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Json = nlohmann::ordered_json;

bool IsBoolean(const Attribute& row) {
  return std::holds_alternative<bool DeviceConfig::*>(row.field);
}

std::string JsonAccepts(const Attribute& row) {
  if (IsBoolean(row)) return "true or false";
  if (!row.words.empty()) return Concat({Accepts(row), ", as a JSON string"});
  if (row.size_suffix) return Concat({Accepts(row), ", or text with ", kSizeSuffixes});
  return Concat({Accepts(row), ", as a JSON number"});
}

absl::Status UnknownKey(std::string_view key) {
  std::vector<std::string_view> names;
  std::string list;
  for (const Attribute& row : Attributes()) {
    names.push_back(row.name);
    list += Concat({list.empty() ? "" : ", ", row.name});
  }
  return Error(EINVAL, Concat({Shown(key), ": there is no such key.", DidYouMean(key, names),
                               " The keys are ", list}));
}

// Sets in a configuration what the object's events say, and keeps the first complaint.
class ConfigReader final : public nlohmann::json_sax<Json> {
 public:
  explicit ConfigReader(const DeviceConfig& config) : config_(config) {}

  const DeviceConfig& config() const { return config_; }
  const absl::Status& complaint() const { return complaint_; }

  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    row_ = FindAttribute(name);
    if (row_ == nullptr) return Complain(UnknownKey(name));
    if (std::find(seen_.begin(), seen_.end(), row_) != seen_.end()) {
      return Complain(Error(EINVAL, Concat({name, ": the key stands twice in the object"})));
    }
    seen_.push_back(row_);
    return true;
  }

  bool boolean(bool value) override {
    if (!Wanted()) return true;
    return IsBoolean(*row_) ? Set(value ? 1 : 0) : Refuse(value ? "true" : "false");
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!Wanted()) return true;
    const bool number = !IsBoolean(*row_) && row_->words.empty();
    return number ? Set(value) : Refuse(absl::StrCat("the number ", value));
  }
  bool string(string_t& value) override {
    if (!Wanted()) return true;
    if (!row_->words.empty() && SetWord(*row_, value, config_).ok()) return true;
    const std::optional<uint64_t> size = row_->size_suffix ? ParseSizeMib(value) : std::nullopt;
    return size.has_value() ? Set(*size) : Refuse(Concat({"the text ", Quoted(value)}));
  }
  // The library reports "-0" here, too.
  bool number_integer(number_integer_t value) override {
    return value >= 0 ? number_unsigned(static_cast<number_unsigned_t>(value))
                      : Refuse(absl::StrCat("the number ", value));
  }
  // Fractions, exponents and integers beyond 64 bits.
  bool number_float(number_float_t /*value*/, const string_t& digits) override {
    return Refuse(Concat({"the number ", Shown(digits)}));
  }
  bool null() override { return Refuse("null"); }
  bool binary(binary_t& /*value*/) override { return false; }  // not in JSON text

  bool start_object(std::size_t /*elements*/) override {
    if (depth_ > 0) Refuse("an object");
    ++depth_;
    return true;
  }
  bool start_array(std::size_t /*elements*/) override {
    Refuse("an array");
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }

  // All that is left to complain of is a number beyond the range of a double.
  bool parse_error(std::size_t /*at*/, const std::string& token,
                   const nlohmann::detail::exception& /*error*/) override {
    Refuse(Concat({"the number ", Shown(token)}));
    return false;
  }

 private:
  // Whether a value belongs to a known key; what lies deeper has been refused as a whole.
  bool Wanted() const { return depth_ == 1 && row_ != nullptr; }

  bool Set(uint64_t value) { return Complain(SetValue(*row_, value, config_)); }

  bool Refuse(std::string_view found) {
    return Wanted() ? Complain(Rejected(row_->name, found, JsonAccepts(*row_))) : true;
  }

  bool Complain(const absl::Status& status) {
    complaint_.Update(status);
    return true;
  }

  DeviceConfig config_;
  absl::Status complaint_;
  std::vector<const Attribute*> seen_;
  const Attribute* row_ = nullptr;
  size_t depth_ = 0;
};

// How much of `text` the scanner takes; all of it, or up to the byte that no JSON object has there.
size_t Scan(std::string_view text, JsonScanner& scanner) {
  size_t taken = 0;
  while (taken < text.size() && scanner.Feed(text[taken])) ++taken;
  return taken;
}

absl::Status NotJson(std::string_view text, size_t at, const JsonScanner& scanner) {
  constexpr size_t kExcerptBytes = 20;
  if (at == text.size()) {
    return Error(EINVAL,
                 Concat({"config.json: the text ends too soon; it takes ", scanner.Expected()}));
  }
  const std::string_view before = text.substr(0, at);
  const size_t line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = at - (before.rfind('\n') + 1) + 1;
  return Rejected(absl::StrCat("config.json: line ", line, ", column ", column),
                  Quoted(text.substr(at, kExcerptBytes)), scanner.Expected());
}

}  // namespace

std::string ShowJson(const DeviceConfig& config) {
  Document document;
  for (const Attribute& row : Attributes()) {
    const uint64_t value = GetValue(row, config);
    if (IsBoolean(row)) {
      document.AddBool(row.name, value != 0);
    } else if (!row.words.empty()) {
      document.AddText(row.name, ValueText(row, config));
    } else {
      document.AddNumber(row.name, value);
    }
  }
  return document.Text();
}

JsonText ClassifyJson(std::string_view text) {
  JsonScanner scanner;
  if (Scan(text, scanner) < text.size()) return JsonText::kInvalid;
  if (scanner.blank()) return JsonText::kBlank;
  return scanner.complete() ? JsonText::kComplete : JsonText::kIncomplete;
}

absl::StatusOr<DeviceConfig> ApplyJson(std::string_view text, const DeviceConfig& config) {
  JsonScanner scanner;
  const size_t taken = Scan(text, scanner);
  if (taken < text.size() || !scanner.complete()) return NotJson(text, taken, scanner);
  ConfigReader reader(config);
  Json::sax_parse(text.begin(), text.end(), &reader);
  if (!reader.complaint().ok()) return reader.complaint();
  return reader.config();
}

}  // namespace rnullfs
