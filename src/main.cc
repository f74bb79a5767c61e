// rnullfs: reads the command line, makes the devices, mounts, serves.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/background.h"
#include "base/log.h"
#include "base/process.h"
#include "config/mount_options.h"
#include "device/completion_queue.h"
#include "fuse/session.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"
#include "rnullfs/memory_limit.h"
#include "tree/tree.h"

namespace rnullfs {
namespace {

int Fail(const absl::Status& status) {
  Log({status.message().data(), status.message().size()});
  return 1;
}

// Checks the mountpoint, and makes it absolute because the background process leaves the caller's
// directory.  A descriptor of /dev/fuse (/dev/fd/N) stays as it is: that mount has been made.
absl::Status FindMountpoint(std::string& path) {
  if (path.rfind("/dev/fd/", 0) == 0) return absl::OkStatus();
  char absolute[PATH_MAX];
  if (realpath(path.c_str(), absolute) == nullptr) {
    return SystemError(errno, absl::StrCat("mountpoint ", path));
  }
  struct stat st = {};
  if (stat(absolute, &st) != 0) return SystemError(errno, absl::StrCat("mountpoint ", path));
  if (!S_ISDIR(st.st_mode)) {
    return Error(ENOTDIR, absl::StrCat("mountpoint ", path, ": it must be a directory"));
  }
  path = absolute;
  return absl::OkStatus();
}

using Devices = std::vector<std::shared_ptr<DeviceNode>>;

// Makes them, switched off: what passthrough can do is known only when the kernel has answered.
absl::StatusOr<Devices> MakeDevices(const MountOptions& options, Tree& tree) {
  DeviceConfig config = options.device;
  config.power = false;
  Devices devices;
  for (uint32_t i = 0; i < options.nr_devices; ++i) {
    const auto node =
        tree.MakeDevice(kRootInode, absl::StrCat("rnullb", i), 0755, getuid(), getgid());
    if (!node.ok()) return node.status();
    if (absl::Status status = (*node)->Store(config); !status.ok()) return status;
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

uint64_t MemoryLimitOf(const MountOptions& options) {
  return options.memory_limit.has_value() ? *options.memory_limit : AvailableMemory() / 5 * 4;
}

int Run(MountOptions options) {
  if (absl::Status status = FindMountpoint(options.mountpoint); !status.ok()) {
    return Fail(status);
  }
  Background background;
  if (!options.foreground) {
    absl::StatusOr<Background> started = Background::Start();
    if (!started.ok()) return Fail(started.status());
    background = std::move(*started);
    if (chdir("/") != 0) return Fail(SystemError(errno, "chdir /"));
  }
  RaiseDescriptorLimit();

  CompletionQueue completions(Clock::Real());
  MemoryLimit memory(MemoryLimitOf(options));
  Session session(options, memory);
  Tree tree(getuid(), getgid(), [&session] { return session.StatusText(); },
            {.device = {.clock = Clock::Real(), .completions = completions},
             .memory = memory,
             .passthrough_obstacle = [&session] { return session.passthrough_obstacle(); }});
  const absl::StatusOr<Devices> devices = MakeDevices(options, tree);
  if (!devices.ok()) return Fail(devices.status());
  if (absl::Status status = session.Mount(tree); !status.ok()) return Fail(status);
  const absl::Status served = session.Serve({
      .ready = [&] { return PowerOn(options, *devices); },
      .answering = [&] { background.Ready(); },
      .idle = [&] { completions.Stop(); },
  });
  return served.ok() ? 0 : Fail(served);
}

int Main(int argc, char** argv) {
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
  return Run(std::move(*options));
}

}  // namespace
}  // namespace rnullfs

int main(int argc, char** argv) { return rnullfs::Main(argc, argv); }
