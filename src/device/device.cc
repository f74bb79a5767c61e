#include "rnullfs/device.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <exception>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "device/backing.h"
#include "device/bad_block_table.h"
#include "device/completion_queue.h"
#include "device/faults.h"
#include "device/queue_slots.h"
#include "device/refusals.h"
#include "device/reply.h"
#include "device/throttle.h"
#include "device/waiting.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint32_t kSectorBytes = 512;
constexpr uint32_t kPageSectors = PageStore::kPageSize / kSectorBytes;
constexpr uint32_t kDepthMax = 10240;  // BLK_MQ_MAX_DEPTH

uint32_t SlotsOf(const DeviceConfig& config) {
  const uint64_t slots =
      uint64_t{std::min(config.hw_queue_depth, kDepthMax)} * config.submit_queues;
  return static_cast<uint32_t>(std::min<uint64_t>(slots, UINT32_MAX));
}

bool MovesData(Op op) { return op == Op::kRead || op == Op::kWrite; }

// Requests of the block layer; what a file has beyond these passes the stages by.
bool IsBlockRequest(const Command& command) {
  return command.op != Op::kAllocate && !command.truncates;
}

// What no medium could be made to fit.
absl::Status CheckConfig(const DeviceConfig& config) {
  if (config.zoned) {
    return Error(EINVAL,
                 "zoned: a zoned disk cannot be had through FUSE; write 0 to zoned, or take the "
                 "kernel's null_blk");
  }
  if (config.max_sectors > 0 && config.max_sectors < kPageSectors) {
    return Error(EINVAL, absl::StrCat("max_sectors: ", config.max_sectors,
                                      " is less than a page; write 0 for no limit, or ",
                                      kPageSectors, " or more"));
  }
  return absl::OkStatus();
}

}  // namespace

// In the order of the questions.
struct Device::Stages {
  Stages(const DeviceConfig& config, const Medium& medium, DeviceCounters& counters,
         Complain complain)
      : refusals(config, std::move(complain)),
        faults(config, counters),
        throttle(config.mbps, config.iops),
        backing(config, medium),
        slots(SlotsOf(config)) {}

  Refusals refusals;
  Faults faults;
  Throttle throttle;
  Backing backing;
  QueueSlots slots;
  Waiting waiting;  // for their answers
};

absl::StatusOr<std::unique_ptr<Device>> Device::PowerOn(const DeviceConfig& config, Medium& medium,
                                                        DeviceCounters& counters,
                                                        DeviceServices services,
                                                        Complain complain) {
  if (absl::Status possible = CheckConfig(config); !possible.ok()) return possible;
  Faults faults(config, counters);
  faults.Start(config.seed, services.clock);
  for (uint64_t i = 0; i < uint64_t{config.submit_queues}; ++i) {
    if (!faults.QueueFails()) continue;
    return Error(EFAULT, absl::StrCat("init_hctx_fault_inject: queue ", i,
                                      " could not be set up, as its probability has it"));
  }
  if (absl::Status prepared = medium.Prepare(config); !prepared.ok()) return prepared;
  return Resume(config, medium, counters, services, std::move(complain));
}

std::unique_ptr<Device> Device::Resume(const DeviceConfig& config, Medium& medium,
                                       DeviceCounters& counters, DeviceServices services,
                                       Complain complain) {
  return std::unique_ptr<Device>(
      new Device(config, medium, counters, services, std::move(complain)));
}

Device::Device(const DeviceConfig& config, Medium& medium, DeviceCounters& counters,
               DeviceServices services, Complain complain)
    : config_(config),
      medium_(medium),
      counters_(counters),
      services_(services),
      shaped_(config.irqmode != IrqMode::kNone || config.mbps.any() || config.iops.any()),
      stages_(std::make_unique<Stages>(config_, medium, counters, std::move(complain))) {}

Device::~Device() { assert(counters_.statistics.Snapshot().in_flight == 0); }

