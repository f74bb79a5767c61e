// The lists that describe a state which somebody has made.

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "json/document.h"
#include "json/json.h"
#include "rnullfs/error.h"
#include "tree/crash.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

using Kind = CrashChoice::Kind;

constexpr std::string_view kOthers = "others";
constexpr std::string_view kNewest = "newest";

Kind KindOf(uint8_t view) {
  return view == kCrashWithout ? Kind::kWithout : view == kCrashOnly ? Kind::kOnly : Kind::kUnits;
}

std::string ChoiceText(DeviceNode& node, uint32_t id, Kind kind) {
  const std::shared_ptr<CrashStates> states = CrashStatesOf(node);
  const absl::StatusOr<CrashStates::Known> known =
      states == nullptr ? Error(ESTALE, "") : states->Get(id);
  if (!known.ok()) return {};
  const CrashChoice& choice = *known->choice;
  if (kind == Kind::kUnits && !choice.name.empty()) return absl::StrCat("\"", choice.name, "\"\n");
  if (!choice.name.empty() || choice.kind != kind) return {};
  JsonValue shown = {kind == Kind::kUnits ? JsonValue::Kind::kObject : JsonValue::Kind::kList};
  for (const uint64_t request : choice.requests) {
    shown.parts.push_back(JsonNumber(absl::StrCat(request)));
  }
  if (choice.others_newest) {
    shown.parts.push_back({JsonValue::Kind::kText, std::string(kNewest), std::string(kOthers)});
  }
  for (const auto& [index, version] : choice.units) {
    shown.parts.push_back(JsonNumber(absl::StrCat(version), absl::StrCat(index)));
  }
  return WriteJson(shown, JsonLayout::kDense) + "\n";
}

absl::StatusOr<CrashChoice> ReadChoice(Kind kind, std::string_view text) {
  const absl::Status wrong =
      Error(EINVAL, kind == Kind::kUnits
                        ? "choices: it takes a JSON object of units and the versions that they "
                          "have, {\"4711\": 2}, perhaps with \"others\": \"newest\"; or a name "
                          "that describes a state, \"before-81730\""
                        : "crash: it takes a JSON list of requests by number, [81730, 81733]");
  const absl::StatusOr<JsonValue> read = ReadJsonValue(text);
  if (!read.ok()) return wrong;
  const JsonValue& it = *read;
  if (kind == Kind::kUnits && it.kind == JsonValue::Kind::kText) {
    std::optional<CrashChoice> named = CrashChoice::Parse(it.text);
    return named ? absl::StatusOr<CrashChoice>(*std::move(named)) : wrong;
  }
  const auto wanted = kind == Kind::kUnits ? JsonValue::Kind::kObject : JsonValue::Kind::kList;
  if (it.kind != wanted) return wrong;
  CrashChoice choice = {.kind = kind};
  for (const JsonValue& part : it.parts) {
    if (kind == Kind::kUnits && part.key == kOthers && part.text == kNewest) {
      choice.others_newest = true;
      continue;
    }
    const std::optional<uint64_t> number = ParseNumber(part.text);
    if (part.kind != JsonValue::Kind::kNumber || !number) return wrong;
    if (kind != Kind::kUnits) {
      choice.requests.push_back(*number);
      continue;
    }
    const std::optional<uint64_t> index = ParseNumber(part.key);
    if (!index || *number > UINT32_MAX) return wrong;
    choice.units[*index] = static_cast<uint32_t>(*number);
  }
  return choice;
}

// Takes one write(2) as one list, whatever its offset, as an attribute's file does.
class ChoiceHandle final : public TextFile {
 public:
  ChoiceHandle(std::shared_ptr<DeviceNode> node, uint32_t id, Kind kind)
      : TextFile([node, id, kind] { return ChoiceText(*node, id, kind); }),
        node_(std::move(node)),
        id_(id),
        kind_(kind) {}
  absl::StatusOr<uint64_t> Write(uint64_t /*offset*/, std::string_view data,
                                 const Writer& writer) override {
    absl::Status chosen = Choose(TrimSpace(UpToNul(data)));
    const bool again = ErrnoOf(chosen) == EBUSY && writer.if_open == IfOpen::kAgain;
    if (again) return Error(EAGAIN, "the state is open");
    if (!chosen.ok()) return node_->Refuse(chosen);
    return data.size();
  }
  absl::Status Truncate(uint64_t /*length*/) override { return absl::OkStatus(); }

 private:
  absl::Status Choose(std::string_view text) {
    absl::StatusOr<CrashChoice> choice = ReadChoice(kind_, text);
    if (!choice.ok()) return choice.status();
    const std::shared_ptr<CrashStates> states = CrashStatesOf(*node_);
    if (states == nullptr) return Error(ESTALE, "crash: the disk has no history any more");
    return states->Choose(id_, *std::move(choice));
  }

  const std::shared_ptr<DeviceNode> node_;
  const uint32_t id_;
  const Kind kind_;
};

}  // namespace

std::unique_ptr<FileHandle> OpenCrashChoice(const std::shared_ptr<DeviceNode>& node, uint8_t view,
                                            uint32_t id) {
  return std::make_unique<ChoiceHandle>(node, id, KindOf(view));
}

}  // namespace rnullfs
