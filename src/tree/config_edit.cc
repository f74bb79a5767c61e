#include "tree/config_edit.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "config/json.h"
#include "rnullfs/error.h"

namespace rnullfs {

absl::Status ConfigEdit::Write(uint64_t offset, std::string_view data, bool append,
                               std::string_view shown, Apply apply) {
  const uint64_t end = start_ + text_.size();
  if (append) {
    offset = end;
  } else if (offset == 0) {
    start_ = 0;
    text_.clear();
  } else if (offset != end) {
    const bool inside = text_.empty() ? offset <= shown.size() : offset >= start_ && offset < end;
    if (!inside) return Error(EINVAL, "config.json: write it from the beginning, or append to it");
    if (text_.empty()) {
      start_ = 0;
      text_ = shown;
    }
  }
  const uint64_t at = offset - start_;
  if (at + data.size() > kMaxBytes) {
    text_.clear();
    return Error(EFBIG, "config.json: more than 65536 bytes are not taken");
  }
  if (text_.size() < at + data.size()) text_.resize(at + data.size());
  text_.replace(at, data.size(), data);
  return ApplyIfWhole(apply);
}

void ConfigEdit::Truncate(uint64_t length) {
  if (length >= start_ + text_.size()) return;
  text_.resize(length > start_ ? length - start_ : 0);
  start_ = std::min(start_, length);
}

std::string_view ConfigEdit::unfinished() const {
  return ClassifyJson(text_) == JsonText::kBlank ? std::string_view() : text_;
}

absl::Status ConfigEdit::ApplyIfWhole(Apply apply) {
  const JsonText state = ClassifyJson(text_);
  if (state == JsonText::kBlank || state == JsonText::kIncomplete) return absl::OkStatus();
  start_ += text_.size();
  return apply(std::exchange(text_, {}));
}

}  // namespace rnullfs
