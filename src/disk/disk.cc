#include "rnullfs/disk.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/kill_point.h"
#include "base/memfd_name.h"
#include "base/parse.h"
#include "base/visible.h"
#include "device/bad_block_table.h"
#include "device/faults.h"
#include "disk/awaited.h"
#include "json/json.h"
#include "records/state_records.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

absl::Status Damaged(std::string_view name, std::string_view what) {
  return Error(EINVAL, absl::StrCat("the memory of ", Visible(name), std::string(what)));
}

absl::Status Busy(std::string_view attributes) {
  return Error(EBUSY, absl::StrCat(std::string(attributes),
                                   ": cannot change while the device is powered; write 0 to power "
                                   "first"));
}

bool Written(const FaultPoint& point, const Settings& seen, const Settings& next) {
  return next.config.*point.attr != seen.config.*point.attr ||
         next.state.*point.left != seen.state.*point.left;
}

// What is told to be left is from then on what has been written.
FaultAttr AsWritten(const FaultPoint& point, const Settings& settings) {
  FaultAttr attr = settings.config.*point.attr;
  attr.times = (settings.state.*point.left).times;
  attr.space = (settings.state.*point.left).space;
  return attr;
}

}  // namespace

Disk::Disk(uint64_t id, const std::string& name, Services services)
    : id_(id),
      name_(name),
      services_(std::move(services)),
      own_counters_(services_.counters == nullptr ? std::make_unique<DeviceCounters>() : nullptr),
      counters_(services_.counters == nullptr ? *own_counters_ : *services_.counters),
      medium_(std::make_unique<Medium>(
          Medium::Services{.name = DiskMemfdName(id_, name_),
                           .cache_name = CacheMemfdName(id_, name_),
                           .memory = services_.memory,
                           .counters = counters_.cache,
                           .keeper = services_.keeper,
                           .badblocks_spent = services_.badblocks_spent})) {}

Disk::~Disk() = default;

// --- Configuration and state -------------------------------------------------------------------

Settings Disk::settings() const {
  Settings settings = {.config = config_, .state = {}, .unknown = unknown_};
  if (medium_ != nullptr) settings.state.badblocks = medium_->bad_blocks().Get();
  for (const FaultPoint& point : kFaultPoints) {
    settings.state.*point.left = LeftOf(config_.*point.attr, counters_.*point.counters);
  }
  return settings;
}

absl::Status Disk::EditText(const Attribute& attribute, std::string_view text,
                            Settings& settings) const {
  absl::Status status = StoreAttribute(attribute, UpToNul(text), settings);
  if (!status.ok() || attribute.live || !config_.power) return status;
  return Busy(attribute.name);
}

absl::Status Disk::EditJson(std::string_view text, Settings& settings) {
  absl::StatusOr<Settings> applied = ApplyJson(text, settings);
  if (!applied.ok()) return applied.status();
  settings = *std::move(applied);
  return absl::OkStatus();
}

std::string Disk::Json() const { return ShowJson(settings()); }

absl::StatusOr<bool> Disk::Become(const Settings& seen, const Settings& next, Ready ready) {
  if (medium_ == nullptr) return Error(ENOENT, "the device has been removed");
  if (!config_.power && next.config.power) {
    if (absl::Status status = SwitchOn(seen, next, ready); !status.ok()) return status;
    return true;
  }
  if (next.config.power) {
    if (absl::Status status = CheckLive(seen, next); !status.ok()) return status;
  }
  if (absl::Status status = ready(); !status.ok()) return status;
  if (!next.config.power) SwitchOff();
  if (!TakeBadBlocks(seen, next)) return false;
  CountAnew(seen, next);
  config_ = ConfigOf(seen, next);
  if (device_ != nullptr) device_->SetLive(config_);
  return true;
}

// What `next` is to be written as.  Of faults that nobody writes what was written stays, as
// counting goes on from there.
DeviceConfig Disk::ConfigOf(const Settings& seen, const Settings& next) const {
  DeviceConfig config = next.config;
  config.index = config_.index;  // power-on gives it
  for (const FaultPoint& point : kFaultPoints) {
    config.*point.attr = Written(point, seen, next) ? AsWritten(point, next) : config_.*point.attr;
  }
  return config;
}

absl::Status Disk::CheckLive(const Settings& seen, const Settings& next) const {
  std::vector<std::string> refused;
  for (const Attribute& attribute : Attributes()) {
    if (!attribute.live && Differs(attribute, seen, next)) refused.emplace_back(attribute.name);
  }
  return refused.empty() ? absl::OkStatus() : Busy(absl::StrJoin(refused, ", "));
}

