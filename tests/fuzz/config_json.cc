// Any text as config.json: at once, and in pieces as programs write it.
//
// The input is the text of a first write, at offset 0.  A NUL byte begins another call, which the
// next byte tells:
//   '>' TEXT        a write where the text before ended
//   '+' TEXT        the same with O_APPEND
//   '0' TEXT        a write at offset 0
//   '@' O O TEXT    a write at the offset in the two bytes, little-endian
//   '-' O O         ftruncate() to that length
//   '~'             the file is closed and opened again

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "json/json.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"
#include "tree/config_edit.h"

namespace rnullfs {
namespace {

// --- The text as a whole -----------------------------------------------------------------------

// Whether the JSON library takes it for one object; nothing when a number is too large for it, or
// with NUL bytes, one of which it takes for the end.
std::optional<bool> LibraryTakes(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (text.starts_with("\xef\xbb\xbf")) return false;  // it skips a byte order mark
  try {
    return nlohmann::json::parse(text).is_object();
  } catch (const nlohmann::json::parse_error&) {
    return false;
  } catch (const nlohmann::json::out_of_range&) {
    return std::nullopt;
  }
}

void RequireGrammar(std::string_view text) {
  const JsonText state = ClassifyJson(text);
  const std::optional<bool> library = LibraryTakes(text);
  Require(!library.has_value() || *library == (state == JsonText::kComplete),
          "an object is what the JSON library takes for one");
  if (state != JsonText::kInvalid) {
    Require(ClassifyJson(text.substr(0, text.size() / 2)) != JsonText::kInvalid &&
                ClassifyJson(text.substr(0, text.size() - (text.empty() ? 0 : 1))) !=
                    JsonText::kInvalid,
            "what a text begins with is not invalid unless the text is");
  }
  for (const char* more : {" ", "}", "\"", "0"}) {
    const JsonText longer = ClassifyJson(std::string(text) + more);
    if (state == JsonText::kInvalid) Require(longer == state, "no continuation helps");
    if (state == JsonText::kComplete) {
      Require(longer == (*more == ' ' ? state : JsonText::kInvalid), "white space may follow");
    }
  }
}

// Each attribute is set to the same value whatever it was, or left as it was.
void RequireSameChange(const Settings& config, const Settings& other) {
  for (const Attribute& row : Attributes()) {
    const bool left = !Differs(row, config, Settings()) && !Differs(row, other, OtherConfig());
    Require(left || !Differs(row, config, other), "a key's value alone decides");
  }
}

void RequireAgreement(std::string_view text) {
  const absl::StatusOr<Settings> config = ApplyJson(text, Settings());
  const absl::StatusOr<Settings> other = ApplyJson(text, OtherConfig());
  Require(config.status() == other.status(), "what is accepted depends on the text alone");
  if (!config.ok()) {
    // ENOSPC is for bad blocks alone.
    return RequireRefusal(config.status(), ErrnoOf(config.status()) == ENOSPC ? ENOSPC : EINVAL);
  }
  Require(ClassifyJson(text) == JsonText::kComplete, "what is applied is one object");
  RequireSameChange(*config, *other);
  for (const Settings& applied : {*config, *other}) {
    const std::string shown = ShowJson(applied);
    Require(ClassifyJson(shown) == JsonText::kComplete, "what is shown is one object");
    const absl::StatusOr<Settings> again = ApplyJson(shown, Settings());
    Require(again.ok() && *again == applied, "what is shown makes the same configuration");
    const absl::StatusOr<Settings> twice = ApplyJson(text, applied);
    Require(twice.ok() && *twice == applied, "applying a text twice is applying it once");
  }
}

// --- The text in pieces ------------------------------------------------------------------------

// A file config.json, and what has been written to it.
class File {
 public:
  void Write(uint64_t offset, std::string_view data, bool append) {
    const Settings before = config_;
    int calls = 0;
    absl::Status applied;
    const absl::Status status =
        edit_.Write({.handle = kHandle, .offset = offset, .data = data, .append = append},
                    ShowJson(config_), [&](std::string_view text) {
                      ++calls;
                      applied = Apply(text);
                      return applied;
                    });
    Require(calls <= 1, "a write applies one object at most");
    Require(calls == 0 || status == applied, "a write says what became of the object");
    Require(calls == 0 || edit_.unfinished().empty(), "after an object the text starts anew");
    Require(status.ok() || config_ == before, "a refusal changes nothing");
    if (calls == 0 && !status.ok())
      RequireRefusal(status, ErrnoOf(status) == EFBIG ? EFBIG : EINVAL);
    if (status.ok()) end_ = (append ? end_ : offset) + data.size();
    refused_ = refused_ || !status.ok();
    RequireUnfinished();
  }

