#include "tree/blackout.h"

#include <cerrno>
#include <new>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "rnullfs/rcu.h"

namespace rnullfs {
namespace {

absl::Status Named(const DeviceNode& node, const absl::Status& status) {
  return Error(ErrnoOf(status), absl::StrCat(Visible(node.name()), ": ", status.message()));
}

void Note(Survival* survival, bool blackout, uint64_t request) {
  if (survival == nullptr) return;
  try {
    survival->UpdateMount([=](MountRecord& mount) {
      mount.blackout = blackout;
      if (request != 0) mount.blackout_request = request;
    });
  } catch (const std::bad_alloc&) {
    survival->SayUnsaved(ENOMEM);
  }
}

}  // namespace

absl::Status Blackout::Cut(const Devices& devices, Survival* survival, uint64_t request) {
  const LockGuard lock(mutex_);
  const bool heard =
      request != 0 && survival != nullptr && survival->mount().blackout_request == request;
  if (heard) return absl::OkStatus();
  for (const std::shared_ptr<DeviceNode>& node : devices()) {
    if (absl::Status possible = node->CheckCut(); !possible.ok()) return Named(*node, possible);
  }
  // Before anybody can have seen it.
  Note(survival, true, request);
  KillPoint("blackout-noted");
  return CutEach(devices, survival);
}

void Blackout::Finish(const Devices& devices, Survival& survival) {
  if (!survival.mount().blackout) return;
  const LockGuard lock(mutex_);
  static_cast<void>(CutEach(devices, &survival));  // who asked for it asks again
}

absl::Status Blackout::CutEach(const Devices& devices, Survival* survival) {
  // In this order: nobody can write before it is over.
  const absl::Cleanup end = [this, survival] {
    Note(survival, false, 0);
    now_.store(false);
  };
  now_.store(true);
  RcuSynchronize();  // what had begun to change something
  const std::vector<std::shared_ptr<DeviceNode>> all = devices();
  for (const std::shared_ptr<DeviceNode>& node : all) node->Interrupt();
  absl::Status how;
  for (const std::shared_ptr<DeviceNode>& node : all) {
    const absl::Status cut = node->CutAnyway();
    if (how.ok() && !cut.ok()) how = Named(*node, cut);
    KillPoint("blackout-cut-one");
  }
  return how;
}

}  // namespace rnullfs
