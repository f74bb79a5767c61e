#include "config/wording.h"

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr size_t kMaxShownBytes = 40;

// Levenshtein's distance, one row of the matrix at a time.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool IsPlain(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("._+-/=").find(c) != std::string_view::npos;
}

}  // namespace

std::string Concat(std::initializer_list<std::string_view> pieces) {
  std::string result;
  for (const std::string_view piece : pieces) result += piece;
  return result;
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const unsigned char c : text.substr(0, kMaxShownBytes)) {
    if (c == '\n') {
      quoted += "\\n";
    } else if (!absl::ascii_isprint(c)) {
      quoted += absl::StrCat("\\x", absl::Hex(c, absl::kZeroPad2));
    } else {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += static_cast<char>(c);
    }
  }
  return quoted + (text.size() > kMaxShownBytes ? "...\"" : "\"");
}

std::string Shown(std::string_view text) {
  const bool plain = !text.empty() && text.size() <= kMaxShownBytes &&
                     std::all_of(text.begin(), text.end(), IsPlain);
  return plain ? std::string(text) : Quoted(text);
}

std::string Described(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBoolean:
      return value.text;
    case JsonValue::Kind::kNumber:
      return Concat({"the number ", Shown(value.text)});
    case JsonValue::Kind::kText:
      return Concat({"the text ", Quoted(value.text)});
    case JsonValue::Kind::kList:
      return "an array";
    case JsonValue::Kind::kObject:
      return "an object";
  }
  return {};
}

absl::Status Rejected(std::string_view name, std::string_view value, std::string_view accepts) {
  return Error(EINVAL, Concat({name, ": ", value, " is not accepted; it takes ", accepts}));
}

std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& candidates) {
  constexpr size_t kMaxDistance = 2;
  // A part of a name ("memory") counts as one slip, so that a nearer name still wins.
  constexpr size_t kMinPart = 4;
  if (name.size() > kMaxShownBytes) return {};
  std::string_view nearest;
  size_t nearest_distance = std::min(kMaxDistance, name.size() / 2) + 1;
  for (const std::string_view candidate : candidates) {
    const bool part = name.size() >= kMinPart && candidate.find(name) != std::string_view::npos;
    const size_t distance = part ? 1 : EditDistance(name, candidate);
    if (distance < nearest_distance) {
      nearest_distance = distance;
      nearest = candidate;
    }
  }
  if (nearest.empty()) return {};
  return Concat({" Did you mean ", nearest, "?"});
}

std::string Wrapped(std::string_view text, size_t indent, size_t width) {
  std::string result;
  size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > 0 && column + 1 + word.size() > width) {
      result += '\n';
      column = 0;
    }
    result += column == 0 ? std::string(indent, ' ') : " ";
    column += (column == 0 ? indent : 1) + word.size();
    result += word;
  }
  return result + '\n';
}

}  // namespace rnullfs
