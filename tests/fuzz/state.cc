// The state that a process left, damaged in any way, handed to the one that takes over.
//
// It is refused with a sentence, or a tree is made of it that can be looked at, used, saved and
// made once more.  The first byte says how the rest becomes a state: as the file's bytes, or as
// records whose checksums are right, so that what is in them is reached.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/memfd_name.h"
#include "device/completion_queue.h"
#include "fuzz/fuzz_target.h"
#include "rnullfs/clock.h"
#include "store/record_log.h"
#include "tree/survival.h"
#include "tree/tree.h"

namespace rnullfs {
namespace {

constexpr off_t kStateSize = off_t{1} << 60;
constexpr size_t kHeaderBytes = 24;
constexpr off_t kFirstRegion = 4096;

UniqueFd Memfd(const std::string& name, off_t size) {
  UniqueFd memfd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  Require(memfd.valid() && ftruncate(memfd.get(), size) == 0, "a memfd can be had");
  return memfd;
}

UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

// The header, and what lies in the first region.
UniqueFd AsFile(std::string_view bytes) {
  UniqueFd memfd = Memfd(std::string(kStateMemfdName), kStateSize);
  const std::string_view header = bytes.substr(0, kHeaderBytes);
  const std::string_view region = bytes.substr(header.size());
  const bool written =
      pwrite(memfd.get(), header.data(), header.size(), 0) == static_cast<ssize_t>(header.size()) &&
      pwrite(memfd.get(), region.data(), region.size(), kFirstRegion) ==
          static_cast<ssize_t>(region.size());
  Require(written, "a memfd can be written");
  return memfd;
}

// Each record: a byte of key, two of length, that many bytes.
UniqueFd AsRecords(std::string_view bytes) {
  const std::unique_ptr<RecordLog> log = RecordLog::Create().value();
  while (bytes.size() >= 3) {
    uint16_t length = 0;
    std::memcpy(&length, bytes.data() + 1, sizeof length);
    log->Put(static_cast<uint8_t>(bytes[0]), bytes.substr(3, length));
    bytes.remove_prefix(std::min<size_t>(bytes.size(), 3U + length));
  }
  return Duplicate(log->fd());
}

// What a guard could hold: a disk of 1 MiB, one of 64 MiB, and one that was being moved.
std::vector<UniqueFd> Disks() {
  std::vector<UniqueFd> disks;
  disks.push_back(Memfd(DiskMemfdName(1, "one"), off_t{1} << 20));
  disks.push_back(Memfd(DiskMemfdName(2, "two"), off_t{64} << 20));
  disks.push_back(Memfd(DiskMemfdName(2, "two"), off_t{128} << 20));
  return disks;
}

// False when it is refused.
bool TakeOver(const UniqueFd& state) {
  absl::StatusOr<std::unique_ptr<Survival>> survival =
      Survival::Open(Duplicate(state.get()), MemfdKeeper::None());
  if (!survival.ok()) {
    Require(!survival.status().message().empty(), "a refusal says why");
    return false;
  }
  CompletionQueue completions(Clock::Real());
  MemoryLimit memory(uint64_t{1} << 30);
  Tree tree(1, 2, [] { return std::string(); },
            {.device = {.clock = Clock::Real(), .completions = completions},
             .memory = memory,
             .passthrough_obstacle = [] { return std::string("it is a test"); },
             .survival = survival->get()});
  if (absl::Status restored = tree.Restore(Disks()); !restored.ok()) {
    Require(!restored.message().empty(), "a refusal says why");
    return false;
  }
  for (const std::shared_ptr<DeviceNode>& device : tree.Devices()) {
    Require(!device->StatsText().empty(), "a disk has statistics");
    if (device->device() != nullptr) {
      device->device()->Submit({.op = Op::kRead, .length = 4096},
                               {.complete = [](void*, const Answer&) {}, .tag = nullptr});
    }
    device->Refuse(Error(EINVAL, "as if a write had been refused")).IgnoreError();
  }
  completions.Stop();
  return true;
}

}  // namespace
}  // namespace rnullfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rnullfs;  // NOLINT(google-build-using-namespace)
  if (size < 1) return 0;
  const std::string_view bytes = AsText(data, size).substr(1);
  const UniqueFd state = data[0] % 2 == 0 ? AsFile(bytes) : AsRecords(bytes);
  if (TakeOver(state)) Require(TakeOver(state), "what was made of it can be made again");
  return 0;
}
