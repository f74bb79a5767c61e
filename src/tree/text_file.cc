#include "tree/text_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config/json.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint64_t kAttributeBytesMax = 4095;  // SIMPLE_ATTR_SIZE - 1 in fs/configfs/file.c

}  // namespace

std::string TextFile::Read(uint64_t offset, uint64_t length) {
  LockGuard lock(mutex_);
  if (offset == 0 || shown_.empty()) shown_ = show_();
  if (offset >= shown_.size()) return {};
  return shown_.substr(offset, length);
}

absl::StatusOr<uint64_t> TextFile::Write(uint64_t /*offset*/, std::string_view /*data*/,
                                         IfOpen /*if_open*/) {
  return Error(EACCES, "the file is read-only");
}

absl::Status TextFile::Truncate(uint64_t /*length*/) {
  return Error(EACCES, "the file is read-only");
}

AttributeFile::AttributeFile(std::shared_ptr<DeviceNode> node, const Attribute& attribute)
    : TextFile([node, &attribute] { return ShowAttribute(attribute, node->config()); }),
      node_(std::move(node)),
      attribute_(attribute) {}

absl::StatusOr<uint64_t> AttributeFile::Write(uint64_t /*offset*/, std::string_view data,
                                              IfOpen if_open) {
  data = data.substr(0, kAttributeBytesMax);
  if (absl::Status status = node_->StoreText(attribute_, data, if_open); !status.ok())
    return status;
  return data.size();
}

absl::Status AttributeFile::Truncate(uint64_t /*length*/) { return absl::OkStatus(); }

ConfigFile::ConfigFile(std::shared_ptr<DeviceNode> node, bool append, bool again)
    : TextFile([node] { return ShowJson(node->config()); }),
      node_(std::move(node)),
      append_(append),
      edit_(append || again ? node_->TakeUnfinishedJson() : std::string()) {}

absl::StatusOr<uint64_t> ConfigFile::Write(uint64_t offset, std::string_view data, IfOpen if_open) {
  bool stored = false;
  const auto store = [&](std::string_view text) {
    stored = true;
    return node_->StoreJson(text, if_open);
  };
  LockGuard lock(edit_mutex_);
  ConfigEdit before = edit_;
  absl::Status status = edit_.Write(offset, data, append_, Show(), store);
  if (ErrnoOf(status) == EAGAIN) {
    edit_ = std::move(before);
    return status;
  }
  // Kept while it is open, too: whoever takes over from us must be able to go on with it.
  if (!stored && status.ok()) node_->KeepUnfinishedJson(std::string(edit_.unfinished()));
  if (status.ok()) return data.size();
  return stored ? status : node_->Refuse(status);
}

absl::Status ConfigFile::Truncate(uint64_t length) {
  LockGuard lock(edit_mutex_);
  edit_.Truncate(length);
  return absl::OkStatus();
}

absl::Status ConfigFile::Flush() {
  LockGuard lock(edit_mutex_);
  if (edit_.unfinished().empty()) return absl::OkStatus();
  node_->KeepUnfinishedJson(std::string(edit_.unfinished()));
  return node_->Refuse(ApplyJson(edit_.unfinished(), node_->config()).status());
}

}  // namespace rnullfs
