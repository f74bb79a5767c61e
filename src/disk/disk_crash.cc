// What a power cut may have left of a disk.

#include <cerrno>
#include <utility>

#include "crash/states.h"
#include "past/snapshots.h"
#include "rnullfs/disk_past.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// One that somebody has; the states and the past stay as long.
struct OpenState {
  std::shared_ptr<Snapshots> snapshots;
  std::shared_ptr<CrashStates> states;
  std::shared_ptr<CrashState> state;
  std::string who;
  ~OpenState() {
    state.reset();
    states.reset();
    snapshots->EndWatch(who);
  }
};

}  // namespace

std::shared_ptr<CrashStates> DiskPast::crash() {
  if (!moments()) return nullptr;
  if (states_ == nullptr) {
    states_ = std::make_shared<CrashStates>(*medium_->past(), medium_->memory(), clock_);
  }
  return states_;
}

absl::StatusOr<std::shared_ptr<CrashState>> DiskPast::OpenCrash(uint32_t id,
                                                                const std::string& who) {
  const std::shared_ptr<CrashStates> states = crash();
  if (states == nullptr) return Error(ESTALE, "crash: the disk has no history any more");
  absl::StatusOr<std::shared_ptr<CrashState>> state = states->Open(id);
  if (!state.ok()) return state.status();
  snapshots_->Watch(who);
  const std::shared_ptr<OpenState> open(
      new OpenState{.snapshots = snapshots_, .states = states, .state = *state, .who = who});
  return std::shared_ptr<CrashState>(open, open->state.get());
}

}  // namespace rnullfs
