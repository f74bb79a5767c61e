#include "base/visible.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rnullfs {
namespace {

// The first character of a text; a byte that begins none is a character of length 1 that is not
// `valid`.
struct Character {
  uint32_t code;
  size_t length;
  bool valid;
};

Character FirstOf(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {lead, 1, false};
  uint32_t code = lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {lead, 1, false};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {lead, 1, false};
  return {code, length, true};
}

bool IsControl(uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) return true;
  // Marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm.
  if (code == 0x061C || code == 0x200E || code == 0x200F) return true;
  return (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

// Calls `append` with the text's characters, one after the other.
template <typename Append>
void ForEachVisible(std::string_view text, Append append) {
  constexpr char kDigits[] = "0123456789abcdef";
  while (!text.empty()) {
    const Character first = FirstOf(text);
    const std::string_view bytes = text.substr(0, first.length);
    if (first.valid && !IsControl(first.code)) {
      append(bytes);
    } else {
      for (const unsigned char c : bytes) {
        const char escape[] = {'\\', 'x', kDigits[c >> 4], kDigits[c & 15]};
        append(std::string_view(escape, sizeof escape));
      }
    }
    text.remove_prefix(first.length);
  }
}

}  // namespace

bool HasControls(std::string_view text) {
  while (!text.empty()) {
    const Character first = FirstOf(text);
    if (first.valid && IsControl(first.code)) return true;
    text.remove_prefix(first.length);
  }
  return false;
}

std::string Visible(std::string_view text) {
  std::string visible;
  ForEachVisible(text, [&visible](std::string_view piece) { visible += piece; });
  return visible;
}

size_t VisibleInto(std::string_view text, char* to, size_t room) {
  size_t length = 0;
  ForEachVisible(text, [&](std::string_view piece) {
    if (piece.size() > room - length) room = length;  // nothing more
    if (room == length) return;
    std::memcpy(to + length, piece.data(), piece.size());
    length += piece.size();
  });
  return length;
}

}  // namespace rnullfs
