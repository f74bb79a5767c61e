#include "ctl/scratch_mount.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "absl/status/statusor.h"
#include "base/mountpoint.h"
#include "ctl/command.h"
#include "ctl/files.h"

namespace rnullfs {
namespace {

constexpr int kPatienceMsec = 5000;

const char* Unmounter() { return geteuid() == 0 ? "umount" : "fusermount3 -u"; }

const char* Lazily() { return geteuid() == 0 ? "-l" : "-z"; }

}  // namespace

absl::Status Unmount(const std::string& path) {
  absl::Status unmounted;
  for (int i = 0; i < 50; ++i) {
    unmounted = CleanUp(Unmounter(), path);
    if (unmounted.ok()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return unmounted;
}

void UnmountLazily(const std::string& path) {
  static_cast<void>(CleanUp(Unmounter(), Lazily(), path));
}

absl::Status ScratchMount::Make(const std::string& rnullfs) {
  const absl::StatusOr<std::string> room = MakeTemporaryDirectory();
  if (!room.ok()) return room.status();
  path_ = *room;
  serving_ = true;  // it may be, also when that is interrupted
  if (absl::Status done = Do(rnullfs, path_, "-o", "nr_devices=0").status(); !done.ok()) {
    return done;
  }
  const pid_t guard = PidOf(StatusTextOf(path_), "guard_pid");
  guard_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, guard, 0)));
  return absl::OkStatus();
}

// The kernel tells the daemon of its end, and waits for nothing.
ScratchMount::~ScratchMount() {
  if (keep_ || path_.empty()) return;
  if (serving_ && !Unmount(path_).ok()) {
    UnmountLazily(path_);
  } else if (guard_.valid()) {
    pollfd ended = {.fd = guard_.get(), .events = POLLIN, .revents = 0};
    while (poll(&ended, 1, kPatienceMsec) < 0 && errno == EINTR) {
    }
  }
  rmdir(path_.c_str());
}

}  // namespace rnullfs
