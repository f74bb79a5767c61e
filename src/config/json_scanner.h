// The grammar of one JSON object (RFC 8259), a byte at a time.
//
// The JSON library reads whole tokens, and so finds out late: of `{t` it says that the text ends
// too soon, though no continuation can help.  Here each byte is refused at once or can be
// continued, which is what a text that arrives in pieces needs.  Text must be UTF-8, and escaped
// surrogates must come in pairs, as the library wants them.
//
// Invariant: unless Feed() returned false, some continuation makes the bytes so far one object and
// white space.
//
// Thread safety: as of a plain value.  Memory: one bit for each level of nesting; nothing recurses.
#ifndef RNULLFS_CONFIG_JSON_SCANNER_H_
#define RNULLFS_CONFIG_JSON_SCANNER_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace rnullfs {

class JsonScanner {
 public:
  // Takes the next byte.  False when no JSON object has it there; only Expected() may follow.
  bool Feed(char byte);

  bool blank() const { return state_ == State::kStart; }   // nothing but white space so far
  bool complete() const { return state_ == State::kEnd; }  // one object, and white space

  // What may come next, for a sentence: "a comma or }".
  std::string_view Expected() const;

 private:
  enum class State : uint8_t {
    // Between tokens, where white space is allowed.
    kStart,
    kFirstKey,  // or the end of an empty object
    kKey,
    kColon,
    kFirstElement,  // or the end of an empty array
    kValue,
    kSeparator,  // or the end of the object or array
    kEnd,
    // Within text.
    kText,
    kUtf8,    // continuation bytes are missing
    kEscape,  // behind a backslash
    kHex,
    kLowBackslash,  // of the escape that must follow a high surrogate's
    kLowU,
    // Within true, false or null.
    kLiteral,
    // Within a number; where it may end is said in EndsNumber().
    kMinus,
    kZero,
    kInteger,
    kPoint,
    kFraction,
    kExponent,
    kExponentSign,
    kExponentDigits,
  };

  static bool EndsNumber(State state);

  bool To(State state) {
    state_ = state;
    return true;
  }
  bool Open(bool object);
  bool Close();
  bool FeedBetween(uint8_t byte);
  bool BeginValue(uint8_t byte);
  bool BeginLiteral(std::string_view rest);
  bool FeedLiteral(uint8_t byte);
  bool FeedText(uint8_t byte);
  bool BeginUtf8(uint8_t byte);
  bool FeedUtf8(uint8_t byte);
  bool FeedEscape(uint8_t byte);
  bool BeginHex(bool low_surrogate);
  bool FeedHex(uint8_t byte);
  bool FeedNumber(uint8_t byte);

  State state_ = State::kStart;
  std::vector<bool> nesting_;      // for each open brace true, for each open bracket false
  bool text_is_key_ = false;       // within text
  std::string_view literal_rest_;  // within a literal: what is missing
  uint8_t utf8_missing_ = 0;       // within a character: continuation bytes,
  uint8_t utf8_min_ = 0;           // and the range the next one must lie in
  uint8_t utf8_max_ = 0;
  bool low_surrogate_ = false;  // within \u: whether a low surrogate is due
  uint8_t hex_digits_ = 0;
  uint32_t hex_value_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_JSON_SCANNER_H_
