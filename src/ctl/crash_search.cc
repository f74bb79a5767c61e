#include "ctl/crash_search.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ctl/files.h"
#include "ctl/interrupt.h"
#include "ctl/recovery_search.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// One run of so many is made twice, and the first ones.
constexpr uint64_t kTwiceEach = 64;
constexpr uint64_t kTwiceFirst = 2;
// So many recoveries that failed are shown.
constexpr size_t kInRecoveryMax = 2;

std::set<uint64_t> UnitsOf(const Verdict& verdict) {
  std::set<uint64_t> units;
  for (const ConsultedUnit& each : verdict.consulted) units.insert(each.unit);
  return units;
}

}  // namespace

CrashSearch::CrashSearch(const CrashDirectory& crash, const Judge& judge, const Promises& promises,
                         Limits limits)
    : crash_(crash), judge_(judge), promises_(promises), limits_(limits) {}

absl::Status CrashSearch::Run(const std::vector<uint64_t>& cuts) {
  begun_nsec_ = Clock::Real().NowNsec();
  {
    const LockGuard lock(mutex_);
    cuts_ = cuts;
  }
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < limits_.jobs; ++i) workers.emplace_back([this] { Work(); });
  for (std::thread& worker : workers) worker.join();
  took_nsec_ = Clock::Real().NowNsec() - begun_nsec_;
  const LockGuard lock(mutex_);
  return error_.ok() ? unknown_ : error_;
}

void CrashSearch::Work() {
  while (const std::optional<Task> task = Take()) {
    const absl::Status status = Do(*task);
    const LockGuard lock(mutex_);
    --under_way_;
    if (!status.ok()) Miss(*task, status);
    changed_.notify_all();
  }
}

// A state that is not there any more says nothing of the others.
void CrashSearch::Miss(const Task& task, const absl::Status& status) {
  const int error = ErrnoOf(status);
  if (error != ENOENT && error != ESTALE && error != EINVAL) {
    error_.Update(status);
    return;
  }
  task.stretch->GiveUp();
  unknown_.Update(Error(ESTALE, absl::StrCat("cut ", task.cut,
                                             ": has gone while it was judged: its history has "
                                             "forgotten it (raise ",
                                             crash_.device(),
                                             "/history), the disk was switched off, or its daemon "
                                             "replaced")));
}

// None when there is nothing more to do.
std::optional<CrashSearch::Task> CrashSearch::Take() {
  const LockGuard lock(mutex_);
  while (true) {
    if (!error_.ok() || stopped_ || Interrupt::happened()) return std::nullopt;
    if (std::optional<Task> task = Find()) {
      ++under_way_;
      return task;
    }
    if (under_way_ > 0) {
      changed_.wait(mutex_);
    } else if (!GoOn()) {
      return std::nullopt;
    }
  }
}

// Those that have been begun first, so that not many are open at once.
std::optional<CrashSearch::Task> CrashSearch::Find() {
  const bool late = LeftNsec() == 0;
  while (first_open_ < stretches_.size() && stretches_[first_open_]->done()) ++first_open_;
  for (size_t i = first_open_; i < stretches_.size(); ++i) {
    Stretch& stretch = *stretches_[i];
    if (stretch.done()) continue;
    if (late) stretch.Allow(0);
    if (std::optional<Trial> trial = stretch.Next()) {
      const bool twice = tasks_ < kTwiceFirst || tasks_ % kTwiceEach == 0;
      ++tasks_;
      return Task{&stretch, stretch.cut(), *std::move(trial), twice};
    }
  }
  if (next_cut_ == cuts_.size() || (next_cut_ > 0 && late)) return std::nullopt;
  return Task{nullptr, cuts_[next_cut_++], {}, false};
}

