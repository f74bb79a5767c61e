#include "rnullfs/device.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "device/completion_queue.h"
#include "device/reply.h"
#include "store/io_vector.h"

namespace rnullfs {
namespace {

// Cuts a read at the end of the disk; anything else fits or fails.
int FitToDisk(uint64_t size_bytes, Command& command) {
  const uint64_t left = size_bytes - std::min(command.offset, size_bytes);
  if (command.op == Op::kRead) {
    command.length = std::min(command.length, left);
    return 0;
  }
  return command.offset <= size_bytes && command.length <= left ? 0 : ENOSPC;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> Device::PowerOn(const DeviceConfig& config, Medium& medium,
                                                        Statistics& statistics,
                                                        DeviceServices services) {
  if (absl::Status prepared = medium.Prepare(config); !prepared.ok()) return prepared;
  PageStore* const store = config.memory_backed ? medium.store() : nullptr;
  return std::unique_ptr<Device>(new Device(config, store, statistics, services));
}

Device::Device(const DeviceConfig& config, PageStore* store, Statistics& statistics,
               DeviceServices services)
    : config_(config), store_(store), statistics_(statistics), services_(services) {}

Device::~Device() { assert(statistics_.Snapshot().in_flight == 0); }

void Device::Submit(const Command& command, Completion done) {
  statistics_.Started();
  if (config_.irqmode == IrqMode::kNone) {
    AnswerNow(command, done);
  } else {
    AnswerLater(command, done);
  }
}

void Device::AnswerNow(Command command, Completion done) {
  const auto answer = [&](const Answer& answer) {
    statistics_.Finished(command.op, answer.bytes, answer.error);
    done(answer);
  };
  int error = FitToDisk(size_bytes(), command);
  if (error == 0 && command.op == Op::kRead) {
    // Straight from the store, while it holds still.
    return Read(command, [&](absl::Span<const iovec> data) { answer({0, command.length, data}); });
  }
  if (error == 0) error = Change(command);
  answer({error, error == 0 ? command.length : 0});
}

// The bytes are moved when the command is submitted and the answer is held back, as in the kernel.
void Device::AnswerLater(Command command, Completion done) {
  const int64_t submitted_nsec = services_.clock.NowNsec();
  Reply reply{.done = done, .statistics = &statistics_, .op = command.op};
  reply.error = FitToDisk(size_bytes(), command);
  if (reply.error == 0) {
    reply.error = command.op == Op::kRead ? Copy(command, reply.data) : Change(command);
  }
  if (reply.error == 0) reply.bytes = command.length;
  services_.completions.Post(DueNsec(submitted_nsec), std::move(reply));
}

int64_t Device::DueNsec(int64_t submitted_nsec) const {
  if (config_.irqmode == IrqMode::kSoft) return submitted_nsec;
  const uint64_t longest_nsec = INT64_MAX - 1 - submitted_nsec;
  return submitted_nsec + static_cast<int64_t>(std::min(config_.completion_nsec, longest_nsec));
}

void Device::Read(const Command& command, PageStore::ReadSink sink) const {
  if (store_ != nullptr) return store_->Read(command.offset, command.length, sink);
  IoVector zeros;
  zeros.AppendZeros(command.length);
  sink(zeros.blocks());
}

int Device::Copy(const Command& command, std::unique_ptr<char[]>& data) const {
  if (store_ == nullptr || command.length == 0) return 0;
  data.reset(new (std::nothrow) char[command.length]);
  if (data == nullptr) return ENOMEM;
  char* to = data.get();
  store_->Read(command.offset, command.length, [&to](absl::Span<const iovec> blocks) {
    for (const iovec& block : blocks) {
      std::memcpy(to, block.iov_base, block.iov_len);
      to += block.iov_len;
    }
  });
  return 0;
}

int Device::Change(const Command& command) const {
  if (store_ == nullptr) return 0;
  switch (command.op) {
    case Op::kRead:  // changes nothing
    case Op::kFlush:
      return 0;
    case Op::kWrite:
      return store_->Write(command.offset, command.length, command.data);
    case Op::kDiscard:
      return store_->Discard(command.offset, command.length);
    case Op::kWriteZeroes:
      return store_->WriteZeroes(command.offset, command.length);
    case Op::kAllocate:
      return store_->Allocate(command.offset, command.length);
  }
  return EINVAL;
}

uint64_t Device::NextData(uint64_t offset) const {
  return store_ != nullptr ? store_->NextData(offset) : size_bytes();
}

uint64_t Device::NextHole(uint64_t offset) const {
  return store_ != nullptr ? store_->NextHole(offset) : std::min(offset, size_bytes());
}

}  // namespace rnullfs
