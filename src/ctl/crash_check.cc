#include "ctl/crash_check.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/parse.h"
#include "ctl/counterexample.h"
#include "ctl/crash_report.h"
#include "ctl/crash_search.h"
#include "ctl/files.h"
#include "ctl/interrupt.h"
#include "ctl/progress_line.h"
#include "ctl/scratch_disk.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr int kUnknown = 2;
constexpr size_t kCounterexamplesMax = 5;
constexpr int64_t kSecond = 1'000'000'000;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "rnullctl: %s\n", std::string(status.message()).c_str());
  return kUnknown;
}

// The device's `atomic`, as it was before when the object goes.
class AtomicSetting {
 public:
  static absl::StatusOr<std::unique_ptr<AtomicSetting>> Set(const std::string& device,
                                                            const std::string& value) {
    const std::string path = device + "/atomic";
    const absl::StatusOr<std::string> before = ReadFile(path);
    if (!before.ok()) return before.status();
    const absl::Status set = WriteFile(path, value);
    if (!set.ok()) return WithLastError(set, device);
    return std::unique_ptr<AtomicSetting>(new AtomicSetting(path, *before));
  }
  ~AtomicSetting() { static_cast<void>(WriteFile(path_, before_)); }

 private:
  AtomicSetting(std::string path, std::string before)
      : path_(std::move(path)), before_(std::move(before)) {}
  const std::string path_;
  const std::string before_;
};

Judge::Commands CommandsOf(const CrashCheckOptions& options) {
  return {.recover = Command(options.recover),
          .check = Command(options.check),
          .timeout_nsec = options.timeout_s * kSecond};
}

// The marks of a file of promises are not those of another disk, on which something recovered.
std::string OptionsText(const CrashCheckOptions& options, bool in_recovery) {
  std::string text;
  if (options.timeout_s != CrashCheckOptions().timeout_s) {
    absl::StrAppend(&text, "--timeout ", options.timeout_s, " ");
  }
  if (!options.atomic.empty()) absl::StrAppend(&text, "--atomic ", options.atomic, " ");
  if (!options.acked.empty() && !in_recovery)
    absl::StrAppend(&text, "--acked ", ShellQuoted(options.acked), " ");
  if (!options.recover.empty())
    absl::StrAppend(&text, "--recover ", ShellQuoted(options.recover), " ");
  return absl::StrCat(text, "--check ", ShellQuoted(options.check));
}

// --- One state ----------------------------------------------------------------------------------

// Another one that is described as that is: what has been written to it stays there.
absl::StatusOr<MadeState> Again(const CrashDirectory& crash, uint64_t cut,
                                const std::string& name) {
  absl::StatusOr<MadeState> state = crash.Make(cut, absl::StrCat("rnullctl-", getpid()));
  if (!state.ok()) return state;
  const std::string path = crash.PathOf(cut, name);
  bool described = false;  // somebody has made it
  for (const char* const list : {"without", "only", "choices"}) {
    const absl::StatusOr<std::string> text = ReadFile(absl::StrCat(path, "/", list));
    described = described || text.ok();
    if (!text.ok() || TrimSpace(*text).empty()) continue;
    absl::Status written = WriteFile(absl::StrCat(state->path(), "/", list), *text);
    if (!written.ok()) return WithLastError(written, crash.device());
  }
  if (described) return state;
  if (absl::Status chosen = state->ChooseNamed(name); !chosen.ok()) {
    return Error(ENOENT, absl::StrCat(name, ": is no state of cut ", cut));
  }
  return state;
}

