// Writes of text to a device's files: the part of a device's directory that remembers, in one
// record with the effect of each, which request it was and how it ended.
//
// The kernel sends again what a worker that died had not answered, and that may have been done: it
// is answered as then, and not done a second time.

#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/json.h"
#include "rnullfs/error.h"
#include "tree/device_node.h"

namespace rnullfs {
namespace {

// Not fewer than may be under way, and so unanswered, at once: requests of text are answered by the
// threads that take them, two for a processor.
size_t TextsMax() { return std::max<size_t>(64, size_t{2} * std::thread::hardware_concurrency()); }

// Text that a C program wrote with the NUL that ends it.
std::string_view WithoutNuls(std::string_view text) {
  while (text.ends_with('\0')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<absl::Status> DeviceNode::Heard(uint64_t request) const {
  if (request == 0) return std::nullopt;
  for (const TextRecord& text : texts_) {
    if (text.request != request) continue;
    if (text.error == 0) return absl::OkStatus();
    return Error(text.error, "as it was refused before");  // last_error has had the reason
  }
  return std::nullopt;
}

absl::Status DeviceNode::Conclude(const absl::Status& how, const TextWrite& write) {
  if (write.edit.has_value()) edit_ = *write.edit;
  if (write.request != 0) {
    if (texts_.size() >= TextsMax()) texts_.erase(texts_.begin());
    texts_.push_back({.request = write.request, .error = ErrnoOf(how)});
  }
  if (!how.ok()) {
    last_error_ = absl::StrCat(how.message(), "\n");
  } else if (!write.piece && !write.put_back) {
    last_error_.clear();
  }
  if (device_ != nullptr) device_->ForgetComplaint();
  if (how.ok() && !write.piece) edit_.PutAside();
  Save();
  return how;
}

absl::Status DeviceNode::Refuse(const absl::Status& why) {
  LockGuard lock(mutex_);
  return RefuseLocked(why);
}

absl::Status DeviceNode::RefuseLocked(const absl::Status& why, const TextWrite& write) {
  return Conclude(why, write);
}

absl::Status DeviceNode::StoreText(const Attribute& attribute, std::string_view text,
                                   uint64_t request, IfOpen if_open) {
  TextWrite write = {.request = request, .if_open = if_open};
  {
    LockGuard lock(mutex_);
    if (std::optional<absl::Status> heard = Heard(request)) return *heard;
    write.put_back = text == ShowAttribute(attribute, Current());
  }
  const auto store =
      [&](DeviceConfig& next) ABSL_NO_THREAD_SAFETY_ANALYSIS {  // Update() holds mutex_
        absl::Status status = StoreAttribute(attribute, UpToNul(text), next);
        if (!status.ok() || attribute.live || !config_.power) return status;
        if (absl::Status stages = CheckStages(next); !stages.ok()) return stages;
        return Error(EBUSY, absl::StrCat(std::string(attribute.name),
                                         ": cannot change while the device is powered; write 0 to "
                                         "power first"));
      };
  return Update(store, write);
}

absl::Status DeviceNode::StoreJson(std::string_view text, const TextWrite& write) {
  const auto store = [&](DeviceConfig& next) {
    absl::StatusOr<DeviceConfig> applied = ApplyJson(text, next);
    if (applied.ok()) next = *applied;
    return applied.status();
  };
  return Update(store, write);
}

absl::Status DeviceNode::WriteJson(ConfigEdit::Piece piece, uint64_t request, IfOpen if_open) {
  std::optional<std::string> whole;
  TextWrite write = {.request = request, .piece = true, .if_open = if_open};
  {
    LockGuard lock(mutex_);
    if (std::optional<absl::Status> heard = Heard(request)) return *heard;
    if (medium_ == nullptr) return Removed();
    piece.data = WithoutNuls(piece.data);
    write.edit = edit_;
    const std::string shown = ShowJson(Current());
    const absl::Status taken = write.edit->Write(piece, shown, [&](std::string_view text) {
      whole = text;
      write.put_back = text == shown;
      return absl::OkStatus();
    });
    if (!whole.has_value()) return Conclude(taken, write);
  }
  // What is saved until then is the text without this piece: a request that has to be heard again
  // finds it as it was.
  write.piece = false;
  return StoreJson(*whole, write);
}

void DeviceNode::TruncateJson(uint64_t handle, uint64_t length) {
  LockGuard lock(mutex_);
  edit_.Truncate(handle, length);
  Save();
}

absl::Status DeviceNode::FlushJson(uint64_t handle) {
  LockGuard lock(mutex_);
  if (edit_.state().handle != handle || edit_.unfinished().empty()) return absl::OkStatus();
  return RefuseLocked(ApplyJson(edit_.unfinished(), Current()).status());
}

}  // namespace rnullfs
