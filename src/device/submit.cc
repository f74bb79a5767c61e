// A request on its way through the stages.

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>
#include <utility>

#include "device/bad_block_table.h"
#include "device/completion_queue.h"
#include "device/fault_rule_table.h"
#include "device/reply.h"
#include "device/stages.h"
#include "rnullfs/device.h"

namespace rnullfs {
namespace {

constexpr uint32_t kSectorBytes = 512;

bool MovesData(Op op) { return op == Op::kRead || op == Op::kWrite; }

// Requests of the block layer; what a file has beyond these passes the stages by.
bool IsBlockRequest(const Command& command) {
  return command.op != Op::kAllocate && !command.truncates;
}

// As rules see it, as far as they choose by it; no operation for what they do not see.
FaultRequest RequestOf(const Command& command) {
  constexpr uint8_t kOps[] = {kFaultRead, kFaultWrite, kFaultFlush, kFaultDiscard, kFaultZero, 0};
  FaultRequest request = {.op = kOps[static_cast<size_t>(command.op)]};
  const bool nothing = command.length == 0 && command.op != Op::kFlush;
  if (!IsBlockRequest(command) || nothing) return {};
  if (!request.has_sectors()) return request;
  request.first = command.offset / kSectorBytes;
  request.last = (command.offset + command.length - 1) / kSectorBytes;
  return request;
}

}  // namespace

// Whether no stage has anything to say about a request.
bool Device::Plain() const {
  return !stages_->live.shaped() && !stages_->faults.armed() && !medium_.bad_blocks().armed();
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

void Device::AnswerNow(Command command, Completion done) {
  LoggedRequest logged(command, medium_, stages_->supply, services_.clock,
                       stages_->live.log_reads());
  const auto answer = [&](const Answer& answer) {
    counters_.statistics.Finished(command.op, answer.bytes, answer.error);
    logged.End(answer.error);
    done(answer);
  };
  int error = stages_->refusals.Check(command);
  if (error == 0 && Concerned(command)) {
    if (!has_power()) return answer({EIO, 0});
    if (FaultVerdict verdict = Judge(command); verdict.fired || verdict.busy) {
      Reply reply = {.done = done, .statistics = &counters_.statistics, .op = command.op};
      reply.logged = std::move(logged);
      return AnswerLater(command, std::move(reply), std::move(verdict));
    }
  }
  if (error == 0 && command.op == Op::kRead) {
    // Straight from the store, while it holds still.
    error = stages_->backing.view().Read(
        command.offset, command.length, [&](absl::Span<const iovec> data) {
          // What it reads may be what a cut has left.
          has_power() ? answer({0, command.length, data}) : answer({EIO, 0});
        });
    // Whoever has the answer may destroy the device.
    if (error == 0) return;
  } else if (error == 0) {
    error = Change(command, nullptr, logged);
    if (error != 0) stages_->refusals.ExplainError(error, command);
  }
  answer({error, error == 0 ? command.length : 0});
}

void Device::AnswerShaped(Command command, Completion done) {
  Reply reply = {.done = done, .statistics = &counters_.statistics, .op = command.op};
  reply.logged =
      LoggedRequest(command, medium_, stages_->supply, services_.clock, stages_->live.log_reads());
  reply.error = has_power() ? stages_->refusals.Check(command) : EIO;
  if (!MayWait(command)) {
    reply.error = EBUSY;
    return reply.Send();
  }
  AnswerLater(command, std::move(reply), {});
}

// `verdict`: what has fired already.
void Device::AnswerLater(const Command& command, Reply reply, FaultVerdict verdict) {
  const int64_t now_nsec = services_.clock.NowNsec();
  int64_t due_nsec = reply.error == 0 ? Do(command, now_nsec, reply, verdict) : EndOf(now_nsec);
  if (verdict.waits()) due_nsec += Patiently(verdict, reply);
  if (reply.error == 0 && !has_power()) reply.error = EIO;
  if (reply.error == 0) {
    reply.bytes = command.length;
  } else {
    reply.data.reset();
  }
  reply.gates = std::move(verdict.gates);
  reply.pending = std::move(verdict.pending);
  const bool held = !reply.gates.empty();
  const bool is_inline = stages_->live.answers_inline();
  if (is_inline && due_nsec <= now_nsec && !held) return reply.Send();
  // Late answers do not add up in what the throttle allows.
  reply.exact = !is_inline || verdict.waits();
  reply.waiting = &stages_->waiting;
  const uint64_t bytes = reply.data_bytes();
  stages_->waiting.Add(bytes);
  try {
    if (held) {
      services_.completions.Hold(due_nsec, std::move(reply));
    } else {
      services_.completions.Post(due_nsec, std::move(reply));
    }
  } catch (...) {  // it does not wait, for want of memory
    stages_->waiting.Remove(bytes);
    throw;
  }
}

// Whether there may be a rule for it: asked first, as there mostly is none.
bool Device::Concerned(const Command& command) const {
  const FaultRuleTable& rules = medium_.fault_rules();
  if (!rules.armed()) return false;
  const FaultRequest request = RequestOf(command);
  return request.op != 0 && rules.Reaches(request);
}

// How much later it is answered.  Where somebody above would give up more than the request, it
// fails before that, as a lost one does.
int64_t Device::Patiently(FaultVerdict& verdict, Reply& reply) const {
  const bool in_time = verdict.gates.empty() && verdict.delay_nsec <= services_.patience_nsec;
  if (in_time || services_.patience_nsec == INT64_MAX) return verdict.delay_nsec;
  verdict.gates.clear();
  if (reply.error == 0) reply.error = ETIMEDOUT;
  return services_.patience_nsec;
}

// What null_blk's own faults leave is for the rules to judge.
FaultVerdict Device::Judge(const Command& command) const {
  const FaultRuleTable& rules = medium_.fault_rules();
  FaultRequest request = RequestOf(command);
  if (request.has_sectors() && medium_.bad_blocks().armed()) {
    const auto [begin, end] = Touched(command);
    if (medium_.bad_blocks().Touches(begin, end - begin)) return {};
  }
  request.sequence = medium_.sequence();
  request.seed = counters_.random.seed.load(std::memory_order_relaxed);
  request.disk_sectors = size_bytes() / kSectorBytes;
  request.now_nsec = services_.clock.NowNsec();
  request.may_wait = HasRoomFor(command);
  return rules.Judge(request);
}

// Fills in the reply, which is not to be sent before the time that is returned.
int64_t Device::Do(const Command& command, int64_t now_nsec, Reply& reply, FaultVerdict& verdict) {
  if (command.op == Op::kRead && stages_->backing.stored() && command.length > 0) {
    reply.data.reset(new (std::nothrow) char[command.length]);
    if (reply.data == nullptr) {
      reply.error = ENOMEM;
      return now_nsec;
    }
  }
  int64_t ready_nsec = now_nsec;
  if (IsBlockRequest(command)) {
    const int64_t timeout_nsec = std::min(stages_->live.io_timeout_nsec(), services_.patience_nsec);
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
  if (!verdict.fired && !verdict.busy && Concerned(command)) verdict = Judge(command);
  if (verdict.error != 0) {
    stages_->refusals.ExplainFault(verdict, command);
  } else if (verdict.busy) {
    stages_->refusals.ExplainBusy(stages_->waiting.requests());
    verdict.error = EBUSY;
  }
  if (verdict.fails_before()) {
    reply.error = verdict.error;
    return EndOf(ready_nsec);
  }
  if (verdict.error == 0 && verdict.harms.IsTold()) {
    verdict.rule = verdict.harms.OfAll()->rule;
    stages_->refusals.ExplainFault(verdict, command);
  }
  const int64_t due_nsec = DoPieces(command, verdict.harms, ready_nsec, reply);
  if (reply.error == 0) reply.error = verdict.error;
  return due_nsec;
}

// As the block layer splits a request; what fails of it fails the whole.
int64_t Device::DoPieces(const Command& command, const Harms& harms, int64_t ready_nsec,
                         Reply& reply) {
  const uint64_t piece_bytes =
      config_.max_sectors == 0 || !MovesData(command.op) || !harms.empty()
          ? UINT64_MAX
          : uint64_t{config_.max_sectors} * kSectorBytes & ~uint64_t{config_.blocksize - 1};
  int64_t due_nsec = ready_nsec;
  uint64_t done = 0;
  do {
    Command piece = command;
    piece.offset += done;
    piece.length = std::min(piece_bytes, command.length - done);
    if (piece.data != nullptr) piece.data = static_cast<const char*>(piece.data) + done;
    const int error =
        DoPiece(piece, harms, reply, reply.data == nullptr ? nullptr : reply.data.get() + done);
    if (reply.error == 0) reply.error = error;
    due_nsec = std::max(due_nsec, EndOf(ready_nsec));
    done += piece.length;
  } while (done < command.length);
  return due_nsec;
}

// The bytes that a request touches: to write a sector of a block is to read all of it.
std::pair<uint64_t, uint64_t> Device::Touched(const Command& command) const {
  const uint64_t unit = command.sectors ? config_.blocksize : 1;
  return {command.offset / unit * unit, (command.offset + command.length + unit - 1) / unit * unit};
}

// How much of it works, and where the bytes go.
int Device::DoPiece(const Command& piece, const Harms& harms, Reply& reply, char* to) {
  Command good = piece;
  int error = 0;
  if (piece.op != Op::kFlush && IsBlockRequest(piece) && medium_.bad_blocks().armed()) {
    const auto [begin, end] = Touched(piece);
    const BadBlockTable::Verdict verdict =
        medium_.bad_blocks().Check(begin, end - begin,
                                   {.once = stages_->live.badblocks_once(),
                                    .partial_io = stages_->live.badblocks_partial_io(),
                                    .blocksize = config_.blocksize});
    error = verdict.error;
    if (error != 0) stages_->refusals.ExplainBadSector(piece);
    const uint64_t before = piece.offset - begin;
    good.length = std::min(verdict.good_bytes - std::min(verdict.good_bytes, before), piece.length);
    if (good.length == 0 && error != 0) return error;
  }
  int moved = 0;
  if (good.op != Op::kRead) {
    moved = Change(good, &harms, reply.logged);
  } else if (to != nullptr) {
    moved = stages_->backing.CopyOut(good, to, harms);
  }
  if (error == 0 && moved != 0) stages_->refusals.ExplainError(moved, piece);
  return error != 0 ? error : moved;
}

int Device::Change(const Command& command, const Harms* harms, LoggedRequest& logged) {
  const CountedRequest::Scope scope(logged.counted());
  return stages_->backing.Change(command, harms);
}

bool Device::HasRoomFor(const Command& command) const {
  if (command.again) return true;
  const bool reads = command.op == Op::kRead && config_.memory_backed;
  const Waiting& all = services_.completions.waiting();
  return all.LeavesRoomTo(stages_->waiting, reads ? command.length : 0);
}

// The kernel's driver lets who comes when its tags are in use wait; what would wait here is taken
// from the other disks of the mount.
bool Device::MayWait(const Command& command) {
  if (HasRoomFor(command)) return true;
  stages_->refusals.ExplainBusy(stages_->waiting.requests());
  return false;
}

// When the disk has worked on a request that it could begin at `ready_nsec`.
int64_t Device::EndOf(int64_t ready_nsec) {
  const int64_t nsec = stages_->live.completion_nsec();
  if (nsec < 0) return ready_nsec;
  return std::min(stages_->slots.Take(ready_nsec, nsec), TokenBucket::kNever) + nsec;
}

}  // namespace rnullfs