int CheckState(const CrashDirectory& crash, const Promises& promises,
               const CrashCheckOptions& options) {
  const size_t slash = options.state.find('/');
  const std::string name = options.state.substr(slash + 1);
  if (slash == std::string::npos || name.empty() || name[0] == '.' ||
      name.find_first_of("/\"\\") != std::string::npos) {
    return Fail(Error(EINVAL, "--state takes a cut and a state of it, 81734/fail-1"));
  }
  const absl::StatusOr<uint64_t> cut = crash.NumberOf(options.state.substr(0, slash));
  if (!cut.ok()) return Fail(cut.status());
  if (absl::Status there = crash.Units(*cut).status(); !there.ok()) return Fail(there);
  const absl::StatusOr<StateInfo> all = crash.Info(*cut, "all");
  if (!all.ok()) return Fail(all.status());
  const absl::StatusOr<std::string> promised = promises.FileAt(all->moment);
  if (!promised.ok()) return Fail(promised.status());
  const absl::StatusOr<MadeState> state = Again(crash, *cut, name);
  if (!state.ok()) return Fail(state.status());
  const absl::StatusOr<Verdict> verdict =
      Judge(CommandsOf(options)).Try(*state, *promised, nullptr);
  if (!verdict.ok()) return Fail(verdict.status());
  std::printf("%s%s\n", verdict->output.c_str(),
              verdict->failed ? verdict->what.c_str() : "it recovers");
  return verdict->failed ? 1 : 0;
}

// --- All of them
// ----------------------------------------------------------------------------------

void FindCounterexamples(const CrashDirectory& crash, const Judge& judge, const Command& explain,
                         CrashReport& report) {
  for (const Stretch* const stretch : report.stretches) {
    if (!stretch->failure() || report.failures.size() >= kCounterexamplesMax) continue;
    absl::StatusOr<Counterexample> found = MakeCounterexample(crash, judge, *stretch, explain);
    if (found.ok()) {
      if (!found->again) report.unsteady.insert("check");
      report.failures.push_back(*std::move(found));
    } else if (report.error.empty()) {
      report.error = std::string(found.status().message());
    }
  }
}

// By default the newest request that there is: now is yet to come, and grows on a disk in use.
absl::StatusOr<uint64_t> EndOf(const CrashDirectory& crash, const CrashCheckOptions& options) {
  if (!options.to.empty()) return crash.NumberOf(options.to);
  const absl::StatusOr<uint64_t> now = crash.NumberOf("now");
  return !now.ok() || *now == 1 ? now : *now - 1;
}

absl::StatusOr<std::vector<uint64_t>> CutsOf(const CrashDirectory& crash,
                                             const CrashCheckOptions& options) {
  const absl::StatusOr<uint64_t> from =
      options.from.empty() ? absl::StatusOr<uint64_t>(0) : crash.NumberOf(options.from);
  if (!from.ok()) return from.status();
  const absl::StatusOr<uint64_t> to = EndOf(crash, options);
  if (!to.ok()) return to.status();
  if (*to < *from)
    return Error(EINVAL, absl::StrCat("--to (", *to, ") is before --from (", *from, ")"));
  return crash.Cuts(*from, *to);
}

int CheckAll(const CrashDirectory& crash, const Promises& promises,
             const CrashCheckOptions& options) {
  const absl::StatusOr<std::vector<uint64_t>> cuts = CutsOf(crash, options);
  if (!cuts.ok()) return Fail(cuts.status());
  const Judge judge(CommandsOf(options));
  CrashSearch search(crash, judge, promises,
                     {.jobs = options.jobs,
                      .budget_nsec = options.budget_s * kSecond,
                      .stop_at_first = options.first,
                      .leave_out_forgotten = options.from.empty(),
                      .depth = options.depth});
  absl::Status status;
  {
    const ProgressLine line(search);
    status = search.Run(*cuts);
  }
  CrashReport report = {.device = crash.device(),
                        .marks = crash.Marks(),
                        .stretches = search.stretches(),
                        .stretches_left = search.stretches_left(),
                        .left_out = search.left_out(),
                        .failures = search.in_recovery(),
                        .unsteady = search.unsteady(),
                        .error = {},
                        .interrupted = Interrupt::happened(),
                        .took_nsec = search.took_nsec(),
                        .stays = true,
                        .commands = OptionsText(options, /*in_recovery=*/false),
                        .commands_of_recovery = OptionsText(options, /*in_recovery=*/true)};
  if (!status.ok() && ErrnoOf(status) != ECANCELED) report.error = std::string(status.message());
  if (options.to == "now" && crash.NumberOf("now").value_or(0) != cuts->back() &&
      report.error.empty()) {
    report.error =
        "the disk was in use, and the last stretch has grown meanwhile: give it a mark "
        "to end at (log/mark and --to)";
  }
  FindCounterexamples(crash, judge, Command(options.explain), report);
  // What is made from scratch stays for the sake of what has failed.
  report.stays = !options.remove && (options.run.empty() || report.status() == 1);
  const std::string text = options.json ? report.Json() : report.Text();
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return Fail(SystemError(errno, "the report cannot be written"));
  }
  return report.status();
}

