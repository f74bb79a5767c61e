#include "fuse/session.h"

#include <fuse_lowlevel.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/threads.h"
#include "fuse/backing_ids.h"
#include "fuse/negotiate.h"
#include "fuse/operations.h"
#include "fuse/ring.h"
#include "json/document.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Requests rarely block a thread for long (delays wait in the completion queue), so more threads
// than this only pass the work around; there are more than processors because some requests make
// the kernel wait, as one that frees a disk's memory does.
unsigned ThreadCount() { return std::max(4U, 2 * std::thread::hardware_concurrency()); }

}  // namespace

Session::Session(const MountOptions& options, MemoryLimit& memory, Heritage heritage)
    : options_(options),
      memory_(memory),
      allow_other_(MayAllowOther()),
      heritage_(std::move(heritage)),
      signals_(heritage_.guard_pid, {.in_use = [this] { return tree_->DisksInUse(); },
                                     .ending = [this] { hooks_.ending(); },
                                     .end = [this] { End(); }}),
      mount_(options_, heritage_.fuse_fd, allow_other_),
      huge_pages_(options.huge),
      text_handles_(heritage_.replaced) {}

absl::Status Session::Mount(Tree& tree) {
  tree_ = &tree;
  const bool ring = ChooseRing();
  if (!allow_other_ && heritage_.replaced == 0) {
    Log("only you can open the disks (a losetup by root is refused): add user_allow_other to "
        "/etc/fuse.conf and mount again to change that");
  }
  if (const std::string warning = PressureWarning(heritage_.pressure);
      geteuid() == 0 && heritage_.replaced == 0 && !warning.empty()) {
    Log(warning);
  }
  return Attach(ring);
}

// Whether to ask for a ring.
bool Session::ChooseRing() {
  if (options_.transport == Transport::kUring) {
    const bool made_by_another = options_.mountpoint.rfind("/dev/fd/", 0) == 0;
    const std::string obstacle =
        made_by_another ? "who made the mount would have to unmount it before the ring closes"
                        : RingObstacle();
    if (!obstacle.empty()) {
      FallBack(obstacle);
      return false;
    }
  }
  const LockGuard lock(mutex_);
  transport_why_ = options_.transport == Transport::kAuto
                       ? "auto: a ring would let a delayed request hold up its processor's other "
                         "requests; transport=uring suits disks with irqmode 0"
                       : "as asked";
  return options_.transport == Transport::kUring;
}

// A ring was asked for, and there is none.
void Session::FallBack(const std::string& why) {
  Log(absl::StrCat("transport=uring falls back to dev: ", why));
  const LockGuard lock(mutex_);
  transport_why_ = why;
  std::erase(negotiated_.capabilities, kRingCapability);
}

absl::Status Session::Attach(bool ring) {
  fuse_lowlevel_ops operations = Operations();
  operations.init = &Session::Init;
  if (absl::Status made = mount_.Make(operations, this, ring); !made.ok()) return made;
  if (ring) {
    ring_ = std::make_unique<RingLoop>(mount_, options_.mountpoint,
                                       [this](const std::string& why) { FallBack(why); });
  } else {
    ring_ = nullptr;
    loop_ = std::make_unique<ReceiveLoop>(
        mount_.session(), ThreadCount(),
        [this](std::string_view init) {  // for who takes over
          if (heritage_.survival == nullptr) return;
          heritage_.survival->UpdateMount([init](MountRecord& mount) { mount.init = init; });
        },
        [this] { hooks_.served(); });
  }
  if (heritage_.survival == nullptr || mount_.inherited()) return absl::OkStatus();
  absl::Status kept = KeepElsewhere(heritage_.survival->keeper(), mount_.fd());
  if (!kept.ok()) mount_.Discard();
  return kept;
}

// libfuse, which calls this, knows no exceptions.
void Session::Init(void* userdata, fuse_conn_info* connection) {
  Session& session = *static_cast<Session*>(userdata);
  const auto fail = [&](const char* why) {
    const LockGuard lock(session.mutex_);
    session.not_ready_ = Error(ENOMEM, absl::StrCat("the mount cannot be served: ", why));
    fuse_session_exit(session.mount_.session());
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
  bool ring_promised = false;
  {
    LockGuard lock(mutex_);
    negotiated_ = {.protocol_major = connection->proto_major,
                   .protocol_minor = connection->proto_minor,
                   .capabilities = NegotiateCapabilities(
                       *connection, ring_ != nullptr, heritage_.replaced > 0 ? &agreed : nullptr)};
    if (survival != nullptr) {
      survival->UpdateMount([&](MountRecord& mount) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        mount.capabilities = negotiated_.capabilities;
      });
    }
    negotiated_.passthrough_obstacle = PassthroughObstacle(negotiated_.capabilities);
    const auto& used = negotiated_.capabilities;
    ring_promised = std::find(used.begin(), used.end(), kRingCapability) != used.end();
  }
  absl::Status ready = hooks_.ready();
  if (!ready.ok()) {
    LockGuard lock(mutex_);
    not_ready_ = std::move(ready);
    fuse_session_exit(mount_.session());
  } else if (ring_ != nullptr) {
    ring_->Watch(ring_promised, hooks_.answering);
  } else {
    hooks_.answering();
  }
}

