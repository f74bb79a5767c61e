// The scanner judges the grammar; what passes it is read by the JSON library's event parser.
#include "config/json.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "config/config_reader.h"
#include "config/document.h"
#include "config/json_scanner.h"
#include "config/json_value.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

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

std::string ShowJson(const Settings& settings) {
  Document document;
  for (const Attribute& row : Attributes()) {
    if (row.read_only || !DirectoryOf(row).empty()) continue;
    document.Add(row.name, row.type->ToJson(row.field.get(settings)));
  }
  for (const FaultGroup& group : FaultGroups()) {
    Document files;
    for (const Attribute& row : Attributes()) {
      if (DirectoryOf(row) != group.name) continue;
      files.Add(row.name.substr(group.name.size() + 1), row.type->ToJson(row.field.get(settings)));
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
  Settings next = settings;
  if (absl::Status status = ReadConfig(ReadJson(text), next); !status.ok()) return status;
  return next;
}

}  // namespace rnullfs
