#include "tree/opens.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/visible.h"

namespace rnullfs {

Opens::Prepared Opens::Prepare(uint64_t request, std::string opener) const {
  return {
      {next_handle_, {.handle = next_handle_, .request = request, .opener = std::move(opener)}}};
}

uint64_t Opens::Add(Prepared open, bool passthrough) {
  open.begin()->second.passthrough = passthrough;
  opens_.merge(open);
  return next_handle_++;
}

uint64_t Opens::Hold(std::string holder) {
  const uint64_t handle = next_handle_++;
  opens_[handle] = {.handle = handle, .opener = std::move(holder), .passing = true};
  return handle;
}

void Opens::NoteClosing(uint64_t handle) {
  if (opens_.contains(handle)) closing_.insert(handle);
}

std::optional<OpenRecord> Opens::Close(uint64_t handle) {
  const auto it = opens_.find(handle);
  if (it == opens_.end()) return std::nullopt;
  std::optional<OpenRecord> closed = std::move(it->second);
  opens_.erase(it);
  closing_.erase(handle);
  return closed;
}

const OpenRecord* Opens::MadeBy(uint64_t request) const {
  if (request == 0) return nullptr;
  for (const auto& [handle, open] : opens_) {
    if (open.request == request) return &open;
  }
  return nullptr;
}

size_t Opens::count() const {
  return std::count_if(opens_.begin(), opens_.end(),
                       [](const auto& open) { return !open.second.passing; });
}

size_t Opens::passthrough() const {
  return std::count_if(opens_.begin(), opens_.end(),
                       [](const auto& open) { return open.second.passthrough; });
}

std::string Opens::Openers() const {
  std::vector<std::string> openers;
  for (const auto& [handle, open] : opens_) {
    if (openers.size() == 3) {
      openers.emplace_back("others");
      break;
    }
    openers.push_back(Visible(open.opener));
  }
  return absl::StrJoin(openers, ", ");
}

void Opens::Save(DeviceRecord& record) const {
  record.next_handle = next_handle_;
  for (const auto& [handle, open] : opens_) {
    if (!open.passing) record.opens.push_back(open);
  }
}

void Opens::Restore(const DeviceRecord& record) {
  next_handle_ = record.next_handle;
  for (const OpenRecord& open : record.opens) opens_[open.handle] = open;
}

}  // namespace rnullfs
