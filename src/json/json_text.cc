#include "json/json_text.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "config/wording.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kObject = "one object, {...}";
constexpr std::string_view kNothing = "nothing more than one object";
constexpr std::string_view kSmaller = "a number that a double can hold";
constexpr std::string_view kHex = "four hexadecimal digits after \\u, surrogates in pairs";

// By what the library says of it; the first that is found counts.
constexpr std::pair<std::string_view, std::string_view> kExpected[] = {
    {"number overflow", kSmaller},
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

struct Judgement {
  JsonText text = JsonText::kComplete;
  size_t at = 0;                         // where what is invalid begins
  std::string_view expected = kNothing;  // what could stand there
};

bool Has(std::string_view message, std::string_view part) {
  return message.find(part) != std::string_view::npos;
}

// Hears the library's complaint of a text that begins with a brace.
class Listener final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Listener(std::string_view text) : text_(text) {}

  const Judgement& judgement() const { return judgement_; }

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*digits*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(size_t /*elements*/) override { return true; }
  bool key(string_t& /*name*/) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t /*elements*/) override { return true; }
  bool end_array() override { return true; }

  // `read` bytes have been taken when it complains, one more than there are at the end of the text.
  bool parse_error(size_t read, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    const std::string_view what = error.what();
    const std::string_view message = what.substr(0, what.find("; last read: "));  // not its text
    const bool behind = what.ends_with("; expected end of input");
    // The byte behind a number was looked at, and left for the next word.
    const bool number = Has(message, "unexpected number") || Has(message, "number overflow");
    judgement_ = {JsonText::kIncomplete, 0, behind ? kNothing : Expected(message)};
    if (behind || read + (number ? 1 : 0) <= text_.size()) {
      judgement_.text = JsonText::kInvalid;
      judgement_.at = WrongFrom(read, token, message);
    }
    return false;
  }

 private:
  static std::string_view Expected(std::string_view message) {
    for (const auto& [part, expected] : kExpected) {
      if (Has(message, part)) return expected;
    }
    return kObject;
  }

  // The first byte of a word that may not stand there, or the one that may not stand in a word.
  size_t WrongFrom(size_t read, const std::string& token, std::string_view message) const {
    if (read > text_.size()) return text_.rfind('}') + 1;
    const char last = text_[read - 1];
    const bool whole = Has(message, "unexpected");
    if (whole && (last == '"' || absl::ascii_isdigit(last))) return read - token.size();
    if (!whole && !Has(message, "invalid literal")) return read - 1;
    const std::string_view before = text_.substr(0, whole ? read : read - 1);
    for (const std::string_view literal : {"true", "false", "null"}) {
      for (size_t length = literal.size(); length > 0; --length) {
        if (before.ends_with(literal.substr(0, length))) return before.size() - length;
      }
    }
    return read - 1;
  }

  const std::string_view text_;
  Judgement judgement_;
};

Judgement Judge(std::string_view text) {
  // The library takes a NUL for the end of the text, and skips a byte order mark.
  const std::string_view head = text.substr(0, text.find('\0'));
  const size_t first = head.find_first_not_of(kSpace);
  Judgement judgement = {JsonText::kBlank, 0, kObject};
  if (first != std::string_view::npos && head[first] != '{') {
    judgement = {JsonText::kInvalid, first, kObject};
  } else if (first != std::string_view::npos) {
    Listener listener(head);
    nlohmann::json::sax_parse(head.begin(), head.end(), &listener);
    judgement = listener.judgement();
  }
  if (judgement.text != JsonText::kInvalid && head.size() < text.size()) {
    judgement.text = JsonText::kInvalid;
    judgement.at = head.size();
  }
  return judgement;
}

}  // namespace

JsonText ClassifyJson(std::string_view text) { return Judge(text).text; }

absl::Status CheckJson(std::string_view text) {
  constexpr size_t kExcerptBytes = 20;
  const Judgement judgement = Judge(text);
  const bool invalid = judgement.text == JsonText::kInvalid;
  if (invalid ? judgement.expected == kSmaller : judgement.text == JsonText::kComplete) {
    return absl::OkStatus();
  }
  if (!invalid) {
    return Error(EINVAL,
                 Concat({"config.json: the text ends too soon; it takes ", judgement.expected}));
  }
  const std::string_view before = text.substr(0, judgement.at);
  const size_t line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = before.size() - (before.rfind('\n') + 1) + 1;
  return Rejected(absl::StrCat("config.json: line ", line, ", column ", column),
                  Quoted(text.substr(judgement.at, kExcerptBytes)), judgement.expected);
}

}  // namespace rnullfs