// Nobody has the disk yet, so that nothing of `seen` has changed.
absl::Status Disk::SwitchOn(const Settings& seen, const Settings& next, Ready ready) {
  const DeviceConfig config = ConfigOf(seen, next);
  CountAnew(seen, next);
  absl::Cleanup undo = [&] {
    medium_->DropCache();
    for (const FaultPoint& point : kFaultPoints) {
      if (!Written(point, seen, next)) continue;
      config_.*point.attr = AsWritten(point, seen);
      Restart(counters_.*point.counters);
    }
  };
  absl::StatusOr<std::unique_ptr<Device>> device =
      Device::PowerOn(config, *medium_, counters_, services_.device, services_.complain);
  if (!device.ok()) return device.status();
  KillPoint("power-prepared");
  if (absl::Status status = ready(); !status.ok()) return status;
  TakeBadBlocks(seen, next);
  config_ = config;
  std::move(undo).Cancel();
  if (services_.indexes != nullptr) config_.index = services_.indexes->Take();
  Start(*std::move(device));
  return absl::OkStatus();
}

void Disk::Start(std::unique_ptr<Device> device) {
  device_ = std::move(device);
  live_device_.store(device_.get(), std::memory_order_release);
}

void Disk::SwitchOff() {
  live_device_.store(nullptr, std::memory_order_release);
  config_.power = false;
  if (device_ == nullptr) return;
  device_.reset();
  medium_->DropCache();
  KillPoint("powered-off");
  if (store() != nullptr) store()->EndHolding();
  if (services_.indexes != nullptr) services_.indexes->GiveBack(config_.index);
}

void Disk::Remove() {
  medium_->Remove();
  medium_.reset();
}

// False when requests have changed them meanwhile.
bool Disk::TakeBadBlocks(const Settings& seen, const Settings& next) {
  if (next.state.badblocks == seen.state.badblocks) return true;
  return medium_->bad_blocks().Replace(seen.state.badblocks, next.state.badblocks);
}

void Disk::CountAnew(const Settings& seen, const Settings& next) {
  for (const FaultPoint& point : kFaultPoints) {
    if (!Written(point, seen, next)) continue;
    if (device_ != nullptr) {
      device_->RestartFaults(point, AsWritten(point, next));
    } else {
      Restart(counters_.*point.counters);
    }
  }
}

absl::Status Disk::Update(absl::FunctionRef<absl::Status(Settings&)> edit) {
  while (true) {
    const Settings seen = settings();
    Settings next = seen;
    absl::Status status = edit(next);
    if (status.ok()) {
      const absl::StatusOr<bool> done = Become(seen, next, [] { return absl::OkStatus(); });
      if (done.ok() && !*done) continue;
      status = done.status();
    }
    Conclude(status);
    return status;
  }
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

void Disk::Conclude(const absl::Status& how) {
  last_error_ = how.ok() ? std::string() : absl::StrCat(how.message(), "\n");
  ForgetComplaint();
}

void Disk::ForgetComplaint() {
  if (device_ != nullptr) device_->ForgetComplaint();
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

// --- What outlives the process -----------------------------------------------------------------

void Disk::Save(DeviceRecord& record) const {
  record.config = settings();
  // As written: what has become of it is counted in memory that outlives us as well.
  for (const FaultPoint& point : kFaultPoints) {
    record.config.state.*point.left = Whole(config_.*point.attr);
  }
  record.last_error = last_error_;
  if (store() == nullptr) return;
  struct stat status = {};
  fstat(store()->fd(), &status);
  record.memfd = status.st_ino;
}

absl::Status Disk::Restore(const DeviceRecord& record, Memfds memfds) {
  counters_.statistics.ForgetInFlight();
  config_ = record.config.config;
  unknown_ = record.config.unknown;
  last_error_ = record.last_error;
  medium_->bad_blocks().Replace({}, record.config.state.badblocks);
  for (const FaultPoint& point : kFaultPoints)
    config_.*point.attr = AsWritten(point, record.config);
  KillPoint("restoring");
  if (memfds.disk.valid()) {
    absl::Status adopted = medium_->Adopt(std::move(memfds.disk), std::move(memfds.moving_to));
    if (!adopted.ok()) return adopted;
  } else if (record.memfd != 0) {
    return Damaged(name_, " is missing");
  }
  if (!config_.power) {
    if (memfds.cache.valid()) services_.keeper.Drop(memfds.cache.get());
    if (store() != nullptr) store()->EndHolding();  // as it would have done
    return absl::OkStatus();
  }
  if (config_.memory_backed &&
      (store() == nullptr || store()->size_bytes() >> 20 != config_.size)) {
    return Damaged(name_, " is not of the disk's size");
  }
  absl::Status cache = medium_->AdoptCache(config_, std::move(memfds.cache));
  if (!cache.ok()) return cache;
  if (services_.indexes != nullptr) services_.indexes->Keep(config_.index);
  Start(Device::Resume(config_, *medium_, counters_, services_.device, services_.complain));
  return absl::OkStatus();
}

}  // namespace rnullfs
