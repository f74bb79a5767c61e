#include "tree/text_file.h"

#include <algorithm>
#include <utility>

#include "json/json.h"

namespace rnullfs {
namespace {

constexpr uint64_t kAttributeBytesMax = 4095;  // SIMPLE_ATTR_SIZE - 1 in fs/configfs/file.c

}  // namespace

absl::StatusOr<std::string> TextFile::Read(uint64_t offset, uint64_t length) {
  LockGuard lock(mutex_);
  if (offset > 0 && offset >= end_) return std::string();
  if (offset == 0 || shown_.empty()) {
    shown_ = show_();
    end_ = shown_.size();
  }
  if (offset >= end_) return std::string();
  if (length < end_ - offset) return shown_.substr(offset, length);
  return std::exchange(shown_, {}).substr(offset);
}

AttributeFile::AttributeFile(std::shared_ptr<DeviceNode> node, const Attribute& attribute)
    : TextFile([node, &attribute] { return ShowAttribute(attribute, node->settings()); }),
      node_(std::move(node)),
      attribute_(attribute) {}

absl::StatusOr<uint64_t> AttributeFile::Write(uint64_t offset, std::string_view data,
                                              uint64_t request, IfOpen if_open) {
  // What lies behind the NUL that ends a text is nothing: tar(1) pads with NULs what is shorter
  // than stat(2) has it, in a write of their own if they come that way.
  if (offset > 0 && data.find_first_not_of('\0') == std::string_view::npos) return data.size();
  const uint64_t taken = data.find('\0') < kAttributeBytesMax
                             ? data.size()
                             : std::min<uint64_t>(data.size(), kAttributeBytesMax);
  data = data.substr(0, taken);
  if (absl::Status status = node_->StoreText(attribute_, data, request, if_open); !status.ok()) {
    return status;
  }
  return taken;
}

absl::Status AttributeFile::Truncate(uint64_t /*length*/) { return absl::OkStatus(); }

ConfigFile::ConfigFile(std::shared_ptr<DeviceNode> node, bool append, uint64_t handle)
    : TextFile([node] { return ShowJson(node->settings()); }),
      node_(std::move(node)),
      append_(append),
      handle_(handle) {}

absl::StatusOr<uint64_t> ConfigFile::Write(uint64_t offset, std::string_view data, uint64_t request,
                                           IfOpen if_open) {
  const ConfigEdit::Piece piece = {.handle = handle_,
                                   .offset = offset,
                                   .data = data,
                                   .append = append_,
                                   .last_end = end_.load()};
  if (absl::Status status = node_->WriteJson(piece, request, if_open); !status.ok()) return status;
  end_.store(offset + data.size());
  return data.size();
}

absl::Status ConfigFile::Truncate(uint64_t length) {
  node_->TruncateJson(handle_, length);
  return absl::OkStatus();
}

absl::Status ConfigFile::Flush() { return node_->FlushJson(handle_); }

}  // namespace rnullfs
