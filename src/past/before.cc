// What was there before: for who is to read what is out of date.

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "past/past.h"
#include "store/pages.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;

}  // namespace

// The newest version of the page in which the range is another.
int Past::CopyBefore(uint64_t offset, uint64_t length, char* to) {
  const uint64_t page = FirstPage(offset);
  const StripeLocks::Shared lock(locks_, page, page);
  std::vector<Version> versions;
  for (std::optional<Version> version = index_.At(page, oldest()); version;
       version = index_.At(page, file_->UntilOf(*version))) {
    versions.push_back(*version);
  }
  char now[kPageSize];
  const int error = below_->CopyOut(offset, length, now);
  if (error != 0) return error;
  for (; !versions.empty(); versions.pop_back()) {
    char was[kPageSize];
    if (const int unread = CopyVersion(versions.back(), was); unread != 0) return unread;
    if (std::memcmp(was + offset % kPageSize, now, length) == 0) continue;
    std::memcpy(to, was + offset % kPageSize, length);
    return 0;
  }
  return ENODATA;
}

}  // namespace rnullfs
