#include "config/json_scanner.h"

namespace rnullfs {
namespace {

bool IsSpace(uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }

bool IsDigit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

// The digit's value, or 16.
uint32_t HexValue(uint8_t byte) {
  if (IsDigit(byte)) return byte - '0';
  const uint8_t lower = byte | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

}  // namespace

bool JsonScanner::Feed(char c) {
  const auto byte = static_cast<uint8_t>(c);
  switch (state_) {
    case State::kText:
      return FeedText(byte);
    case State::kUtf8:
      return FeedUtf8(byte);
    case State::kEscape:
      return FeedEscape(byte);
    case State::kHex:
      return FeedHex(byte);
    case State::kLowBackslash:
      return byte == '\\' && To(State::kLowU);
    case State::kLowU:
      return byte == 'u' && BeginHex(/*low_surrogate=*/true);
    case State::kLiteral:
      return FeedLiteral(byte);
    case State::kMinus:
    case State::kZero:
    case State::kInteger:
    case State::kPoint:
    case State::kFraction:
    case State::kExponent:
    case State::kExponentSign:
    case State::kExponentDigits:
      // Only the byte behind a number tells that it has ended.
      if (FeedNumber(byte)) return true;
      if (!EndsNumber(state_)) return false;
      state_ = State::kSeparator;
      [[fallthrough]];
    default:
      return IsSpace(byte) || FeedBetween(byte);
  }
}

// --- Between tokens -----------------------------------------------------------------------------

bool JsonScanner::FeedBetween(uint8_t byte) {
  switch (state_) {
    case State::kStart:
      return byte == '{' && Open(/*object=*/true);
    case State::kFirstKey:
      if (byte == '}') return Close();
      [[fallthrough]];
    case State::kKey:
      text_is_key_ = true;
      return byte == '"' && To(State::kText);
    case State::kColon:
      return byte == ':' && To(State::kValue);
    case State::kFirstElement:
      if (byte == ']') return Close();
      [[fallthrough]];
    case State::kValue:
      return BeginValue(byte);
    case State::kSeparator:
      if (byte == ',') return To(nesting_.back() ? State::kKey : State::kValue);
      return byte == (nesting_.back() ? uint8_t{'}'} : uint8_t{']'}) && Close();
    default:
      return false;
  }
}

bool JsonScanner::BeginValue(uint8_t byte) {
  switch (byte) {
    case '{':
      return Open(/*object=*/true);
    case '[':
      return Open(/*object=*/false);
    case '"':
      text_is_key_ = false;
      return To(State::kText);
    case 't':
      return BeginLiteral("rue");
    case 'f':
      return BeginLiteral("alse");
    case 'n':
      return BeginLiteral("ull");
    case '-':
      return To(State::kMinus);
    case '0':
      return To(State::kZero);
    default:
      return IsDigit(byte) && To(State::kInteger);
  }
}

bool JsonScanner::Open(bool object) {
  nesting_.push_back(object);
  return To(object ? State::kFirstKey : State::kFirstElement);
}

bool JsonScanner::Close() {
  nesting_.pop_back();
  return To(nesting_.empty() ? State::kEnd : State::kSeparator);
}

// --- Literals and numbers -----------------------------------------------------------------------

bool JsonScanner::BeginLiteral(std::string_view rest) {
  literal_rest_ = rest;
  return To(State::kLiteral);
}

bool JsonScanner::FeedLiteral(uint8_t byte) {
  if (byte != static_cast<uint8_t>(literal_rest_.front())) return false;
  literal_rest_.remove_prefix(1);
  return literal_rest_.empty() ? To(State::kSeparator) : true;
}

bool JsonScanner::EndsNumber(State state) {
  return state == State::kZero || state == State::kInteger || state == State::kFraction ||
         state == State::kExponentDigits;
}

bool JsonScanner::FeedNumber(uint8_t byte) {
  const bool exponent = byte == 'e' || byte == 'E';
  switch (state_) {
    case State::kMinus:
      return IsDigit(byte) && To(byte == '0' ? State::kZero : State::kInteger);
    case State::kInteger:
      if (IsDigit(byte)) return true;
      [[fallthrough]];
    case State::kZero:
      if (byte == '.') return To(State::kPoint);
      return exponent && To(State::kExponent);
    case State::kPoint:
      return IsDigit(byte) && To(State::kFraction);
    case State::kFraction:
      return IsDigit(byte) || (exponent && To(State::kExponent));
    case State::kExponent:
      if (byte == '+' || byte == '-') return To(State::kExponentSign);
      [[fallthrough]];
    default:
      return IsDigit(byte) && To(State::kExponentDigits);
  }
}

// --- Text ---------------------------------------------------------------------------------------

bool JsonScanner::FeedText(uint8_t byte) {
  if (byte == '"') return To(text_is_key_ ? State::kColon : State::kSeparator);
  if (byte == '\\') return To(State::kEscape);
  if (byte >= 0x80) return BeginUtf8(byte);
  return byte >= 0x20;
}

// The Unicode standard's table 3-7: what a first byte demands of the bytes that follow.
bool JsonScanner::BeginUtf8(uint8_t byte) {
  if (byte < 0xc2 || byte > 0xf4) return false;
  utf8_missing_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  utf8_min_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
  utf8_max_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
  return To(State::kUtf8);
}

bool JsonScanner::FeedUtf8(uint8_t byte) {
  if (byte < utf8_min_ || byte > utf8_max_) return false;
  utf8_min_ = 0x80;
  utf8_max_ = 0xbf;
  return --utf8_missing_ == 0 ? To(State::kText) : true;
}

bool JsonScanner::FeedEscape(uint8_t byte) {
  if (byte == 'u') return BeginHex(/*low_surrogate=*/false);
  return byte != '\0' &&
         std::string_view("\"\\/bfnrt").find(static_cast<char>(byte)) != std::string_view::npos &&
         To(State::kText);
}

bool JsonScanner::BeginHex(bool low_surrogate) {
  low_surrogate_ = low_surrogate;
  hex_digits_ = 0;
  hex_value_ = 0;
  return To(State::kHex);
}

bool JsonScanner::FeedHex(uint8_t byte) {
  const uint32_t digit = HexValue(byte);
  if (digit > 15) return false;
  hex_value_ = hex_value_ * 16 + digit;
  ++hex_digits_;
  // The first two digits tell a surrogate: D8..DB a high one, DC..DF a low one.
  if (low_surrogate_ && hex_digits_ == 1 && hex_value_ != 0xd) return false;
  if (hex_digits_ == 2 && (hex_value_ >= 0xdc && hex_value_ <= 0xdf) != low_surrogate_)
    return false;
  if (hex_digits_ < 4) return true;
  const bool high_surrogate = hex_value_ >= 0xd800 && hex_value_ <= 0xdbff;
  return To(high_surrogate ? State::kLowBackslash : State::kText);
}

// --- For sentences ------------------------------------------------------------------------------

std::string_view JsonScanner::Expected() const {
  switch (state_) {
    case State::kStart:
      return "one object, {...}";
    case State::kFirstKey:
      return "a key in double quotes, or }";
    case State::kKey:
      return "a key in double quotes";
    case State::kColon:
      return "a colon";
    case State::kFirstElement:
    case State::kValue:
      return "a value: a number, true, false, or text in double quotes";
    case State::kEnd:
      return "nothing more than one object";
    case State::kText:
    case State::kUtf8:
      return "UTF-8 text without control characters, up to a double quote";
    case State::kEscape:
      return "one of \" \\ / b f n r t u after a backslash";
    case State::kHex:
    case State::kLowBackslash:
    case State::kLowU:
      return "four hexadecimal digits after \\u, surrogates in pairs";
    case State::kLiteral:
      return "true, false or null";
    case State::kMinus:
    case State::kPoint:
    case State::kExponent:
    case State::kExponentSign:
      return "a digit";
    default:  // behind a value
      return nesting_.back() ? "a comma or }" : "a comma or ]";
  }
}

}  // namespace rnullfs
