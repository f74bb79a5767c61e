#include "fuse/session.h"

#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <new>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/mountpoint.h"
#include "base/process.h"
#include "base/threads.h"
#include "fuse/backing_ids.h"
#include "fuse/negotiate.h"
#include "fuse/operations.h"
#include "fuse/ring.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// How often a pending end looks whether the last disk has been closed.
constexpr timespec kLookAgain = {.tv_sec = 0, .tv_nsec = 50'000'000};

// Requests never block a thread for long (delays wait in the completion queue), so more threads
// than this only pass the work around; there are more than processors because some requests make
// the kernel wait, as one that frees a disk's memory does.
unsigned ThreadCount() { return std::max(4U, 2 * std::thread::hardware_concurrency()); }

// What the kernel tells a worker whose guard dies (PR_SET_PDEATHSIG).
constexpr int kGuardDied = SIGUSR2;

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kGuardDied}) sigaddset(&signals, signal);
  return signals;
}

// As libfuse reads a list: its commas would be the list's.
std::string Escaped(std::string_view option) {
  std::string escaped;
  for (const char c : option) {
    if (c == ',' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// libfuse has said what it met, on stderr.
absl::Status CannotMount(const std::string& mountpoint) {
  const std::string what = absl::StrCat("cannot mount on ", mountpoint);
  if (access("/dev/fuse", F_OK) != 0) {
    return Error(ENODEV, absl::StrCat(what,
                                      ": there is no /dev/fuse (modprobe fuse; in a container "
                                      "it takes --device /dev/fuse)"));
  }
  if (geteuid() != 0 && !OnPath("fusermount3")) {
    return Error(ENOENT, absl::StrCat(what,
                                      ": who is not root mounts through fusermount3, and there "
                                      "is none; it comes with the package fuse3"));
  }
  return Error(EIO, absl::StrCat(what,
                                 ": the line above says why (the mountpoint must be a "
                                 "directory you own, and /dev/fuse must be there)"));
}

// For libfuse, "/dev/fd/N" is a mount that somebody has made.
std::string MountpointOf(int fuse_fd) { return absl::StrCat("/dev/fd/", fuse_fd); }

}  // namespace

Session::Session(const MountOptions& options, MemoryLimit& memory, Heritage heritage)
    : options_(options),
      memory_(memory),
      allow_other_(MayAllowOther()),
      heritage_(std::move(heritage)),
      huge_pages_(options.huge),
      text_handles_(heritage_.replaced) {
  // Blocked here, and so in every thread to come: one thread takes them in turn.
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is ENOSPC to a disk, not our end
  struct sigaction wake = {};
  wake.sa_handler = [](int) {};
  sigaction(SIGUSR1, &wake, nullptr);
  if (heritage_.guard_pid == 0) return;
  prctl(PR_SET_PDEATHSIG, kGuardDied, 0, 0, 0);
  if (getppid() != heritage_.guard_pid) raise(kGuardDied);  // it did not wait for that
}

Session::~Session() {
  if (session_ == nullptr) return;
  Unmount();
  fuse_session_destroy(session_);
}

// Whether libfuse, and for an ordinary user the system's fusermount3, has a word for the flag. What
// is left out means nothing here: there are no links, and times are ours.
bool Session::Mountable(const std::string& flag) {
  if (flag != "nosymfollow" && flag != "nodiratime") return true;
  return geteuid() == 0 && FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17);
}

std::vector<std::string> Session::MountFlags() const {
  std::vector<std::string> flags = {"default_permissions", "subtype=rnullfs"};
  if (allow_other_) flags.emplace_back("allow_other");
  const auto& given = options_.mount_flags;
  const bool named = std::any_of(given.begin(), given.end(), [](const std::string& flag) {
    return flag.rfind("fsname=", 0) == 0;
  });
  if (!named) {
    const std::string source = options_.source.empty() ? "rnullfs" : options_.source;
    flags.push_back(Escaped(absl::StrCat("fsname=", source)));
  }
  if (wants_ring_) flags.emplace_back(absl::StrCat("io_uring,io_uring_q_depth=", kRingDepth));
  for (const std::string& flag : given) {
    if (Mountable(flag)) flags.push_back(Escaped(flag));
  }
  return flags;
}

absl::Status Session::Mount(Tree& tree) {
  tree_ = &tree;
  ChooseTransport();
  if (!allow_other_ && heritage_.replaced == 0) {
    Log("only you can open the disks (a losetup by root is refused): add user_allow_other to "
        "/etc/fuse.conf and mount again to change that");
  }
  if (const std::string warning = PressureWarning(heritage_.pressure);
      geteuid() == 0 && heritage_.replaced == 0 && !warning.empty()) {
    Log(warning);
  }
  return Attach();
}

absl::Status Session::Attach() {
  fuse_lowlevel_ops operations = Operations();
  operations.init = &Session::Init;
  std::string flags = absl::StrJoin(MountFlags(), ",");
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  for (const char* argument : {"rnullfs", "-o", flags.c_str()}) {
    if (fuse_opt_add_arg(&arguments, argument) != 0) return SystemError(ENOMEM, "mount options");
  }
  session_ = fuse_session_new(&arguments, &operations, sizeof operations, this);
  fuse_opt_free_args(&arguments);
  if (session_ == nullptr) return Error(EINVAL, "libfuse does not take the mount options");
  if (!wants_ring_) {
    loop_ = std::make_unique<ReceiveLoop>(
        session_,
        [this](std::string_view init) {
          if (heritage_.survival == nullptr) return;
          heritage_.survival->UpdateMount([init](MountRecord& mount) { mount.init = init; });
        },
        [this] {
          if (hooks_.served) hooks_.served();
        });
  }
  const std::string where =
      heritage_.fuse_fd < 0 ? options_.mountpoint : MountpointOf(heritage_.fuse_fd);
  if (fuse_session_mount(session_, where.c_str()) != 0) {
    fuse_session_destroy(std::exchange(session_, nullptr));
    return CannotMount(options_.mountpoint);
  }
  if (heritage_.survival == nullptr || heritage_.fuse_fd >= 0) return absl::OkStatus();
  absl::Status kept = KeepElsewhere(heritage_.survival->keeper(), fuse_session_fd(session_));
  if (!kept.ok()) {
    fuse_session_unmount(session_);
    fuse_session_destroy(std::exchange(session_, nullptr));
  }
  return kept;
}

// libfuse, which calls this, knows no exceptions.
void Session::Init(void* userdata, fuse_conn_info* connection) {
  Session& session = *static_cast<Session*>(userdata);
  const auto fail = [&](const char* why) {
    const LockGuard lock(session.mutex_);
    session.not_ready_ = Error(ENOMEM, absl::StrCat("the mount cannot be served: ", why));
    fuse_session_exit(session.session_);
  };
  try {
    session.Negotiate(connection);
  } catch (const std::bad_alloc&) {
    fail("out of memory");
  } catch (const std::system_error& error) {  // no thread to watch a ring
    fail(error.what());
  }
}

void Session::Negotiate(fuse_conn_info* connection) {
  Survival* const survival = heritage_.survival;
  const std::vector<std::string> agreed =
      survival == nullptr ? std::vector<std::string>() : survival->mount().capabilities;
  {
    LockGuard lock(mutex_);
    negotiated_ = {.protocol_major = connection->proto_major,
                   .protocol_minor = connection->proto_minor,
                   .capabilities = NegotiateCapabilities(
                       *connection, wants_ring_, heritage_.replaced > 0 ? &agreed : nullptr)};
    if (survival != nullptr) {
      survival->UpdateMount([&](MountRecord& mount) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        mount.capabilities = negotiated_.capabilities;
      });
    }
    negotiated_.passthrough_obstacle = PassthroughObstacle(negotiated_.capabilities);
  }
  absl::Status ready = hooks_.ready();
  if (!ready.ok()) {
    LockGuard lock(mutex_);
    not_ready_ = std::move(ready);
    fuse_session_exit(session_);
  } else if (wants_ring_) {
    ring_watch_ = std::thread(&Session::AwaitRing, this);
  } else {
    hooks_.answering();
  }
}