  void Follow(std::string_view data) { Write(end_, data, false); }

  void Truncate(uint64_t length) {
    edit_.Truncate(kHandle, length);
    RequireUnfinished();
  }

  void Reopen() {
    edit_ = ConfigEdit(edit_.state());  // as a record has it
    RequireUnfinished();
  }

  const Settings& config() const { return config_; }
  int applied() const { return applied_; }
  bool refused() const { return refused_; }

 private:
  absl::Status Apply(std::string_view text) {
    const JsonText state = ClassifyJson(text);
    Require(state == JsonText::kComplete || state == JsonText::kInvalid,
            "only what no more bytes can help is applied");
    absl::StatusOr<Settings> next = ApplyJson(text, config_);
    if (!next.ok()) return next.status();
    ++applied_;
    config_ = *next;
    return absl::OkStatus();
  }

  void RequireUnfinished() const {
    Require(edit_.unfinished().size() <= ConfigEdit::kMaxBytes, "what is kept is bounded");
    Require(edit_.unfinished().empty() || ClassifyJson(edit_.unfinished()) == JsonText::kIncomplete,
            "what is kept is the beginning of an object");
  }

  static constexpr uint64_t kHandle = 2;
  ConfigEdit edit_;
  Settings config_;
  uint64_t end_ = 0;  // where the last write ended
  int applied_ = 0;
  bool refused_ = false;
};

std::vector<std::string_view> PiecesOf(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0;;) {
    const size_t end = text.find('\0', at);
    pieces.push_back(text.substr(at, end - at));
    if (end == std::string_view::npos) return pieces;
    at = end + 1;
  }
}

uint64_t TakeOffset(std::string_view& rest) {
  uint64_t offset = 0;
  for (int shift = 0; shift < 16 && !rest.empty(); shift += 8) {
    offset |= uint64_t{static_cast<uint8_t>(rest.front())} << shift;
    rest.remove_prefix(1);
  }
  return offset;
}

void Call(File& file, std::string_view piece) {
  std::string_view rest = piece.substr(piece.empty() ? 0 : 1);
  switch (piece.empty() ? '\0' : piece.front()) {
    case '+':
      return file.Write(0, rest, true);
    case '0':
      return file.Write(0, rest, false);
    case '@': {
      const uint64_t offset = TakeOffset(rest);
      return file.Write(offset, rest, false);
    }
    case '-':
      return file.Truncate(TakeOffset(rest));
    case '~':
      return file.Reopen();
    default:
      return file.Follow(piece.starts_with('>') ? rest : piece);
  }
}

// One object written in two pieces does what it does when written at once.
void RequireSameInPieces(std::string_view text) {
  if (ClassifyJson(text) != JsonText::kComplete || text.size() > ConfigEdit::kMaxBytes) return;
  const absl::StatusOr<Settings> whole = ApplyJson(text, Settings());
  File file;
  file.Follow(text.substr(0, text.size() / 3));
  file.Follow(text.substr(text.size() / 3));
  Require(file.refused() != whole.ok(), "pieces are taken if the whole is");
  Require(file.applied() == (whole.ok() ? 1 : 0), "pieces of one object are applied once");
  Require(file.config() == (whole.ok() ? *whole : Settings()), "pieces do what the whole does");
}

}  // namespace
}  // namespace rnullfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rnullfs;
  const std::string_view text = AsText(data, size);
  RequireGrammar(text);
  RequireAgreement(text);
  RequireSameInPieces(text);
  File file;
  for (const std::string_view piece : PiecesOf(text)) Call(file, piece);
  return 0;
}
