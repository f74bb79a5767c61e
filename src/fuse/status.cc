// What status.json says.

#include <fuse_lowlevel.h>
#include <unistd.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "config/document.h"
#include "fuse/session.h"
#include "tree/tree.h"

namespace rnullfs {

std::string Session::StatusText() const {
  const uint64_t devices = tree_ == nullptr ? 0 : tree_->device_count();
  const std::string last_error = tree_ == nullptr ? std::string() : tree_->last_error();
  memory_.LookAgain();  // at what a close, or an end of a mapping, has left
  LockGuard lock(mutex_);
  const bool ring = over_ring_.load();
  Document document;
  document.AddText("version", RNULLFS_VERSION)
      .AddText("guard", heritage_.guard_pid == 0 ? "off"
                        : guard_lost_            ? "lost"
                                                 : "on")
      .AddNumber("guard_pid", static_cast<uint64_t>(guard_lost_ ? 0 : heritage_.guard_pid))
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
      .AddText("transport", ring ? "uring" : "dev")
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
      .AddList("unmount_waits_for", awaited_)
      .AddText("last_error", last_error);
  return document.Text();
}

}  // namespace rnullfs
