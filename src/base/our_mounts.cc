#include "base/our_mounts.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/mountpoint.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

std::string Numbers(dev_t device) { return absl::StrCat(major(device), ":", minor(device)); }

// The words of a line of mountinfo: id, parent, device, ..., "-", type, ...
bool IsOurs(dev_t device) {
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string id, parent, numbers, word;
    words >> id >> parent >> numbers;
    if (numbers != Numbers(device)) continue;
    while (words >> word && word != "-") {
    }
    MountEntry mounted;
    words >> mounted.type;
    return IsOurMount(mounted);
  }
  return false;
}

// The device that the file behind a loop device is on.
std::optional<dev_t> BehindLoop(int fd) {
  loop_info64 loop = {};
  if (ioctl(fd, LOOP_GET_STATUS64, &loop) != 0) return std::nullopt;
  return static_cast<dev_t>(loop.lo_device);
}

std::optional<dev_t> BehindDevice(dev_t device) {
  if (major(device) != LOOP_MAJOR) return std::nullopt;
  const UniqueFd file(
      open(absl::StrCat("/dev/loop", minor(device)).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  const bool is_it = file.valid() && fstat(file.get(), &status) == 0 && status.st_rdev == device;
  return is_it ? BehindLoop(file.get()) : std::nullopt;
}

}  // namespace

bool LiesOnOurMount(int fd) {
  constexpr int kLayers = 8;  // of loop devices on file systems on loop devices
  struct stat status = {};
  if (fstat(fd, &status) != 0) return false;
  std::optional<dev_t> device =
      S_ISBLK(status.st_mode) ? BehindLoop(fd) : std::optional<dev_t>(status.st_dev);
  for (int layer = 0; device && layer < kLayers; ++layer) {
    if (IsOurs(*device)) return true;
    device = BehindDevice(*device);
  }
  return false;
}

}  // namespace rnullfs