absl::Status CrashSearch::Do(const Task& task) {
  if (task.stretch != nullptr) return JudgeTask(task);
  Begin(task.cut);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Stretch>> CrashSearch::Open(uint64_t cut) const {
  absl::StatusOr<std::vector<UncertainUnit>> units = crash_.Units(cut);
  if (!units.ok()) return units.status();
  absl::StatusOr<StateInfo> all = crash_.Info(cut, "all");
  if (!all.ok()) return all.status();
  absl::StatusOr<std::string> promises = promises_.FileAt(all->moment);
  if (!promises.ok()) return promises.status();
  return std::make_unique<Stretch>(cut, *std::move(units), *std::move(all), *std::move(promises));
}

void CrashSearch::Begin(uint64_t cut) {
  absl::StatusOr<std::unique_ptr<Stretch>> stretch = Open(cut);
  // A request is just being counted.
  for (int i = 0; i < 50 && ErrnoOf(stretch.status()) == EBUSY; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stretch = Open(cut);
  }
  const LockGuard lock(mutex_);
  if (!stretch.ok()) {
    unknown_.Update(stretch.status());
  } else if (limits_.leave_out_forgotten && (*stretch)->all().forgotten) {
    ++left_out_;
  } else {
    (*stretch)->Allow(Allowance());
    stretches_.push_back(*std::move(stretch));
  }
}

int64_t CrashSearch::LeftNsec() const {
  const int64_t left = begun_nsec_ + limits_.budget_nsec - Clock::Real().NowNsec();
  return std::clamp<int64_t>(left, 0, INT64_MAX / limits_.jobs);
}

// What those have left that came to their end goes to the others; false where it is too little.
bool CrashSearch::GoOn() {
  constexpr int64_t kWorthwhileNsec = 50'000'000;
  const auto open = std::count_if(stretches_.begin(), stretches_.end(),
                                  [](const auto& stretch) { return stretch->may_go_on(); });
  if (open == 0 || LeftNsec() < std::max(kWorthwhileNsec, limits_.budget_nsec / 100)) return false;
  for (const std::unique_ptr<Stretch>& stretch : stretches_) {
    first_open_ = 0;
    if (stretch->may_go_on()) stretch->Allow(LeftNsec() * limits_.jobs / open);
  }
  return true;
}

// An equal part of the time that is left, of all workers, for each stretch that is not done.
int64_t CrashSearch::Allowance() const {
  const auto open = std::count_if(stretches_.begin(), stretches_.end(),
                                  [](const auto& stretch) { return !stretch->done(); });
  const auto stretches = static_cast<int64_t>(cuts_.size() - next_cut_) + open + 1;
  return LeftNsec() * limits_.jobs / stretches;
}

absl::StatusOr<MadeState> CrashSearch::Make(const Task& task) {
  absl::StatusOr<MadeState> state =
      crash_.Make(task.cut, absl::StrCat("rnullctl-", getpid(), "-", next_name_.fetch_add(1)));
  if (!state.ok()) return state;
  const absl::Status chosen = task.trial.name.empty() ? state->Choose(task.trial.units)
                                                      : state->ChooseNamed(task.trial.name);
  if (!chosen.ok()) return WithLastError(chosen, crash_.device());
  return state;
}

absl::StatusOr<Verdict> CrashSearch::JudgeOnce(const Task& task, JudgedImages* images) {
  const absl::StatusOr<MadeState> state = Make(task);
  if (!state.ok()) return state.status();
  return judge_.Try(*state, task.stretch->promises(), images);
}

// What it reads of the disk it reads of a copy: it is judged for this state alone.
absl::Status CrashSearch::JudgeRecovery(const Task& task, Verdict& verdict) {
  const absl::StatusOr<MadeState> state = Make(task);
  if (!state.ok()) return state.status();
  const absl::StatusOr<RecoveryVerdict> recovery =
      CutRecovery(crash_, task.cut, *state, judge_, task.stretch->promises(),
                  {.depth = limits_.depth,
                   .budget_nsec = LeftNsec() / 10,
                   .keep = recoveries_kept_.fetch_add(1) < kInRecoveryMax});
  if (!recovery.ok()) return recovery.status();
  verdict.more_runs = recovery->runs;
  verdict.recovery_failed = recovery->failed;
  verdict.recovery_whole = recovery->whole;
  if (!recovery->failure) recoveries_kept_.fetch_sub(1);
  const LockGuard lock(mutex_);
  unsteady_.insert(recovery->unsteady.begin(), recovery->unsteady.end());
  if (recovery->failure) in_recovery_.push_back(*recovery->failure);
  return absl::OkStatus();
}

absl::Status CrashSearch::JudgeTask(const Task& task) {
  const int64_t begun = Clock::Real().NowNsec();
  JudgedImages* const images = task.twice ? nullptr : &task.stretch->images();
  absl::StatusOr<Verdict> verdict = JudgeOnce(task, images);
  if (!verdict.ok()) return verdict.status();
  if (task.twice) {
    absl::StatusOr<Verdict> again = JudgeOnce(task, images);
    if (!again.ok()) return again.status();
    Compare(*verdict, *again);
    if (again->failed) verdict = again;
  }
  if (limits_.depth > 1 && !verdict->failed) {
    if (absl::Status judged = JudgeRecovery(task, *verdict); !judged.ok()) return judged;
  }
  const int64_t took = Clock::Real().NowNsec() - begun;
  const LockGuard lock(mutex_);
  task.stretch->Add(task.trial, *verdict, took);
  stopped_ = stopped_ || (limits_.stop_at_first && task.stretch->failed() > 0);
  return absl::OkStatus();
}

void CrashSearch::Compare(const Verdict& first, const Verdict& second) {
  const LockGuard lock(mutex_);
  if (first.identity != second.identity) unsteady_.insert("recover");
  if (first.failed != second.failed ||
      (first.identity == second.identity && UnitsOf(first) != UnitsOf(second))) {
    unsteady_.insert("check");
  }
}

CrashSearch::Progress CrashSearch::progress() const {
  const LockGuard lock(mutex_);
  Progress progress = {.stretches = cuts_.size()};
  for (const std::unique_ptr<Stretch>& stretch : stretches_) {
    progress.done += stretch->done() ? 1 : 0;
    progress.runs += stretch->runs();
    progress.failed += stretch->failed();
  }
  return progress;
}

std::vector<const Stretch*> CrashSearch::stretches() const {
  const LockGuard lock(mutex_);
  std::vector<const Stretch*> stretches;
  for (const std::unique_ptr<Stretch>& each : stretches_) stretches.push_back(each.get());
  std::sort(stretches.begin(), stretches.end(),
            [](const Stretch* a, const Stretch* b) { return a->cut() < b->cut(); });
  return stretches;
}

size_t CrashSearch::stretches_left() const {
  const LockGuard lock(mutex_);
  return cuts_.size() - left_out_ - stretches_.size();
}

size_t CrashSearch::left_out() const {
  const LockGuard lock(mutex_);
  return left_out_;
}

std::set<std::string> CrashSearch::unsteady() const {
  const LockGuard lock(mutex_);
  return unsteady_;
}

std::vector<Counterexample> CrashSearch::in_recovery() const {
  const LockGuard lock(mutex_);
  return in_recovery_;
}

}  // namespace rnullfs
