// What the kernel says of free memory: /proc/meminfo (Documentation/filesystems/proc.rst), and the
// files of control groups (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst).

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <sstream>
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

// How a version of control groups names what is asked of it, all of it with the groups below.
struct Files {
  const char* limit;
  const char* used;
  const char* inactive_file;
  const char* active_file;
};
constexpr Files kVersion1 = {"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                             "\ntotal_inactive_file ", "\ntotal_active_file "};
constexpr Files kVersion2 = {"/memory.max", "/memory.current", "\ninactive_file ",
                             "\nactive_file "};

// What the group leaves: its limit less what it uses and could not drop at once.  A disk's pages
// are shared memory, which counts as anonymous there.
uint64_t LeftInGroup(const std::string& directory, const Files& files) {
  const uint64_t limit = Field(ReadText(directory + files.limit), "", kUnknown);
  if (limit == kUnknown) return kUnknown;
  const std::string statistics = ReadText(directory + "/memory.stat");
  const uint64_t droppable =
      Field(statistics, files.inactive_file, 0) + Field(statistics, files.active_file, 0);
  const uint64_t used = Field(ReadText(directory + files.used), "", 0);
  return limit - std::min(limit, used - std::min(used, droppable));
}

// The least that the group `path` below `mount` and those above it leave.
uint64_t LeftInGroups(const std::string& mount, std::string path, const Files& files) {
  uint64_t left = kUnknown;
  while (path.size() > 1) {
    left = std::min(left, LeftInGroup(mount + path, files));
    path.resize(path.rfind('/'));
  }
  // A container's own group is the root of what it sees.
  return std::min(left, LeftInGroup(mount, files));
}

uint64_t Available(bool with_swap) {
  const std::string meminfo = ReadText("/proc/meminfo");
  const uint64_t available_kib = Field(meminfo, "MemAvailable:", kUnknown);
  const uint64_t left = LeftInMemoryGroups(ReadText("/proc/self/cgroup"), "/sys/fs/cgroup");
  if (available_kib == kUnknown) return left;
  const uint64_t swap_kib = with_swap ? Field(meminfo, "SwapFree:", 0) : 0;
  return std::min((available_kib + swap_kib) << 10, left);
}

}  // namespace

// A line is "NUMBER:CONTROLLERS:PATH"; version 2's has no controllers.
uint64_t LeftInMemoryGroups(const std::string& groups, const std::string& mounts) {
  uint64_t left = kUnknown;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const size_t name = line.find(':');
    const size_t end = name == std::string::npos ? name : line.find(':', name + 1);
    if (end == std::string::npos) continue;
    const std::string path = line.substr(end + 1);
    const std::string controllers = "," + line.substr(name + 1, end - name - 1) + ",";
    if (line.starts_with("0::")) {
      left = std::min(left, LeftInGroups(mounts, path, kVersion2));
    } else if (controllers.find(",memory,") != std::string::npos) {
      left = std::min(left, LeftInGroups(mounts + "/memory", path, kVersion1));
    }
  }
  return left;
}

uint64_t AvailableMemory() { return Available(false); }

uint64_t AvailableMemoryAndSwap() { return Available(true); }

}  // namespace rnullfs
