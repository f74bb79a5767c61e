// The JSON library's event parser, which does not recurse and builds nothing, goes over a text
// twice: what is no JSON is refused before any value is looked at.
#include "config/json.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/config_reader.h"
#include "config/document.h"
#include "config/json_text.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

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

void AddAttribute(std::string_view key, const Attribute& row, const DeviceConfig& config,
                  Document& document) {
  const std::string value = ValueText(row, config);
  switch (KindOf(row)) {
    case AttributeKind::kBoolean:
      document.AddBool(key, value == "1");
      break;
    case AttributeKind::kWord:
      document.AddText(key, value);
      break;
    case AttributeKind::kRate:
      AddRate(key, config.*std::get<RateLimit DeviceConfig::*>(row.field), document);
      break;
    case AttributeKind::kRanges:
      document.AddList(key, Ranges(config.badblocks));
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

std::string ShowJson(const DeviceConfig& config) {
  Document document;
  for (const Attribute& row : Attributes()) {
    if (row.read_only || !DirectoryOf(row).empty()) continue;
    AddAttribute(row.name, row, config, document);
  }
  for (const FaultGroup& group : FaultGroups()) {
    Document files;
    for (const Attribute& row : Attributes()) {
      if (DirectoryOf(row) != group.name) continue;
      AddAttribute(row.name.substr(group.name.size() + 1), row, config, files);
    }
    document.AddObject(group.name, files);
  }
  return document.Text();
}

absl::StatusOr<DeviceConfig> ApplyJson(std::string_view text, const DeviceConfig& config) {
  if (absl::Status status = CheckJson(text); !status.ok()) return status;
  ConfigReader reader(config);
  nlohmann::ordered_json::sax_parse(text.begin(), text.end(), &reader);
  if (!reader.complaint().ok()) return reader.complaint();
  return reader.config();
}

}  // namespace rnullfs
