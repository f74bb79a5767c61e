// Any text, written to every attribute.
//
// It is taken or refused whatever the other attributes are; when taken, only that attribute
// changes, and what it shows can be written back; when refused, nothing changes.

#include <cerrno>
#include <optional>

#include "base/parse.h"
#include "fuzz/fuzz_target.h"
#include "json/json.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

void RequireOnlyDiffersIn(const Attribute& row, const Settings& a, const Settings& b) {
  for (const Attribute& other : Attributes()) {
    Require(&other == &row || !Differs(other, a, b), "an attribute is changed alone");
  }
}

// What the row shows, in each of its faces, makes the same configuration again.
void RequireShowsWhatItTakes(const Attribute& row, const Settings& config) {
  const std::string text = ValueText(row, config);
  Settings again;
  const Value value = row.field.get(config);
  if (!std::holds_alternative<BadBlocks>(value) && !std::holds_alternative<FaultRules>(value)) {
    Require(ShowAttribute(row, config) == text + '\n', "a value is shown with a newline");
  }
  Require(text.empty() || StoreAttribute(row, text, again).ok(),
          "what is shown can be written back");
  Require(!Differs(row, config, again), "writing back what is shown changes nothing");
  const absl::StatusOr<Settings> from_json = ApplyJson(ShowJson(config), Settings());
  Require(from_json.ok() && *from_json == config, "config.json shows the same configuration");
}

void Store(const Attribute& row, std::string_view text) {
  const Settings before;
  Settings config = before;
  Settings other = OtherConfig();
  const absl::Status status = StoreAttribute(row, text, config);
  Require(StoreAttribute(row, text, other) == status, "what is accepted depends on the text alone");
  if (!status.ok()) {
    RequireRefusal(status, row.read_only ? EACCES : ErrnoOf(status) == ENOSPC ? ENOSPC : EINVAL);
    Require(std::string_view(status.message().data(), status.message().size()).find(row.name) == 0,
            "a refusal names the attribute");
    Require(config == before && other == OtherConfig(), "a refusal changes nothing");
    return;
  }
  RequireOnlyDiffersIn(row, config, before);
  RequireOnlyDiffersIn(row, other, OtherConfig());
  Require(!Differs(row, config, other), "the same text makes the same value");
  RequireShowsWhatItTakes(row, config);
  RequireShowsWhatItTakes(row, other);
}

// Numbers as the C library reads them, for texts that both should take.
void RequireSameNumber(std::string_view text) {
  const std::optional<uint64_t> value = ParseUnsigned(text);
  if (!value.has_value()) return;
  const std::string number(TrimSpace(text));
  const bool hexadecimal = number.size() > 1 && (number[1] == 'x' || number[1] == 'X');
  char* end = nullptr;
  errno = 0;
  Require(std::strtoull(number.c_str(), &end, hexadecimal ? 16 : 10) == *value && errno == 0 &&
              *end == '\0',
          "a number is read as strtoull() reads it");
}

}  // namespace
}  // namespace rnullfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = rnullfs::AsText(data, size);
  for (const rnullfs::Attribute& row : rnullfs::Attributes()) rnullfs::Store(row, text);
  rnullfs::RequireSameNumber(text);
  return 0;
}