absl::Status Session::Serve(Hooks hooks) {
  hooks_ = std::move(hooks);
  absl::Status served = Loop();
  if (ring_is_silent_ && !ending_.load()) {
    fuse_session_unmount(session_);
    fuse_session_destroy(std::exchange(session_, nullptr));
    wants_ring_ = false;
    if (absl::Status attached = Attach(); !attached.ok()) return attached;
    served = Loop();
  }
  huge_pages_.Stop();
  recaller_.Stop();
  parking_.Stop();
  hooks_.idle();
  Unmount();
  {
    LockGuard lock(mutex_);
    if (!not_ready_.ok()) return not_ready_;
  }
  return served;
}

absl::Status Session::Loop() {
  finished_.store(false);
  main_thread_ = pthread_self();
  std::thread signal_thread;
  absl::Status served = InsistWhileMounted(heritage_.fuse_fd, [&] {
    absl::StatusOr<std::thread> started = StartThread([this] { AwaitSignals(); });
    if (!started.ok()) return started.status();
    signal_thread = *std::move(started);
    return absl::OkStatus();
  });
  if (!served.ok()) return served;
  if (loop_ != nullptr) {
    served = InsistWhileMounted(heritage_.fuse_fd, [this] { return parking_.Start(); });
  }
  if (loop_ == nullptr) {
    served = ServeRing();
  } else if (served.ok()) {
    if (heritage_.fuse_fd >= 0) GoOn();
    served = loop_->Run(ThreadCount(), heritage_.fuse_fd, [this] {
      if (heritage_.fuse_fd >= 0) recaller_.Start(tree_->Devices());
    });
  }
  finished_.store(true);
  pthread_kill(signal_thread.native_handle(), SIGHUP);  // it may be waiting for one
  signal_thread.join();
  if (ring_watch_.joinable()) ring_watch_.join();
  return served;
}

