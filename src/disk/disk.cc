#include "rnullfs/disk.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/memfd_name.h"
#include "base/parse.h"
#include "base/visible.h"
#include "device/bad_block_table.h"
#include "device/completion_queue.h"
#include "device/fault_rule_table.h"
#include "device/faults.h"
#include "disk/awaited.h"
#include "disk/changes.h"
#include "json/json.h"
#include "past/written_log.h"
#include "records/state_records.h"
#include "rnullfs/error.h"

namespace rnullfs {
Disk::Disk(uint64_t id, const std::string& name, Services services)
    : id_(id),
      name_(name),
      services_(std::move(services)),
      own_counters_(services_.counters == nullptr ? std::make_unique<DeviceCounters>() : nullptr),
      counters_(services_.counters == nullptr ? *own_counters_ : *services_.counters),
      memory_(services_.memory),
      medium_(
          std::make_unique<Medium>(Medium::Services{.name = DiskMemfdName(id_, name_),
                                                    .cache_name = CacheMemfdName(id_, name_),
                                                    .past_name = PastMemfdName(id_, name_),
                                                    .marks_name = MarksMemfdName(id_, name_),
                                                    .faults_name = FaultsMemfdName(id_, name_),
                                                    .damage_name = DamageMemfdName(id_, name_),
                                                    .memory = memory_,
                                                    .counters = counters_,
                                                    .keeper = services_.keeper,
                                                    .badblocks_spent = services_.badblocks_spent})),
      past_(*medium_, services_.device.clock),
      origin_(*medium_, services_.keeper, services_.find_disk) {}

// --- Configuration and state -------------------------------------------------------------------

Settings Disk::settings() const {
  Settings settings = {
      .config = config_, .state = {}, .origin = origin_.text(), .unknown = unknown_};
  if (medium_ != nullptr) {
    settings.state.badblocks = medium_->bad_blocks().Get();
    settings.faults = medium_->fault_rules().Get();
  }
  CountFaults(config_, counters_, settings.state);
  return settings;
}

absl::Status Disk::EditText(const Attribute& attribute, std::string_view text,
                            Settings& settings) const {
  absl::Status status = StoreAttribute(attribute, UpToNul(text), settings);
  if (!status.ok() || attribute.live || !config_.power) return status;
  return BusyWhileOn(attribute.name);
}

absl::Status Disk::EditJson(std::string_view text, Settings& settings) {
  absl::StatusOr<Settings> applied = ApplyJson(text, settings);
  absl::Status status = applied.status();
  if (status.ok()) settings = *std::move(applied);
  return status;
}

std::string Disk::Json() const { return ShowJson(settings()); }

absl::StatusOr<bool> Disk::Become(const Settings& seen, const Settings& next, Ready ready,
                                  std::optional<Origin>& origin) {
  if (medium_ == nullptr) return Error(ENOENT, "the device has been removed");
  RaiseStoreLimit(next);
  const absl::Cleanup limit = [this] { SetStoreLimit(); };
  if (absl::Status status = origin_.Check(seen, next); !status.ok()) return status;
  if (absl::Status status = CheckRules(next); !status.ok()) return status;
  if (!config_.power && next.config.power) {
    if (absl::Status dark = CheckPower(); !dark.ok()) return dark;
    return SwitchOn(seen, next, ready, origin);
  }
  if (next.config.power) {
    if (absl::Status status = CheckLive(seen, next); !status.ok()) return status;
  }
  if (absl::Status status = past_.Prepare(next.config.history); !status.ok()) return status;
  const absl::Cleanup settle = [this] {  // what has been prepared
    medium_->fault_rules().Undo();
    past_.SetHistory(config_.history);
    origin_.Undo();
  };
  if (absl::Status status = PrepareRules(seen, next); !status.ok()) return status;
  absl::StatusOr<bool> prepared = origin_.Prepare(seen, next, origin);
  if (!prepared.ok() || !*prepared) return prepared;
  const bool grows = next.config.power && next.config.size > config_.size;
  const absl::Cleanup grown = [&] {
    if (grows) medium_->EndGrowth(config_);
  };
  if (absl::Status status = grows ? medium_->Grow(next.config) : absl::OkStatus(); !status.ok()) {
    return status;
  }
  if (absl::Status laid = next.config.power ? LayDamage(next) : absl::OkStatus(); !laid.ok()) {
    return laid;
  }
  if (absl::Status status = ready(); !status.ok()) return status;
  if (config_.power && !next.config.power) SwitchOff();
  if (!TakeBadBlocks(seen, next)) return false;
  TakeRules();
  origin_.Commit(origin);
  CountAnew(seen, next, counters_, device_.get());
  config_ = ConfigOf(seen, next, config_);
  if (config_.power) device_->SetLive(config_);
  return true;
}

// Nobody has the disk yet, so that nothing of `seen` has changed.
absl::StatusOr<bool> Disk::SwitchOn(const Settings& seen, const Settings& next, Ready ready,
                                    std::optional<Origin>& origin) {
  DeviceConfig config = ConfigOf(seen, next, config_);
  CountAnew(seen, next, counters_, nullptr);
  const bool begins = store() == nullptr;
  absl::Cleanup undo = [&] {
    medium_->fault_rules().Undo();
    if (begins) past_.DropStore();
    past_.SetHistory(config_.history);
    begins ? medium_->DropStore() : medium_->DropCache();
    origin_.Undo();
    CountAsBefore(seen, next, counters_, config_);
  };
  if (absl::Status status = PrepareRules(seen, next); !status.ok()) return status;
  absl::StatusOr<bool> prepared = origin_.Prepare(seen, next, origin);
  if (!prepared.ok() || !*prepared) return prepared;
  // What a smaller size cuts off is lost, so that what there is can remember before.
  if (absl::Status status = past_.Prepare(config.history); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Device>> device =
      Device::PowerOn(config, *medium_, counters_, services_.device, services_.complain);
  if (!device.ok()) return device.status();
  KillPoint("power-prepared");
  if (absl::Status status = past_.Prepare(config.history); !status.ok()) return status;
  if (absl::Status gone = begins ? GoThrough(config, origin) : absl::OkStatus(); !gone.ok()) {
    return gone;
  }
  if (absl::Status laid = LayDamage(next); !laid.ok()) return laid;
  if (absl::Status status = ready(); !status.ok()) return status;
  TakeBadBlocks(seen, next);
  // The last that may have no memory.
  if (services_.indexes != nullptr) config.index = services_.indexes->Take();
  TakeRules();
  origin_.Commit(origin);
  origin_.EndLog();
  KillPoint("log-ended");
  config_ = config;
  past_.SetHistory(config_.history);
  std::move(undo).Cancel();
  Start(*std::move(device));
  return true;
}

// What the log tells that it begins as, into a history that is there from now on.
absl::Status Disk::GoThrough(const DeviceConfig& config, const std::optional<Origin>& origin) {
  const WrittenLog* const log = origin_.LogOf(origin);
  if (log == nullptr) return absl::OkStatus();
  if (config.history == 0) {
    return Error(EINVAL,
                 "power: the origin is a log, whose moments a disk has in its history; write how "
                 "many MiB of it are to be kept to history first");
  }
  past_.SetHistory(config.history);
  memory_.SetLimit(config.store_limit_bytes());  // as it is to be: this is all stored under it
  return log->ReplayTo(*medium_->past(), services_.device.clock);
}

void Disk::SwitchOff() {
  live_device_.store(nullptr, std::memory_order_release);
  config_.power = false;
  ForgetCut();
  if (device_ == nullptr) return;
  device_.reset();
  medium_->DropCache();
  KillPoint("powered-off");
  if (store() != nullptr) store()->EndHolding();
  if (services_.indexes != nullptr) services_.indexes->GiveBack(config_.index);
}

void Disk::Remove() {
  past_.Remove();
  medium_->Remove();
  medium_.reset();  // with its view, as long as which the origin is in use
  origin_.Remove();
}

absl::Status Disk::PrepareRules(const Settings& seen, const Settings& next) {
  if (AreUntouched(seen.faults, next.faults)) return absl::OkStatus();
  return medium_->fault_rules().Prepare(next.faults);
}

// Where a rule that is on will do something silently.
absl::Status Disk::LayDamage(const Settings& next) {
  const bool wanted = next.config.memory_backed && AnySilent(next.faults);
  return wanted ? medium_->LayDamage() : absl::OkStatus();
}

// What they do not hold any more goes on.
void Disk::TakeRules() {
  for (const std::shared_ptr<HangGate>& gate : medium_->fault_rules().Commit()) {
    services_.device.completions.Release(*gate);
  }
}

// False when requests have changed them meanwhile.
bool Disk::TakeBadBlocks(const Settings& seen, const Settings& next) {
  if (next.state.badblocks == seen.state.badblocks) return true;
  return medium_->bad_blocks().Replace(seen.state.badblocks, next.state.badblocks);
}

absl::Status Disk::Update(Edit edit) {
  NewOrigin origin(origin_, Requester(), /*again=*/false);
  while (true) {
    const absl::Status found = origin.Search();
    const absl::StatusOr<bool> done = found.ok() ? TryUpdate(edit, origin) : found;
    if (done.ok() && !*done) continue;
    Conclude(done.status());
    origin_.LetGo();
    return done.status();
  }
}

absl::StatusOr<bool> Disk::TryUpdate(Edit edit, NewOrigin& origin) {
  const Settings seen = settings();
  Settings next = seen;
  origin.Fit(next);
  if (absl::Status status = edit(next); !status.ok()) return status;
  if (origin.Lacks(seen, next)) return false;
  return Become(
      seen, next, [] { return absl::OkStatus(); }, origin.found());
}

absl::Status Disk::Write(std::string_view attribute, std::string_view text) {
  return Update([&](Settings& next) {
    const Attribute* const row = FindAttribute(attribute);
    if (row != nullptr) return EditText(*row, text, next);
    return Error(EINVAL, absl::StrCat(Visible(attribute), ": there is no such attribute"));
  });
}

absl::Status Disk::WriteJson(std::string_view text) {
  return Update([&](Settings& next) { return EditJson(text, next); });
}

absl::Status Disk::Store(const Settings& wanted) {
  return Update([&](Settings& next) {
    Want(wanted, next);
    return absl::OkStatus();
  });
}

std::string Disk::last_error() const {
  const std::string trouble = origin_.trouble();
  return trouble.empty() ? last_error_ : absl::StrCat(trouble, "\n");
}

void Disk::Conclude(const absl::Status& how) {
  last_error_ = how.ok() ? std::string() : absl::StrCat(how.message(), "\n");
  ForgetComplaint();
}

// --- Requests ----------------------------------------------------------------------------------

// NOLINTNEXTLINE(readability-make-member-function-const): what it stores changes
int Disk::Do(const Command& command, void* to) {
  Device* const device = this->device();
  if (device == nullptr) return ENXIO;
  if (command.op == Op::kRead && to == nullptr) return EINVAL;
  Awaited answer(to);
  device->Submit(command, answer.completion());
  return answer.Wait();
}

}  // namespace rnullfs
