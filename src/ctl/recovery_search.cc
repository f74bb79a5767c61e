#include "ctl/recovery_search.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "ctl/crash_search.h"
#include "ctl/files.h"
#include "ctl/loop_device.h"
#include "ctl/promises.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// A disk beside another one, gone with the object unless it is to stay.
class Beside {
 public:
  static absl::StatusOr<Beside> Make(const std::string& device) {
    static std::atomic<uint64_t> next = 1;
    const std::string mount = device.substr(0, device.rfind('/'));
    while (true) {
      std::string path = absl::StrCat(mount, "/rnullctl-", getpid(), "-", next.fetch_add(1));
      const absl::Status made = MakeDirectory(path);
      if (made.ok()) return Beside(std::move(path));
      if (ErrnoOf(made) != EEXIST) return made;  // of one that had our number
    }
  }
  Beside(Beside&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Beside& operator=(Beside&&) = delete;
  // The kernel may not have closed its loop device yet.
  ~Beside() { RemovePatiently(path_); }
  const std::string& path() const { return path_; }
  void Keep() { path_.clear(); }

 private:
  explicit Beside(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Switches it on with the state's contents, and what it writes remembered.
absl::Status BeginAs(const std::string& device, const std::string& like, const std::string& state) {
  const std::string mount = like.substr(0, like.rfind('/') + 1);
  std::vector<std::pair<std::string, std::string>> attributes = {
      {"origin", state.substr(mount.size())}};
  for (const char* const name : {"blocksize", "discard", "atomic"}) {
    absl::StatusOr<std::string> value = ReadFile(absl::StrCat(like, "/", name));
    if (!value.ok()) return value.status();
    attributes.emplace_back(name, *std::move(value));
  }
  attributes.emplace_back("history", kAllOfIt);
  attributes.emplace_back("power", "1");
  return SetAttributes(device, attributes);
}

// On a block device where there can be one: as a file it would be written piece by piece.
absl::Status Recover(const std::string& device, const Judge& judge, const std::string& promises) {
  const std::string disk = device + "/disk";
  if (geteuid() != 0) return judge.Recover(disk, promises);
  const absl::StatusOr<std::string> block_size = ReadFile(device + "/blocksize");
  if (!block_size.ok()) return block_size.status();
  absl::StatusOr<LoopDevice> loop = LoopDevice::Attach(disk, std::string(TrimSpace(*block_size)));
  if (!loop.ok()) return loop.status();
  absl::Status ran = judge.Recover(loop->path(), promises);
  ran.Update(loop->Detach());
  return ran;
}

}  // namespace

absl::StatusOr<RecoveryVerdict> CutRecovery(const CrashDirectory& crash, uint64_t cut,
                                            const MadeState& state, const Judge& judge,
                                            const std::string& promises,
                                            const RecoveryLimits& limits) {
  absl::StatusOr<Beside> beside = Beside::Make(crash.device());
  if (!beside.ok()) return beside.status();
  if (absl::Status begun = BeginAs(beside->path(), crash.device(), state.path()); !begun.ok()) {
    return begun;
  }
  if (absl::Status ran = Recover(beside->path(), judge, promises); !ran.ok()) return ran;
  const CrashDirectory inner(beside->path());
  const absl::StatusOr<uint64_t> now = inner.NumberOf("now");
  if (!now.ok()) return now.status();
  const absl::StatusOr<std::vector<uint64_t>> cuts = inner.Cuts(0, *now);
  if (!cuts.ok()) return cuts.status();
  const Promises same = Promises::Always(promises);
  CrashSearch search(inner, judge, same,
                     {.jobs = 1, .budget_nsec = limits.budget_nsec, .depth = limits.depth - 1});
  if (absl::Status searched = search.Run(*cuts); !searched.ok()) return searched;
  RecoveryVerdict verdict = {.whole = search.stretches_left() == 0, .unsteady = search.unsteady()};
  for (const Stretch* const stretch : search.stretches()) {
    verdict.runs += stretch->runs();
    verdict.failed = verdict.failed || stretch->failed() > 0;
    verdict.whole = verdict.whole && stretch->covers_all();
    if (!stretch->failure() || verdict.failure || !limits.keep) continue;
    absl::StatusOr<Counterexample> found = MakeCounterexample(inner, judge, *stretch, Command());
    if (!found.ok()) return found.status();
    found->recovering = absl::StrCat("of cut ", cut);
    verdict.failure = *std::move(found);
  }
  if (verdict.failure) beside->Keep();
  return verdict;
}

}  // namespace rnullfs
