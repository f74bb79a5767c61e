#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "json/json.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Kind = JsonValue::Kind;

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kObject = "one object, {...}";
constexpr std::string_view kNothing = "nothing more than one object";
constexpr std::string_view kSmaller = "a number that a double can hold";
constexpr std::string_view kHex = "four hexadecimal digits after \\u, surrogates in pairs";

constexpr int kNumberOverflow = 406;  // the exception's id

// By what the library says of it; the first that is found counts.
constexpr std::pair<std::string_view, std::string_view> kExpected[] = {
    {"invalid string: '\\u'", kHex},
    {"invalid string: surrogate", kHex},
    {"invalid string: forbidden character", "one of \" \\ / b f n r t u after a backslash"},
    {"invalid string", "UTF-8 text without control characters, up to a double quote"},
    {"invalid number", "a digit"},
    {"while parsing object key", "a key in double quotes"},
    {"while parsing object separator", "a colon"},
    {"while parsing object", "a comma or }"},
    {"while parsing array", "a comma or ]"},
    {"while parsing value", "a value: a number, true, false, or text in double quotes"},
};

bool Has(std::string_view message, std::string_view part) {
  return message.find(part) != std::string_view::npos;
}

std::string_view Expected(std::string_view message) {
  for (const auto& [part, expected] : kExpected) {
    if (Has(message, part)) return expected;
  }
  return kObject;
}

// Hears what the library reads in a text that begins with a brace, and its complaint.
class Listener final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Listener(std::string_view text, JsonReading& reading, bool judge)
      : text_(text), reading_(reading), judge_(judge) {}

  bool key(string_t& name) override {
    if (left_out_ == 0) key_ = std::move(name);
    return true;
  }
  bool null() override { return Add(Kind::kNull, {}); }
  bool boolean(bool value) override { return Add(Kind::kBoolean, value ? "true" : "false"); }
  bool number_unsigned(number_unsigned_t value) override {
    return Add(Kind::kNumber, absl::StrCat(value));
  }
  // The library reports "-0" here, too.
  bool number_integer(number_integer_t value) override {
    return Add(Kind::kNumber, absl::StrCat(value));
  }
  // Fractions, exponents and integers beyond 64 bits.
  bool number_float(number_float_t /*value*/, const string_t& digits) override {
    return Add(Kind::kNumber, digits);
  }
  bool string(string_t& value) override { return Add(Kind::kText, std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // not in JSON text
  bool start_object(size_t /*elements*/) override { return Open(Kind::kObject); }
  bool end_object() override { return Close(); }
  bool start_array(size_t /*elements*/) override { return Open(Kind::kList); }
  bool end_array() override { return Close(); }

  // `read` bytes have been taken when it complains, one more than there are at the end of the text.
  bool parse_error(size_t read, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    const std::string_view what = error.what();
    const std::string_view message = what.substr(0, what.find("; last read: "));  // not its text
    const bool overflow = error.id == kNumberOverflow;
    const bool whole = overflow || Has(message, "unexpected");  // a word, and not a byte in it
    const bool behind = open_.empty();
    // The byte behind a number was looked at, and left for the next word.
    const bool number = whole && absl::ascii_isdigit(text_[std::min(read, text_.size()) - 1]);
    reading_.expected = behind ? kNothing : overflow ? kSmaller : Expected(message);
    reading_.text = behind || read + (number ? 1 : 0) <= text_.size() ? JsonText::kInvalid
                                                                      : JsonText::kIncomplete;
    if (overflow && reading_.text == JsonText::kInvalid && !behind) {
      Add(Kind::kNumber, token);
      while (!open_.empty()) Close();
    } else {
      reading_.value = {};
    }
    reading_.at = WrongFrom(read, token, whole, Has(message, "invalid literal"));
    return false;
  }

 private:
  // The first byte of a word that may not stand there, or the one that may not stand in a word.
  size_t WrongFrom(size_t read, const std::string& token, bool whole, bool literal) const {
    if (read > text_.size()) return text_.rfind('}') + 1;
    const char last = text_[read - 1];
    if (whole && (last == '"' || absl::ascii_isdigit(last))) return read - token.size();
    const size_t end = whole ? read : read - 1;
    size_t begin = end;
    while ((whole || literal) && absl::ascii_islower(text_[begin - 1])) --begin;
    return std::min(begin, read - 1);
  }

  bool Add(Kind kind, std::string text) {
    if (left_out_ == 0) Put({kind, std::move(text), std::exchange(key_, {})});
    return true;
  }

  void Put(JsonValue value) {
    if (judge_) return;
    JsonValue& place = open_.empty() ? reading_.value : open_.back().parts.emplace_back();
    place = std::move(value);
  }

  bool Open(Kind kind) {
    if (left_out_ > 0 || open_.size() == kJsonLevelsMax) {
      ++left_out_;
      reading_.too_deep = true;
    } else {
      open_.push_back({kind, {}, std::exchange(key_, {})});
    }
    return true;
  }

  bool Close() {
    if (left_out_ > 0) {
      --left_out_;
      return true;
    }
    JsonValue whole = std::move(open_.back());
    open_.pop_back();
    Put(std::move(whole));
    return true;
  }

  const std::string_view text_;
  JsonReading& reading_;
  const bool judge_;
  std::vector<JsonValue> open_;  // from the outermost
  size_t left_out_ = 0;          // levels below kJsonLevelsMax
  std::string key_;              // of the value to come
};

}  // namespace

JsonReading ReadJson(std::string_view text, bool judge) {
  // The library takes a NUL for the end of the text, and skips a byte order mark.
  const std::string_view head = text.substr(0, text.find('\0'));
  const size_t first = head.find_first_not_of(kSpace);
  JsonReading reading = {.text = JsonText::kBlank, .expected = kObject};
  if (first != std::string_view::npos && head[first] != '{') {
    reading = {.text = JsonText::kInvalid, .at = first, .expected = kObject};
  } else if (first != std::string_view::npos) {
    reading = {.text = JsonText::kComplete, .expected = kNothing};
    Listener listener(head, reading, judge);
    nlohmann::json::sax_parse(head.begin(), head.end(), &listener);
  }
  if (reading.text != JsonText::kInvalid && head.size() < text.size()) {
    reading = {.text = JsonText::kInvalid, .at = head.size(), .expected = reading.expected};
  }
  return reading;
}

// By the parser of objects: as the only member of one.
absl::StatusOr<JsonValue> ReadJsonValue(std::string_view text) {
  JsonReading reading = ReadJson(absl::StrCat("{\"it\": ", std::string(text), "}"));
  if (reading.text != JsonText::kComplete || reading.too_deep || reading.value.parts.size() != 1) {
    return Error(EINVAL, "this is not JSON");
  }
  JsonValue value = std::move(reading.value.parts.front());
  value.key.clear();
  return value;
}

}  // namespace rnullfs
