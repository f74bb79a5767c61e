#include "ctl/judge.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// fsck(8): up to 3 it says that it has repaired something.
constexpr int kRepaired = 3;

}  // namespace

std::shared_ptr<const JudgedImages::Image> JudgedImages::Find(const std::string& identity) const {
  const LockGuard lock(mutex_);
  const auto found = images_.find(identity);
  return found == images_.end() ? nullptr : found->second;
}

// Not to find one costs a run; what the first that failed has said is enough.
void JudgedImages::Add(const std::string& identity, Image image) {
  constexpr size_t kImagesMax = 16384;
  const LockGuard lock(mutex_);
  if (images_.size() == kImagesMax) return;
  if (std::exchange(has_output_, has_output_ || image.failed)) image.output.clear();
  images_.emplace(identity, std::make_shared<const Image>(std::move(image)));
}

void JudgedImages::Clear() {
  const LockGuard lock(mutex_);
  images_.clear();
}

absl::StatusOr<Judge::Outcome> Judge::Run(const Command& command, const char* name,
                                          int passes_below, const Command::Places& places) const {
  CommandResult result = command.Run(places, commands_.timeout_nsec);
  if (result.interrupted) return Error(ECANCELED, "interrupted");
  if (result.status == 126 || result.status == 127) {
    return Error(ENOEXEC, absl::StrCat(name, ": cannot be run (exit status ", result.status,
                                       "): ", command.With(places), "\n", result.output));
  }
  if (result.timed_out) {
    return Outcome{
        true,
        absl::StrCat(name, ": has not ended within ", commands_.timeout_nsec / 1'000'000'000, " s"),
        std::move(result.output)};
  }
  return Outcome{result.status >= passes_below,
                 result.status > 128 && result.status <= 128 + 64
                     ? absl::StrCat(name, ": ended by signal ", result.status - 128)
                     : absl::StrCat(name, ": exit status ", result.status),
                 std::move(result.output)};
}

// What the check would read of an image that was judged before is at most what had been touched
// then, by it or by the recovery.
absl::StatusOr<Verdict> Judge::Try(const MadeState& state, const std::string& promises,
                                   JudgedImages* images) const {
  const Command::Places places = {{"{}", state.disk()}, {"{acked}", promises}};
  std::vector<uint64_t> written;
  Verdict verdict;
  if (!commands_.recover.empty()) {
    absl::StatusOr<Outcome> recovered = Run(commands_.recover, "recover", kRepaired + 1, places);
    if (!recovered.ok()) return recovered.status();
    absl::StatusOr<std::vector<ConsultedUnit>> consulted = state.Consulted();
    if (!consulted.ok()) return consulted.status();
    verdict.consulted = *std::move(consulted);
    if (recovered->failed) {
      verdict.failed = true;
      verdict.what = std::move(recovered->what);
      verdict.output = std::move(recovered->output);
      return verdict;
    }
    const absl::StatusOr<StateInfo> info = state.Info();
    if (!info.ok()) return info.status();
    verdict.identity = info->identity;
    written = info->written;  // in order
    const auto known = images == nullptr ? nullptr : images->Find(verdict.identity);
    if (known != nullptr) {
      verdict.failed = known->failed;
      verdict.what = known->what;
      verdict.output = known->output;
      std::set_difference(known->touched.begin(), known->touched.end(), written.begin(),
                          written.end(), std::back_inserter(verdict.touched));
      return verdict;
    }
  }
  absl::StatusOr<Outcome> checked = Run(commands_.check, "check", 1, places);
  if (!checked.ok()) return checked.status();
  absl::StatusOr<std::vector<ConsultedUnit>> consulted = state.Consulted();
  if (!consulted.ok()) return consulted.status();
  verdict.consulted = *std::move(consulted);
  verdict.failed = checked->failed;
  if (verdict.failed) {
    verdict.what = std::move(checked->what);
    verdict.output = std::move(checked->output);
  }
  if (images != nullptr && !verdict.identity.empty()) {
    std::set<uint64_t> touched(written.begin(), written.end());
    for (const ConsultedUnit& each : verdict.consulted) touched.insert(each.unit);
    images->Add(verdict.identity,
                {verdict.failed, verdict.what, verdict.output, {touched.begin(), touched.end()}});
  }
  return verdict;
}

absl::Status Judge::Recover(const std::string& disk, const std::string& promises) const {
  return Run(commands_.recover, "recover", kRepaired + 1, {{"{}", disk}, {"{acked}", promises}})
      .status();
}

}  // namespace rnullfs