// Tools that write the time write this one: what recovers a state makes the same of it each time.
void HoldTime() {
  const std::string now = absl::StrCat(Clock::Real().WallTime().tv_sec);
  for (const char* const name : {"E2FSCK_TIME", "E2FSPROGS_FAKE_TIME", "SOURCE_DATE_EPOCH"}) {
    setenv(name, now.c_str(), /*replace=*/0);
  }
}

int CheckDisk(const CrashCheckOptions& options) {
  const CrashDirectory crash(options.disk);
  if (const absl::Status there = crash.Check(); !there.ok()) return Fail(there);
  std::unique_ptr<AtomicSetting> atomic;
  if (!options.atomic.empty()) {
    absl::StatusOr<std::unique_ptr<AtomicSetting>> set =
        AtomicSetting::Set(options.disk, options.atomic);
    if (!set.ok()) return Fail(set.status());
    atomic = *std::move(set);
  }
  Promises promises;
  if (!options.acked.empty()) {
    absl::StatusOr<Promises> read = Promises::Read(options.acked, crash);
    if (!read.ok()) return Fail(read.status());
    promises = *std::move(read);
  }
  return options.state.empty() ? CheckAll(crash, promises, options)
                               : CheckState(crash, promises, options);
}

void TakeDefaults(CrashCheckOptions& options) {
  const auto known = KnownFileSystems();
  const auto found = std::find_if(known.begin(), known.end(), [&](const FileSystemCommands& each) {
    return each.name == options.mkfs;
  });
  if (found == known.end() || !options.check.empty()) return;
  options.check = found->check;
  if (options.recover.empty()) options.recover = found->recover;
}

int CheckFromScratch(CrashCheckOptions options) {
  ScratchDisk disk({.rnullfs = options.rnullfs,
                    .mkfs = options.mkfs,
                    .mount_options = options.mount_options,
                    .size = options.size,
                    .block_size = options.block_size,
                    .workload = Command(options.run)});
  if (const absl::Status ran = disk.Run(); !ran.ok()) return Fail(ran);
  options.disk = disk.device();
  if (options.from.empty()) options.from = "begin";
  if (options.to.empty()) options.to = "end";
  const int status = CheckDisk(options);
  if (status == 1 && !options.remove) {
    disk.Keep();
    std::fprintf(stderr, "rnullctl: the disk stays; when you have seen it: %s %s; rmdir %s\n",
                 geteuid() == 0 ? "umount" : "fusermount3 -u", disk.mount().c_str(),
                 disk.mount().c_str());
  }
  return status;
}

}  // namespace

int CrashCheck(CrashCheckOptions options) {
  Interrupt::Install();
  signal(SIGPIPE, SIG_IGN);  // whoever does not want to hear of it, there is still what to clean up
  HoldTime();
  // Two for each processor: a command waits for the daemon now and then.
  if (options.jobs == 0) options.jobs = 2 * std::max(1U, std::thread::hardware_concurrency());
  TakeDefaults(options);
  if (TrimSpace(options.check).empty()) {
    return Fail(Error(EINVAL, "--check says what is to be true: a command, with {} for the disk"));
  }
  if (options.disk.empty() == options.run.empty()) {
    return Fail(Error(EINVAL,
                      "it takes either --disk, one that has a history, or --run, what is "
                      "to run on a new one"));
  }
  if (options.depth > 1 && options.recover.empty()) {
    return Fail(Error(EINVAL, "--depth 2 cuts what --recover does: it needs that"));
  }
  if (!options.disk.empty()) {
    std::error_code error;
    const std::filesystem::path disk = std::filesystem::canonical(options.disk, error);
    if (error) return Fail(SystemError(error.value(), options.disk));
    options.disk = disk.string();
  }
  return options.disk.empty() ? CheckFromScratch(std::move(options)) : CheckDisk(options);
}

}  // namespace rnullfs