void Device::SetLive(const DeviceConfig& config) { stages_->slots.Resize(SlotsOf(config)); }

void Device::RestartFaults(const FaultPoint& point, const FaultAttr& written) {
  stages_->faults.Restart(point, written);
}

// Whether no stage has anything to say about a request.
bool Device::Plain() const {
  return !shaped_ && !stages_->faults.armed() && !medium_.bad_blocks().armed();
}

// Nothing below throws once it has answered.
void Device::Submit(const Command& command, Completion done) {
  counters_.statistics.Started();
  try {
    if (Plain()) {
      AnswerNow(command, done);
    } else {
      AnswerShaped(command, done);
    }
  } catch (const std::exception&) {  // no memory, or no thread for the completion queue
    counters_.statistics.Finished(command.op, 0, ENOMEM);
    done({ENOMEM, 0});
  }
}

bool Device::discards() const { return TakesDiscards(config_); }
bool Device::IsWhole(const Command& command) const { return rnullfs::IsWhole(config_, command); }
bool Device::emulates_sectors() const { return stages_->refusals.emulates_sectors(); }
void Device::ForgetComplaint() { stages_->refusals.Forget(); }

void Device::AnswerNow(Command command, Completion done) {
  const auto answer = [&](const Answer& answer) {
    counters_.statistics.Finished(command.op, answer.bytes, answer.error);
    done(answer);
  };
  int error = stages_->refusals.Check(command);
  if (error == 0 && command.op == Op::kRead) {
    // Straight from the store, while it holds still.
    error = stages_->backing.view().Read(command.offset, command.length,
                                         [&](absl::Span<const iovec> data) {
                                           answer({0, command.length, data});
                                         });
    // Whoever has the answer may destroy the device.
    if (error == 0) return;
  } else if (error == 0) {
    error = stages_->backing.Change(command);
    if (error != 0) stages_->refusals.ExplainError(error, command);
  }
  answer({error, error == 0 ? command.length : 0});
}

void Device::AnswerShaped(Command command, Completion done) {
  const int64_t now_nsec = services_.clock.NowNsec();
  Reply reply = {.done = done, .statistics = &counters_.statistics, .op = command.op};
  reply.error = stages_->refusals.Check(command);
  if (!MayWait(command)) {
    reply.error = EBUSY;
    return reply.Send();
  }
  const int64_t due_nsec = reply.error == 0 ? Do(command, now_nsec, reply) : EndOf(now_nsec);
  if (reply.error == 0) reply.bytes = command.length;
  if (config_.irqmode == IrqMode::kNone && due_nsec <= now_nsec) return reply.Send();
  // Late answers do not add up in what the throttle allows.
  reply.exact = config_.irqmode != IrqMode::kNone;
  reply.waiting = &stages_->waiting;
  const uint64_t bytes = reply.data_bytes();
  stages_->waiting.Add(bytes);
  try {
    services_.completions.Post(due_nsec, std::move(reply));
  } catch (...) {  // it does not wait, for want of memory
    stages_->waiting.Remove(bytes);
    throw;
  }
}

