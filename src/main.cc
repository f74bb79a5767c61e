// rnullfs: reads the command line, makes the devices, mounts, serves.

#include <sys/auxv.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/background.h"
#include "base/log.h"
#include "base/mountpoint.h"
#include "base/pressure.h"
#include "base/process.h"
#include "base/threads.h"
#include "command_line/mount_options.h"
#include "device/completion_queue.h"
#include "fuse/receive_loop.h"
#include "fuse/session.h"
#include "guard/commands.h"
#include "guard/descriptors.h"
#include "guard/guard.h"
#include "guard/handover.h"
#include "guard/link.h"
#include "past/left_marks.h"
#include "past/left_snapshots.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/rcu.h"
#include "tree/survival.h"
#include "tree/tree.h"

namespace rnullfs {
namespace {

int Fail(const absl::Status& status) {
  Log({status.message().data(), status.message().size()});
  return 1;
}

// The state that another process has left cannot be gone on with: none of ours could where it is
// damaged (EINVAL), but another one may have the memory or the descriptors that we could not get.
int Refuse(const absl::Status& status) {
  const int failed = Fail(status);
  return ErrnoOf(status) == EINVAL ? kExitDamaged : failed;
}

using Devices = std::vector<std::shared_ptr<DeviceNode>>;

// Makes them, switched off: what passthrough can do is known only when the kernel has answered.
absl::StatusOr<Devices> MakeDevices(const MountOptions& options, Tree& tree) {
  Settings off = options.device;
  off.config.power = false;
  Devices devices;
  for (uint32_t i = 0; i < options.nr_devices; ++i) {
    const auto node =
        tree.MakeDevice(absl::StrCat("rnullb", i), {.uid = getuid(), .gid = getgid()});
    if (!node.ok()) return node.status();
    if (absl::Status status = (*node)->Store(off); !status.ok()) return status;
    devices.push_back(*node);
  }
  return devices;
}

absl::Status PowerOn(const MountOptions& options, const Devices& devices) {
  for (const std::shared_ptr<DeviceNode>& device : devices) {
    if (absl::Status status = device->Store(options.device); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// What the process that serves has beside the options.
struct Worker {
  GuardLink link;
  std::unique_ptr<Survival> survival = nullptr;  // null without a guard
  Heritage heritage;
  std::vector<UniqueFd> memfds;

  bool takes_over() const { return heritage.replaced > 0; }
};

int Serve(const MountOptions& options, Worker& worker, Background& background) {
  CompletionQueue completions(Clock::Real());
  MemoryLimit memory(worker.takes_over()
                         ? worker.survival->mount().memory_limit
                         : options.memory_limit.value_or(AvailableMemory() / 5 * 4));
  if (worker.survival != nullptr && !worker.takes_over()) {
    worker.survival->UpdateMount(
        [&](MountRecord& mount) { mount.memory_limit = memory.limit_bytes(); });
  }
  Session session(options, memory, worker.heritage);
  Tree tree(getuid(), getgid(), [&session] { return session.StatusText(); },
            {.device = {.clock = Clock::Real(),
                        .completions = completions,
                        .patience_nsec = PatienceNsec()},
             .memory = memory,
             .passthrough_obstacle = [&session] { return session.passthrough_obstacle(); },
             .waits_block = [&session] { return session.over_ring(); },
             .survival = worker.survival.get()});
  absl::StatusOr<Devices> devices = Devices();
  if (worker.takes_over()) {
    absl::Status restored = tree.Restore(std::move(worker.memfds));
    if (!restored.ok()) return Refuse(restored);
  } else {
    devices = MakeDevices(options, tree);
    if (!devices.ok()) return Fail(devices.status());
  }
  // Before any request, because later there may be no thread to be had.
  const auto start_threads = [&] {
    absl::Status started = StartRcu();
    return started.ok() ? completions.Start() : started;
  };
  if (absl::Status status = InsistWhileMounted(worker.heritage.fuse_fd, start_threads);
      !status.ok()) {
    return Fail(status);
  }
  if (absl::Status status = session.Mount(tree); !status.ok()) return Fail(status);
  const absl::Status served = session.Serve({
      .ready = [&] { return PowerOn(options, *devices); },
      .answering =
          [&] {
            if (options.guard) {
              background.Detach();
              worker.link.Ready();
            } else {
              background.Ready();
              NotifyReady();
            }
          },
      .served = [&] { worker.link.Served(); },
      .ending = [&] { worker.link.Ending(); },
      .idle = [&] { completions.Stop(); },
  });
  return served.ok() ? 0 : Fail(served);
}

// A worker, or the only process where there is no guard.
int ServeAs(WorkerStart start, const MountOptions& options, Background& background) {
  MakeRoomForDescriptors();
  Worker worker = {.link = GuardLink(std::move(start.channel)),
                   .heritage = {.guard_pid = start.guard_pid,
                                .replaced = start.replaced,
                                .replaced_why = std::move(start.replaced_why),
                                .fuse_fd = start.fuse.Release(),
                                .pressure = PrepareForPressure()},
                   .memfds = std::move(start.memfds)};
  if (options.guard) {
    absl::StatusOr<std::unique_ptr<Survival>> survival =
        worker.takes_over() ? Survival::Open(std::move(start.state), worker.link)
                            : Survival::Create(worker.link);
    if (!survival.ok()) {
      return worker.takes_over() ? Refuse(survival.status()) : Fail(survival.status());
    }
    worker.survival = *std::move(survival);
    worker.heritage.survival = worker.survival.get();
  }
  // In one that takes over an exception is a death of which the next one knows.
  if (worker.takes_over()) return Serve(options, worker, background);
  try {
    return Serve(options, worker, background);
  } catch (const std::bad_alloc&) {
    return Fail(Error(ENOMEM, "out of memory at the start (ulimit -v limits it)"));
  }
}

// Whether this program could go on with what the guard's worker has saved.
int CheckState(const Handover& handover) {
  const absl::StatusOr<std::unique_ptr<Survival>> survival =
      Survival::Open(UniqueFd(KeptDescriptors().state()), MemfdKeeper::None());
  if (!survival.ok()) return Refuse(survival.status());
  AnswerCheck(handover);
  return 0;
}

// What a command does that mounts: it finds a place, and goes into the background, if that is
// wanted.
absl::Status Begin(MountOptions& options, Background& background) {
  UnblockSignals();
  if (absl::Status found = FindMountpoint(options.mountpoint); !found.ok()) return found;
  if (options.foreground) return absl::OkStatus();
  absl::StatusOr<Background> started = Background::Start();
  if (!started.ok()) return started.status();
  background = std::move(*started);
  return chdir("/") == 0 ? absl::OkStatus() : SystemError(errno, "chdir /");
}

int Mount(MountOptions options, char** argv) {
  GuardSetup setup = {.argv = argv, .handover = TakeHandover(options.mountpoint)};
  const bool is_start = setup.handover.as == Handover::As::kNone;
  if (setup.handover.as == Handover::As::kCheck) return CheckState(setup.handover);
  // The state's memfd is sparse, and larger than any limit; the disks' may fit.
  if (absl::Status status = RaiseFileSizeLimit(); !status.ok() && options.guard && is_start) {
    return Fail(status);
  }
  Background background;
  if (is_start) {
    if (absl::Status status = Begin(options, background); !status.ok()) return Fail(status);
    setup.handover.mountpoint = options.mountpoint;
  } else {
    options.mountpoint = setup.handover.mountpoint;
    if (!options.foreground) LogToSyslog();
  }
  setup.program = OwnPath(argv[0]);
  RaiseDescriptorLimit();
  if (options.guard && !HasProc()) {
    Log("there is no /proc: a guard knows by it what it holds, so that this mount goes without, "
        "and its disks end with the process that serves them (mount -t proc proc /proc before)");
    options.guard = false;
  }
  if (!options.guard) return ServeAs({}, options, background);
  setup.ready = [&background] {
    background.Ready();
    NotifyReady();
  };
  setup.serve = [&](WorkerStart start) { return ServeAs(std::move(start), options, background); };
  RunGuard(setup);
}

// --- What --rescue has to know of the files that it finds --------------------------------------

absl::StatusOr<std::vector<LeftReader::Snapshot>> ReadSnapshots(int past) {
  const absl::StatusOr<std::vector<LeftSnapshot>> left = FindLeftSnapshots(past);
  if (!left.ok()) return left.status();
  std::vector<LeftReader::Snapshot> snapshots;
  for (const LeftSnapshot& each : *left) {
    snapshots.push_back({each.name, each.serial, each.size_bytes,
                         [past, each](int image) { return PutBackVersions(past, each, image); }});
  }
  return snapshots;
}

absl::StatusOr<std::map<uint64_t, OriginKey>> ReadOrigins(int state) {
  const auto survival = Survival::Open(UniqueFd(dup(state)), MemfdKeeper::None());
  if (!survival.ok()) return survival.status();
  std::map<uint64_t, OriginKey> origins;
  for (const DeviceRecord& device : (*survival)->devices()) {
    if (device.origin.any()) origins[device.id] = device.origin;
  }
  return origins;
}

absl::StatusOr<std::vector<LeftReader::Run>> ReadOwn(int marks, uint64_t shared_bytes) {
  const absl::StatusOr<std::vector<OwnRun>> left = FindOwnRuns(marks, shared_bytes);
  if (!left.ok()) return left.status();
  std::vector<LeftReader::Run> runs;
  for (const OwnRun& run : *left) runs.push_back({run.begin, run.end});
  return runs;
}

int Main(int argc, char** argv) {
  if (getauxval(AT_SECURE) != 0) {
    return Fail(Error(EPERM,
                      "set-user-ID or with file capabilities it would do for anybody what they may "
                      "not do themselves; take these away (for others to mount there is "
                      "fusermount3)"));
  }
  absl::StatusOr<MountOptions> options =
      ParseCommandLine({argv + 1, static_cast<size_t>(argc - 1)});
  if (!options.ok()) return Fail(options.status());
  if (options->show_help) {
    std::fputs(HelpText().c_str(), stdout);
    return 0;
  }
  if (options->show_version) {
    std::puts("rnullfs " RNULLFS_VERSION);
    return 0;
  }
  absl::Status done;
  if (options->rescue_pid != 0) {
    const LeftReader reader = {.snapshots = ReadSnapshots, .origins = ReadOrigins, .own = ReadOwn};
    done = Rescue(options->rescue_pid, options->mountpoint, reader, options->snapshots);
  } else if (options->remount) {
    done = Remount(options->mountpoint, options->given, options->settings);
  } else if (options->upgrade) {
    done = UpgradeMount(options->mountpoint);
  } else {
    return Mount(std::move(*options), argv);
  }
  return done.ok() ? 0 : Fail(done);
}

}  // namespace
}  // namespace rnullfs

int main(int argc, char** argv) {
  rnullfs::PrepareProcess();
  return rnullfs::Main(argc, argv);
}
