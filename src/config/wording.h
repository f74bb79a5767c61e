// The words of this room's errors, so that a file, config.json and the command line refuse a value
// in the same sentence.
//
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_WORDING_H_
#define RNULLFS_CONFIG_WORDING_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

// The pieces one after the other.  (absl::StrCat() takes absl::string_view, which is a type of its
// own where the system's abseil was built for C++14.)
std::string Concat(std::initializer_list<std::string_view> pieces);

// `text` in double quotes, as a sentence can carry it: what is not printable ASCII escaped as in C,
// the end of a long one cut off.
std::string Quoted(std::string_view text);

// The same, but without quotes when it is one plain word.
std::string Shown(std::string_view text);

// What the value is to a sentence: `the number 5`, `the text "x"`, `an array`.
std::string Described(const JsonValue& value);

// EINVAL: "`name`: `value` is not accepted; it takes `accepts`".
absl::Status Rejected(std::string_view name, std::string_view value, std::string_view accepts);

// " Did you mean `x`?" with the candidate that `name` most likely is a slip for; empty when none
// is close.
std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& candidates);

// `text` broken between words, no line longer than `width` where that can be done; each line after
// `indent` spaces and ended by a newline.
std::string Wrapped(std::string_view text, size_t indent, size_t width);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_WORDING_H_