// Fills in the reply, which is not to be sent before the time that is returned.
int64_t Device::Do(const Command& command, int64_t now_nsec, Reply& reply) {
  if (command.op == Op::kRead && stages_->backing.stored() && command.length > 0) {
    reply.data.reset(new (std::nothrow) char[command.length]);
    if (reply.data == nullptr) {
      reply.error = ENOMEM;
      return now_nsec;
    }
  }
  int64_t ready_nsec = now_nsec;
  if (IsBlockRequest(command)) {
    const int64_t timeout_nsec =
        std::min(static_cast<int64_t>(config_.io_timeout) * 1'000'000, services_.patience_nsec);
    const Faults::Fate fate =
        stages_->faults.armed() ? stages_->faults.Decide(timeout_nsec) : Faults::Fate();
    ready_nsec = stages_->throttle.Start(command.op, command.length, ready_nsec + fate.delay_nsec);
    if (fate.lost) {
      // It keeps its slot; what it waits for one does not count.
      stages_->slots.Take(ready_nsec, timeout_nsec);
      reply.error = ETIMEDOUT;
      return now_nsec + timeout_nsec;
    }
  }
  // As the block layer splits a request; what fails of it fails the whole.
  const uint64_t piece_bytes =
      config_.max_sectors == 0 || !MovesData(command.op)
          ? UINT64_MAX
          : uint64_t{config_.max_sectors} * kSectorBytes & ~uint64_t{config_.blocksize - 1};
  int64_t due_nsec = now_nsec;
  uint64_t done = 0;
  do {
    Command piece = command;
    piece.offset += done;
    piece.length = std::min(piece_bytes, command.length - done);
    if (piece.data != nullptr) piece.data = static_cast<const char*>(piece.data) + done;
    const int error = DoPiece(piece, reply.data == nullptr ? nullptr : reply.data.get() + done);
    if (reply.error == 0) reply.error = error;
    due_nsec = std::max(due_nsec, EndOf(ready_nsec));
    done += piece.length;
  } while (done < command.length);
  return due_nsec;
}

// How much of it works, and where the bytes go.
int Device::DoPiece(const Command& piece, char* to) {
  Command good = piece;
  int error = 0;
  if (piece.op != Op::kFlush && IsBlockRequest(piece) && medium_.bad_blocks().armed()) {
    // To write a sector of a block is to read all of it.
    const uint64_t unit = piece.sectors ? config_.blocksize : 1;
    const uint64_t begin = piece.offset / unit * unit;
    const uint64_t end = (piece.offset + piece.length + unit - 1) / unit * unit;
    const BadBlockTable::Verdict verdict =
        medium_.bad_blocks().Check(begin, end - begin,
                                   {.once = config_.badblocks_once,
                                    .partial_io = config_.badblocks_partial_io,
                                    .blocksize = config_.blocksize});
    error = verdict.error;
    if (error != 0) stages_->refusals.ExplainBadSector(piece);
    const uint64_t before = piece.offset - begin;
    good.length = std::min(verdict.good_bytes - std::min(verdict.good_bytes, before), piece.length);
    if (good.length == 0 && error != 0) return error;
  }
  int moved = 0;
  if (good.op != Op::kRead) {
    moved = stages_->backing.Change(good);
  } else if (to != nullptr) {
    moved = stages_->backing.view().CopyOut(good.offset, good.length, to);
  }
  if (error == 0 && moved != 0) stages_->refusals.ExplainError(moved, piece);
  return error != 0 ? error : moved;
}

// The kernel's driver lets who comes when its tags are in use wait; what would wait here is taken
// from the other disks of the mount.
bool Device::MayWait(const Command& command) {
  const bool reads = command.op == Op::kRead && config_.memory_backed;
  const Waiting& all = services_.completions.waiting();
  if (all.LeavesRoomTo(stages_->waiting, reads ? command.length : 0)) return true;
  stages_->refusals.ExplainBusy(stages_->waiting.requests());
  return false;
}

// When the disk has worked on a request that it could begin at `ready_nsec`.
int64_t Device::EndOf(int64_t ready_nsec) {
  if (config_.irqmode != IrqMode::kTimer) return ready_nsec;
  const auto nsec =
      static_cast<int64_t>(std::min<uint64_t>(config_.completion_nsec, TokenBucket::kNever));
  return std::min(stages_->slots.Take(ready_nsec, nsec), TokenBucket::kNever) + nsec;
}

uint64_t Device::NextData(uint64_t offset) const {
  return stages_->backing.view().NextData(offset);
}
uint64_t Device::NextHole(uint64_t offset) const {
  return stages_->backing.view().NextHole(offset);
}

}  // namespace rnullfs
