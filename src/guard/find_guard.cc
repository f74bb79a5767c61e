#include "guard/find_guard.h"

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

namespace rnullfs {
namespace {

// What stands for a space and the like in the kernel's tables: \040.
std::string Unescaped(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain +=
          static_cast<char>(std::strtoul(std::string(text.substr(i + 1, 3)).c_str(), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// The number of the FUSE connection of what is mounted last on `path`: its device's minor number.
std::string ConnectionOf(const std::string& path) {
  std::string connection;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, where;
    words >> id >> parent >> device >> root >> where;
    if (Unescaped(where) == path) connection = device.substr(device.find(':') + 1);
  }
  return connection;
}

bool Holds(const std::filesystem::path& process, const std::string& connection) {
  constexpr std::string_view kKey = "fuse_connection:";
  std::error_code error;
  std::filesystem::directory_iterator it(process / "fd", error);
  for (const std::filesystem::directory_iterator end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(it->path(), gone) != "/dev/fuse") continue;
    std::ifstream info(process / "fdinfo" / it->path().filename());
    for (std::string line; std::getline(info, line);) {
      if (line.rfind(kKey, 0) != 0) continue;
      const size_t number = line.find_first_of("0123456789");
      if (number != std::string::npos && line.substr(number) == connection) return true;
    }
  }
  return false;
}

}  // namespace

pid_t HolderOfMount(const std::string& path) {
  const std::string connection = ConnectionOf(path);
  std::error_code error;
  std::filesystem::directory_iterator it("/proc", error);
  for (const std::filesystem::directory_iterator end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (std::isdigit(static_cast<unsigned char>(name[0])) == 0 || connection.empty()) continue;
    if (Holds(it->path(), connection)) return std::atoi(name.c_str());
  }
  return 0;
}

}  // namespace rnullfs
