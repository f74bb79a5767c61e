// How the kernel reads a value out of the text written to an attribute.
//
// Thread safety: pure functions.
// Errors: std::nullopt where the kernel returns -EINVAL or -ERANGE; the caller has the sentence.
#ifndef RNULLFS_BASE_PARSE_H_
#define RNULLFS_BASE_PARSE_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace rnullfs {

// `text` without the ASCII white space around it.
std::string_view TrimSpace(std::string_view text);

// kstrtobool() in lib/kstrtox.c: the first character decides, after an "o" the second; what follows
// is not looked at.  White space before it is refused, unlike before an integer: both drivers hand
// the text to kstrtobool() as it was written, and a script should meet the same EINVAL here.
std::optional<bool> ParseBool(std::string_view text);

// An unsigned integer, decimal or with 0x hexadecimal, white space around it ignored: what rnull
// (trim() and parse()) and null_blk (kstrtouint() with base 0) have in common, and null_blk's
// hexadecimal.  A leading 0 means nothing (null_blk: octal).  A plus sign before it is taken, as
// kstrtoull() and parse() do, a minus sign is refused.
std::optional<uint64_t> ParseUnsigned(std::string_view text);

// A number as it is printed in decimal, and nothing else: no sign, no leading zero, no white space.
std::optional<uint64_t> ParseNumber(std::string_view text);

// The text that a C program means which writes the NUL, too: configfs puts one behind what was
// written, and the drivers read up to the first.
std::string_view UpToNul(std::string_view text);

// The same with a sign before it, if any.
std::optional<int64_t> ParseSigned(std::string_view text);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_PARSE_H_
