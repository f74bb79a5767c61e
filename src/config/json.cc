// The scanner judges the grammar; what passes it is read by the JSON library's event parser, which
// does not recurse and builds nothing.
#include "config/json.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/config_reader.h"
#include "config/document.h"
#include "config/json_scanner.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Json = nlohmann::ordered_json;

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

void AddRate(std::string_view key, const RateLimit& rate, Document& document) {
  if (rate.read == 0 && rate.write == 0) {
    document.AddNumber(key, rate.both);
    return;
  }
  Document parts;
  parts.AddNumber("read", rate.read).AddNumber("write", rate.write);
  document.AddObject(key, parts);
}

std::vector<std::string> Ranges(const BadBlocks& badblocks) {
  std::vector<std::string> ranges;
  for (const BadBlocks::Range& range : badblocks.ranges()) {
    ranges.push_back(absl::StrCat(range.first, "-", range.last));
  }
  return ranges;
}

void AddAttribute(std::string_view key, const Attribute& row, const Settings& settings,
                  Document& document) {
  const std::string value = ValueText(row, settings);
  switch (KindOf(row)) {
    case AttributeKind::kBoolean:
      document.AddBool(key, value == "1");
      break;
    case AttributeKind::kWord:
      document.AddText(key, value);
      break;
    case AttributeKind::kRate:
      AddRate(key, settings.config.*std::get<RateLimit DeviceConfig::*>(row.field), document);
      break;
    case AttributeKind::kRanges:
      document.AddList(key, Ranges(settings.state.badblocks));
      break;
    case AttributeKind::kNumber:
      if (value.starts_with('-')) {
        document.AddNegative(key, *ParseSigned(value));
      } else {
        document.AddNumber(key, *ParseUnsigned(value));
      }
  }
}

}  // namespace

std::string ShowJson(const Settings& settings) {
  Document document;
  for (const Attribute& row : Attributes()) {
    if (row.read_only || !DirectoryOf(row).empty()) continue;
    AddAttribute(row.name, row, settings, document);
  }
  for (const FaultGroup& group : FaultGroups()) {
    Document files;
    for (const Attribute& row : Attributes()) {
      if (DirectoryOf(row) != group.name) continue;
      AddAttribute(row.name.substr(group.name.size() + 1), row, settings, files);
    }
    document.AddObject(group.name, files);
  }
  return document.Text();
}

JsonText ClassifyJson(std::string_view text) {
  JsonScanner scanner;
  if (Scan(text, scanner) < text.size()) return JsonText::kInvalid;
  if (scanner.blank()) return JsonText::kBlank;
  return scanner.complete() ? JsonText::kComplete : JsonText::kIncomplete;
}

absl::StatusOr<Settings> ApplyJson(std::string_view text, const Settings& settings) {
  JsonScanner scanner;
  const size_t taken = Scan(text, scanner);
  if (taken < text.size() || !scanner.complete()) return NotJson(text, taken, scanner);
  ConfigReader reader(settings);
  Json::sax_parse(text.begin(), text.end(), &reader);
  if (!reader.complaint().ok()) return reader.complaint();
  return reader.settings();
}

}  // namespace rnullfs
