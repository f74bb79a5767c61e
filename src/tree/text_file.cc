#include "tree/text_file.h"

namespace rnullfs {

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

}  // namespace rnullfs
