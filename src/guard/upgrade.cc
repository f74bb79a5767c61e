#include "guard/upgrade.h"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr int kPatienceSeconds = 10;
constexpr int kLooksPerSecond = 100;

std::string StatusOf(const std::string& mountpoint) {
  std::ifstream file(mountpoint + "/status.json");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// A number of status.json, which we have written ourselves; 0 when it is not there.
pid_t PidIn(std::string_view status, std::string_view key) {
  const std::string name = absl::StrCat("\"", std::string(key), "\": ");
  const size_t at = status.find(name);
  pid_t pid = 0;
  if (at != std::string_view::npos) {
    std::from_chars(status.data() + at + name.size(), status.data() + status.size(), pid);
  }
  return pid;
}

}  // namespace

absl::Status UpgradeMount(const std::string& mountpoint) {
  const std::string before = StatusOf(mountpoint);
  const pid_t guard = PidIn(before, "guard_pid");
  const pid_t worker = PidIn(before, "worker_pid");
  if (worker == 0) return Error(EINVAL, absl::StrCat(mountpoint, " is not a mount of rnullfs"));
  if (guard == 0) {
    return Error(EINVAL, absl::StrCat(mountpoint,
                                      " is served without a guard (guard=off): nothing "
                                      "would be left for another process"));
  }
  if (kill(guard, SIGUSR2) != 0) return SystemError(errno, absl::StrCat("guard ", guard));
  for (int looks = 0; looks < kPatienceSeconds * kLooksPerSecond; ++looks) {
    usleep(1'000'000 / kLooksPerSecond);
    const pid_t now = PidIn(StatusOf(mountpoint), "worker_pid");
    if (now == 0 || now == worker) continue;
    std::printf("worker %d has taken over from %d\n", now, worker);
    return absl::OkStatus();
  }
  return Error(ETIMEDOUT, absl::StrCat("guard ", guard, " has not replaced its worker in ",
                                       kPatienceSeconds, " seconds; the log says why"));
}

}  // namespace rnullfs
