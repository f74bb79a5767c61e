#include "ctl/promises.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/parse.h"
#include "ctl/files.h"
#include "rnullfs/error.h"

namespace rnullfs {

Promises::Promises(Promises&& other) noexcept
    : lines_(std::move(other.lines_)),
      directory_(std::exchange(other.directory_, {})),
      always_(std::move(other.always_)) {}

Promises& Promises::operator=(Promises&& other) noexcept {
  std::swap(lines_, other.lines_);
  std::swap(directory_, other.directory_);
  std::swap(always_, other.always_);
  return *this;
}

Promises::~Promises() {
  std::error_code error;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, error);
}

absl::StatusOr<Promises> Promises::Read(const std::string& path, const CrashDirectory& crash) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  Promises promises;
  size_t number = 0;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(*text, '\n'))) {
    ++number;
    if (TrimSpace(line).empty()) continue;
    const size_t space = line.find(' ');
    if (space == std::string::npos || space == 0 || TrimSpace(line.substr(space)).empty()) {
      return Error(EINVAL, absl::StrCat(path, ":", number,
                                        ": a line is a mark and what had been promised by then"));
    }
    const absl::StatusOr<uint64_t> when = crash.NumberOf(line.substr(0, space));
    if (!when.ok()) {
      return Error(ErrnoOf(when.status()),
                   absl::StrCat(path, ":", number, ": ", std::string(when.status().message())));
    }
    promises.lines_.emplace_back(*when, line.substr(space + 1));
  }
  std::stable_sort(promises.lines_.begin(), promises.lines_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  absl::StatusOr<std::string> room = MakeTemporaryDirectory();
  if (!room.ok()) return room.status();
  promises.directory_ = *std::move(room);
  return promises;
}

Promises Promises::Always(const std::string& file) {
  Promises promises;
  promises.always_ = file;
  return promises;
}

absl::StatusOr<std::string> Promises::FileAt(uint64_t moment) const {
  if (!always_.empty()) return always_;
  if (directory_.empty()) return std::string("/dev/null");
  std::string path = absl::StrCat(directory_, "/", moment);
  std::ofstream file(path);
  for (const auto& [when, what] : lines_) {
    if (when <= moment) file << what << '\n';
  }
  file.close();
  if (!file) return Error(EIO, absl::StrCat(path, ": cannot be written"));
  return path;
}

}  // namespace rnullfs
