#include "base/open_as.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/threads.h"
#include "base/visible.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

// A path may lead to who does not answer: a server that is gone, or this very process.
constexpr std::chrono::seconds kOpenMax(2);
constexpr int kOpeningsMax = 4;

// Whether he is who we are anyway: an ordinary user, who mounts, can be nobody else.
bool IsHim(const Requester& who, std::vector<gid_t> groups) {
  const int count = getgroups(0, nullptr);
  std::vector<gid_t> ours(count > 0 ? count : 0);
  if (getgroups(count, ours.data()) != count) return false;
  std::sort(groups.begin(), groups.end());
  std::sort(ours.begin(), ours.end());
  return who.uid == geteuid() && who.gid == getegid() && groups == ours;
}

// The system calls themselves: the library's would change all threads.  By the effective ids alone
// files are judged; were the thread his by all of them, he might signal this process by it.
int BecomeHim(const Requester& who, const std::vector<gid_t>& groups) {
  const bool done =
      IsHim(who, groups) || (syscall(SYS_setgroups, groups.size(), groups.data()) == 0 &&
                             syscall(SYS_setresgid, -1, who.gid, -1) == 0 &&
                             syscall(SYS_setresuid, -1, who.uid, -1) == 0);
  if (!done) return errno == 0 ? EPERM : errno;
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

int OpenBelow(int root, const std::string& path) {
  open_how how = {};
  how.flags = kOpenFlags;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

// How many paths are being opened, or hang.
std::atomic<int>& Openings() {
  static std::atomic<int> openings{0};
  return openings;
}

// What the thread that opens has, also when nobody waits for it any more.
struct Opening {
  Opening(const Requester& who, const std::string& path) : who(who), path(path) { ++Openings(); }
  ~Opening() { --Openings(); }
  int Open() {
    if (who.pid == 0) {
      file = UniqueFd(open(path.c_str(), kOpenFlags));
    } else {
      if (const int error = BecomeHim(who, groups); error != 0) return error;
      file = UniqueFd(OpenBelow(root.get(), path));
    }
    return file.valid() ? 0 : errno;
  }

  const Requester who;
  const std::string path;
  UniqueFd root;
  std::vector<gid_t> groups;
  UniqueFd file;
  std::promise<int> opened;
};

}  // namespace

std::vector<gid_t> GroupsOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::vector<gid_t> groups;
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Groups:", 0) != 0) continue;
    std::istringstream words(line.substr(7));
    for (gid_t group = 0; words >> group;) groups.push_back(group);
  }
  return groups;
}

absl::StatusOr<UniqueFd> OpenAs(const Requester& who, const std::string& path) {
  // To the system calls -1 would mean: as it is.
  if (who.pid < 0 || who.uid == static_cast<uid_t>(-1) || who.gid == static_cast<gid_t>(-1)) {
    return Error(EPERM,
                 "origin: who writes the path is in another PID namespace, so that the file cannot "
                 "be opened with his rights; write it from where rnullfs was started");
  }
  if (Openings() >= kOpeningsMax) {
    return Error(EBUSY, "origin: the paths of others are still being opened; try again");
  }
  const auto opening = std::make_shared<Opening>(who, path);
  if (who.pid != 0) {
    opening->root = UniqueFd(
        open(absl::StrCat("/proc/", who.pid, "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!opening->root.valid()) return SystemError(errno, "origin: the writer's root directory");
    opening->groups = GroupsOf(who.pid);
  }
  std::future<int> opened = opening->opened.get_future();
  absl::StatusOr<std::thread> as_him =
      StartThread([opening] { opening->opened.set_value(opening->Open()); });
  if (!as_him.ok()) return as_him.status();
  if (opened.wait_for(kOpenMax) != std::future_status::ready) {
    as_him->detach();
    return Error(ETIMEDOUT, absl::StrCat("origin: ", Visible(path), " did not open in ",
                                         kOpenMax.count(), " s"));
  }
  as_him->join();
  const int error = opened.get();
  if (error != 0) {
    return SystemError(error == EAGAIN ? EBUSY : error, absl::StrCat("origin: ", Visible(path)));
  }
  return std::move(opening->file);
}

}  // namespace rnullfs
