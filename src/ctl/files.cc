#include "ctl/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "json/json.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(errno, path);
  std::string text;
  char piece[65536];
  ssize_t got = 0;
  while ((got = read(file.get(), piece, sizeof piece)) > 0) {
    text.append(piece, static_cast<size_t>(got));
  }
  if (got < 0) return SystemError(errno, path);
  return text;
}

absl::Status WriteFile(const std::string& path, std::string_view text) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (file.get() < 0) return SystemError(errno, path);
  const ssize_t written = write(file.get(), text.data(), text.size());
  if (written < 0) return SystemError(errno, path);
  if (static_cast<size_t>(written) != text.size()) {
    return Error(EIO, absl::StrCat(path, ": took only a part of what was written"));
  }
  return absl::OkStatus();
}

absl::Status MakeDirectory(const std::string& path) {
  return mkdir(path.c_str(), 0755) == 0 ? absl::OkStatus() : SystemError(errno, path);
}

absl::Status RemoveDirectory(const std::string& path) {
  return rmdir(path.c_str()) == 0 ? absl::OkStatus() : SystemError(errno, path);
}

absl::StatusOr<std::string> MakeTemporaryDirectory() {
  std::error_code error;
  std::string name = (std::filesystem::temp_directory_path(error) / "rnullctl-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return SystemError(errno, name);
  return name;
}

void RemovePatiently(const std::string& path) {
  for (int i = 0; !path.empty() && rmdir(path.c_str()) != 0 && errno == EBUSY && i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

absl::Status SetAttributes(const std::string& device,
                           const std::vector<std::pair<std::string, std::string>>& attributes) {
  for (const auto& [name, value] : attributes) {
    const absl::Status written = WriteFile(absl::StrCat(device, "/", name), value);
    if (!written.ok()) return WithLastError(written, device);
  }
  return absl::OkStatus();
}

absl::Status WithLastError(const absl::Status& status, const std::string& device) {
  if (status.ok()) return status;
  const absl::StatusOr<std::string> why = ReadFile(device + "/last_error");
  if (!why.ok() || TrimSpace(*why).empty()) return status;
  return Error(ErrnoOf(status), absl::StrCat(std::string(status.message()), " (",
                                             std::string(TrimSpace(*why)), ")"));
}

absl::StatusOr<JsonValue> ReadJsonFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<JsonValue> value = ReadJsonValue(*text);
  if (value.ok()) return value;
  return Error(EINVAL, absl::StrCat(path, ": ", std::string(value.status().message())));
}

const JsonValue* FindMember(const JsonValue& object, std::string_view key) {
  const auto found = std::find_if(object.parts.begin(), object.parts.end(),
                                  [key](const JsonValue& part) { return part.key == key; });
  return found == object.parts.end() ? nullptr : &*found;
}

uint64_t NumberIn(const JsonValue& object, std::string_view key) {
  const JsonValue* const member = FindMember(object, key);
  return member == nullptr ? 0 : ParseNumber(member->text).value_or(0);
}

std::string TextIn(const JsonValue& object, std::string_view key) {
  const JsonValue* const member = FindMember(object, key);
  return member == nullptr ? std::string() : member->text;
}

}  // namespace rnullfs
