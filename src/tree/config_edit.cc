#include "tree/config_edit.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "json/json.h"
#include "rnullfs/error.h"

namespace rnullfs {

// Whether the piece belongs to the text that is there.
bool ConfigEdit::GoesOn(const Piece& piece) const {
  if (piece.handle == state_.handle) return true;
  if (piece.append) return !state_.aside;
  // Of a version that did not say whose it is: whoever writes where it ends.
  return state_.handle == 0 && !state_.text.empty() &&
         piece.offset == state_.begin + state_.text.size();
}

absl::Status ConfigEdit::Write(const Piece& piece, std::string_view shown, Apply apply) {
  const bool goes_on = GoesOn(piece);
  State next = goes_on ? state_ : State{.begin = piece.append ? 0 : piece.last_end};
  next.handle = piece.handle;
  next.aside = false;
  const uint64_t end = next.begin + next.text.size();
  const uint64_t offset = piece.append ? end : piece.offset;
  if (offset == 0) {
    next.begin = 0;
    next.text.clear();
  } else if (offset != end) {
    const bool inside =
        next.text.empty() ? offset <= shown.size() : offset >= next.begin && offset < end;
    if (!inside) return Error(EINVAL, "config.json: write it from the beginning, or append to it");
    if (next.text.empty()) {
      next.begin = 0;
      next.text = shown;
    }
  }
  const uint64_t at = offset - next.begin;
  if (at + piece.data.size() > kMaxBytes) {
    if (goes_on) state_.text.clear();
    return Error(EFBIG,
                 "config.json: more than 262144 bytes are not taken; faults/rules takes more");
  }
  if (next.text.size() < at + piece.data.size()) next.text.resize(at + piece.data.size());
  next.text.replace(at, piece.data.size(), piece.data);
  const JsonText whole = ClassifyJson(next.text);
  // The end of a text that is applied, or whose place another open has taken: that one's stays.
  if (!goes_on && offset != 0 && !unfinished().empty()) {
    if (whole == JsonText::kBlank) return absl::OkStatus();
    if (whole == JsonText::kInvalid) {
      return Error(EINVAL,
                   "config.json: another open has begun a text since; write it from the beginning");
    }
  }
  state_ = std::move(next);
  if (whole == JsonText::kBlank || whole == JsonText::kIncomplete) return absl::OkStatus();
  state_.begin += state_.text.size();
  return apply(std::exchange(state_.text, {}));
}

void ConfigEdit::Truncate(uint64_t handle, uint64_t length) {
  if (handle != state_.handle || length >= state_.begin + state_.text.size()) return;
  state_.text.resize(length > state_.begin ? length - state_.begin : 0);
  state_.begin = std::min(state_.begin, length);
}

std::string_view ConfigEdit::unfinished() const {
  const bool blank = state_.text.find_first_not_of(" \t\r\n") == std::string::npos;
  return blank ? std::string_view() : state_.text;
}

}  // namespace rnullfs