absl::Status Session::Serve(Hooks hooks) {
  hooks_ = std::move(hooks);
  absl::Status served = Loop();
  if (ring_ != nullptr && ring_->silent()) {
    mount_.Discard();
    if (absl::Status attached = Attach(/*ring=*/false); !attached.ok()) return attached;
    served = Loop();
  }
  huge_pages_.Stop();
  recaller_.Stop();
  parking_.Stop();
  hooks_.idle();
  mount_.Unmount();
  {
    LockGuard lock(mutex_);
    if (!not_ready_.ok()) return not_ready_;
  }
  return served;
}

absl::Status Session::Loop() {
  absl::Status started =
      InsistWhileMounted(mount_.inherited_fd(), [this] { return signals_.Start(); });
  if (!started.ok()) return started;
  absl::Status served = ring_ != nullptr ? ring_->Run(ThreadCount()) : Receive();
  signals_.Stop();
  return served;
}

absl::Status Session::Receive() {
  absl::Status started = InsistWhileMounted(
      mount_.inherited_fd(), [this] { return parking_.Start(loop_->turns(), fuse_fd()); });
  if (!started.ok()) return started;
  if (mount_.inherited()) GoOn();
  return loop_->Run(mount_.inherited_fd(), [this] {
    if (mount_.inherited()) recaller_.Start(tree_->Devices());
  });
}

// Where another process stopped: libfuse hears what the kernel said to it, the kernel refuses to
// hear the answer again.
void Session::GoOn() {
  Replay(mount_.session(), heritage_.survival->mount().init);
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
    ForgetStrayBackings(fuse_fd(), backings, retired);
  }
}

void Session::End() {
  if (ring_ != nullptr) {
    ring_->End(hooks_.idle);
  } else {
    loop_->End();
  }
}

bool Session::over_ring() const { return ring_ != nullptr && ring_->over_ring(); }

std::string Session::passthrough_obstacle() const {
  LockGuard lock(mutex_);
  return negotiated_.passthrough_obstacle;
}

std::string Session::StatusText() const {
  const uint64_t devices = tree_ == nullptr ? 0 : tree_->device_count();
  const std::string last_error = tree_ == nullptr ? std::string() : tree_->last_error();
  memory_.LookAgain();  // at what a close, or an end of a mapping, has left
  const bool guard_lost = signals_.guard_lost();
  LockGuard lock(mutex_);
  Document document;
  document.AddText("version", RNULLFS_VERSION)
      .AddText("guard", heritage_.guard_pid == 0 ? "off"
                        : guard_lost             ? "lost"
                                                 : "on")
      .AddNumber("guard_pid", static_cast<uint64_t>(guard_lost ? 0 : heritage_.guard_pid))
      .AddNumber("worker_pid", static_cast<uint64_t>(getpid()))
      .AddNumber("workers_replaced", heritage_.replaced)
      .AddText("replaced_why", heritage_.replaced_why)
      .AddText("mountpoint", options_.mountpoint)
      .AddList("mount_options", options_.given)
      .AddNumber("devices", devices)
      .AddText("libfuse", fuse_pkgversion())
      .AddText("kernel_protocol",
               absl::StrCat(negotiated_.protocol_major, ".", negotiated_.protocol_minor))
      .AddList("capabilities", negotiated_.capabilities)
      .AddText("transport", over_ring() ? "uring" : "dev")
      .AddText("transport_why", transport_why_)
      .AddText("passthrough", negotiated_.passthrough_obstacle.empty()
                                  ? "possible"
                                  : negotiated_.passthrough_obstacle)
      .AddNumberOrNull("memory_limit", memory_.limit_bytes() == MemoryLimit::kNone
                                           ? std::nullopt
                                           : std::optional(memory_.limit_bytes()))
      .AddNumber("memory_used", memory_.used_bytes())
      .AddText("huge", huge_pages_.Describe())
      .AddBool("allow_other", allow_other_)
      .AddText("losetup", allow_other_
                              ? "root may attach the disks"
                              : "root's losetup is refused: add user_allow_other to /etc/fuse.conf "
                                "and mount again")
      .AddBool("io_flusher", heritage_.pressure.io_flusher)
      .AddBool("locked_in_memory", heritage_.pressure.locked)
      .AddBool("oom_score_lowered", heritage_.pressure.oom_score)
      .AddList("unmount_waits_for", signals_.awaited())
      .AddText("last_error", last_error);
  return document.Text();
}

}  // namespace rnullfs
