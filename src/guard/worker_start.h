// What a worker begins with: a fork of the guard that runs on, or a new program that an upgrade has
// started (Handover::As::kWorker).
//
// Thread safety: none; before any thread starts.
#ifndef RNULLFS_GUARD_WORKER_START_H_
#define RNULLFS_GUARD_WORKER_START_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "guard/descriptors.h"
#include "guard/handover.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

struct WorkerStart {
  UniqueFd channel;  // for GuardLink
  pid_t guard_pid = 0;
  unsigned replaced = 0;     // how many workers there were before
  std::string replaced_why;  // what became of the last one: "signal 9 (Killed)"
  UniqueFd fuse;             // the rest is invalid for the first
  UniqueFd state;
  std::vector<UniqueFd> memfds;
};

// The exit status of a worker that finds what it is handed damaged: another would, too.
inline constexpr int kExitDamaged = 3;

// WorkerStart::replaced_why where the last one has not died by itself.
inline constexpr char kUpgraded[] = "an upgrade";
inline constexpr char kNotUpgraded[] = "an upgrade that failed";

// Makes this process a worker of the guard handover.peer, and takes handover.descriptor and what is
// kept.
WorkerStart StartWorker(const Handover& handover, const KeptDescriptors& kept,
                        const char* replaced_why);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_WORKER_START_H_
