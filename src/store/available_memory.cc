// What the kernel says of free memory: /proc/meminfo (Documentation/filesystems/proc.rst), and the
// files of control groups, version 2 (Documentation/admin-guide/cgroup-v2.rst).

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "rnullfs/memory_limit.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

constexpr uint64_t kUnknown = UINT64_MAX;

// The first 8 KiB of a file; empty when it cannot be read.
std::string ReadText(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 8192> text;
  const ssize_t length = file.valid() ? read(file.get(), text.data(), text.size()) : -1;
  return length <= 0 ? std::string() : std::string(text.data(), length);
}

// The number behind `name` and blanks; `missing` when there is none ("max").
uint64_t Field(std::string_view text, std::string_view name, uint64_t missing) {
  size_t begin = text.find(name);
  if (begin != std::string_view::npos) begin = text.find_first_not_of(' ', begin + name.size());
  if (begin == std::string_view::npos) return missing;
  uint64_t value = missing;
  std::from_chars(text.data() + begin, text.data() + text.size(), value);
  return value;
}

// What the group leaves: its limit less what it uses and could not drop at once.  A disk's pages
// are shared memory, which counts as anonymous there.
uint64_t LeftInGroup(const std::string& directory) {
  const uint64_t limit = Field(ReadText(directory + "/memory.max"), "", kUnknown);
  if (limit == kUnknown) return kUnknown;
  const std::string statistics = ReadText(directory + "/memory.stat");
  const uint64_t droppable =
      Field(statistics, "\ninactive_file ", 0) + Field(statistics, "\nactive_file ", 0);
  const uint64_t used = Field(ReadText(directory + "/memory.current"), "", 0);
  return limit - std::min(limit, used - std::min(used, droppable));
}

// The least that this process's group and those above it leave.
uint64_t LeftInGroups() {
  constexpr std::string_view kVersion2 = "0::";
  const std::string groups = ReadText("/proc/self/cgroup");
  const size_t line = groups.rfind(kVersion2);
  if (line == std::string::npos || (line > 0 && groups[line - 1] != '\n')) return kUnknown;
  std::string path = groups.substr(line + kVersion2.size());
  path.resize(std::min(path.size(), path.find('\n')));
  uint64_t left = kUnknown;
  while (path.size() > 1) {
    left = std::min(left, LeftInGroup("/sys/fs/cgroup" + path));
    path.resize(path.rfind('/'));
  }
  // A container's own group is the root of what it sees.
  return std::min(left, LeftInGroup("/sys/fs/cgroup"));
}

uint64_t Available(bool with_swap) {
  const std::string meminfo = ReadText("/proc/meminfo");
  const uint64_t available_kib = Field(meminfo, "MemAvailable:", kUnknown);
  if (available_kib == kUnknown) return LeftInGroups();
  const uint64_t swap_kib = with_swap ? Field(meminfo, "SwapFree:", 0) : 0;
  return std::min((available_kib + swap_kib) << 10, LeftInGroups());
}

}  // namespace

uint64_t AvailableMemory() { return Available(false); }

uint64_t AvailableMemoryAndSwap() { return Available(true); }

}  // namespace rnullfs