// libfuse's own loop: a ring's threads belong to it.
absl::Status Session::ServeRing() {
  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, ThreadCount());
  const int result = fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
  if (result >= 0 || result == -ENODEV) return absl::OkStatus();
  return SystemError(-result, "serving the mount");
}

// Where another process stopped: libfuse hears what the kernel said to it, the kernel refuses to
// hear the answer again.
void Session::GoOn() {
  Replay(session_, heritage_.survival->mount().init);
  KillPoint("replayed");
  std::set<int> backings;
  std::set<int> retired;
  for (const std::shared_ptr<DeviceNode>& device : tree_->Devices()) {
    const DiskFacts facts = device->facts();
    if (facts.passthrough) huge_pages_.Watch(device);
    backings.insert(facts.backing_id);
    retired.insert(facts.retired_backing_id);
  }
  if (passthrough_obstacle().empty()) {
    ForgetStrayBackings(fuse_session_fd(session_), backings, retired);
  }
}

int Session::fuse_fd() const { return fuse_session_fd(session_); }

void Session::Unmount() {
  const int fuse = fuse_session_fd(session_);
  pollfd connection = {.fd = fuse, .events = 0, .revents = 0};
  const bool gone = poll(&connection, 1, 0) == 1 && (connection.revents & POLLERR) != 0;
  // By path, what lies over ours would go, and not ours.
  if (!gone && LiesOver(MountedOn(options_.mountpoint), fuse)) {
    Log(absl::StrCat("another mount lies over ours on ", options_.mountpoint,
                     ": it stays, and below it a dead mount for you to umount"));
    return;
  }
  if (heritage_.fuse_fd < 0) return fuse_session_unmount(session_);
  // libfuse does not know where a mount is that it has not made.  What is there now may be somebody
  // else's.
  if (!gone) UnmountOurs(options_.mountpoint, fuse);
}

void Session::AwaitSignals() {
  for (bool ending = false, more = true; more;) {
    try {
      more = TakeSignal(ending);
    } catch (const std::bad_alloc&) {
      ending = true;  // it takes no memory to wait for a signal: looks again in a moment
    }
  }
}

// Waits for one, or a while when the end is awaited; false when there is nothing more to wait for.
bool Session::TakeSignal(bool& ending) {
  const sigset_t signals = EndSignals();
  const int signal = sigtimedwait(&signals, nullptr, ending ? &kLookAgain : nullptr);
  if (finished_.load()) return false;
  if (signal == kGuardDied) {
    if (getppid() == heritage_.guard_pid) return true;  // somebody else's idea
    guard_lost_ = true;
    Log("the guard has died: the disks are served on, but would not outlive this process now");
    return true;
  }
  const bool signalled = signal > 0;
  if (!signalled && !ending) return true;  // EINTR: the process was stopped and goes on
  const std::vector<std::string> in_use = tree_->DisksInUse();
  if (in_use.empty() || (signalled && ending)) {
    End();
    return false;
  }
  if (signalled) {
    Log(absl::StrCat("still in use: ", absl::StrJoin(in_use, ", "),
                     "; unmounting when they are closed, or at once at the next signal"));
    if (hooks_.ending) hooks_.ending();
  }
  ending = true;
  LockGuard lock(mutex_);
  awaited_ = in_use;
  return true;
}

void Session::End() {
  ending_.store(true);
  if (wants_ring_) {
    // A ring's thread waits for its answer; libfuse would wait for the thread.
    hooks_.idle();
    // A ring that closes aborts the connection, which libfuse takes for an unmount by somebody
    // else: it would leave the mount behind.
    UnmountOurs(options_.mountpoint, fuse_session_fd(session_));
  }
  if (loop_ != nullptr) return loop_->End();
  EndLoop();
}

// libfuse's loop sleeps until a worker ends or a signal arrives, and may just be about to.
void Session::EndLoop() {
  while (!finished_.load()) {
    fuse_session_exit(session_);
    pthread_kill(main_thread_, SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string Session::passthrough_obstacle() const {
  LockGuard lock(mutex_);
  return negotiated_.passthrough_obstacle;
}

}  // namespace rnullfs
