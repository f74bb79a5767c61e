#include "tree/texts.h"

#include <algorithm>
#include <cstddef>
#include <thread>

#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Not fewer than may be under way, and so unanswered, at once: requests of text are answered by the
// threads that take them, two for a processor.
size_t TextsMax() { return std::max<size_t>(64, size_t{2} * std::thread::hardware_concurrency()); }

}  // namespace

std::optional<absl::Status> Texts::Heard(uint64_t request) const {
  if (request == 0) return std::nullopt;
  for (const TextRecord& text : texts_) {
    if (text.request != request) continue;
    if (text.error == 0) return absl::OkStatus();
    return Error(text.error, "as it was refused before");  // last_error has had the reason
  }
  return std::nullopt;
}

void Texts::Conclude(const absl::Status& how, const TextWrite& write) {
  if (write.edit.has_value()) edit_ = *write.edit;
  if (how.ok() && !write.piece) edit_.PutAside();
  if (write.writer.request == 0) return;
  if (texts_.size() >= TextsMax()) texts_.erase(texts_.begin());
  texts_.push_back({.request = write.writer.request, .error = ErrnoOf(how)});
}

void Texts::Save(DeviceRecord& record) const {
  const ConfigEdit::State& edit = edit_.state();
  record.unfinished_json = edit.text;
  record.unfinished_begin = edit.begin;
  record.unfinished_handle = edit.handle;
  record.unfinished_aside = edit.aside;
  record.texts = texts_;
}

void Texts::Restore(const DeviceRecord& record) {
  edit_ = ConfigEdit({.text = record.unfinished_json,
                      .begin = record.unfinished_begin,
                      .handle = record.unfinished_handle,
                      .aside = record.unfinished_aside});
  texts_ = record.texts;
}

}  // namespace rnullfs
