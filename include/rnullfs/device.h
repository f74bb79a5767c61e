// The powered controller over a medium.  It exists only while `power` is 1 and holds an immutable
// copy of the configuration; what may change under power has a place of its own (LiveConfig, the
// stages).
//
// A request goes through Submit() and answers four questions in the order null_blk asks them
// (null_queue_rq() and null_handle_cmd() in drivers/block/null_blk/main.c):
//     when may it start?   how much of it works?   where do the bytes go?   when does it answer?
// The stages compute; the completion queue is the one place that waits.  So a request's bytes are
// moved when it is submitted, and what holds it back holds back its answer.
//
// Thread safety: Submit(), NextData() and NextHole() from any thread at once; SetLive() and
// RestartFaults() beside them, one at a time.
// Units: bytes.  Errors: positive errno through the completion.
#ifndef RNULLFS_DEVICE_H_
#define RNULLFS_DEVICE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "rnullfs/clock.h"
#include "rnullfs/command.h"
#include "rnullfs/device_config.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/medium.h"

namespace rnullfs {

class CompletionQueue;
struct FaultPoint;
struct FaultVerdict;
struct Harms;
class LoggedRequest;
struct Reply;

// What devices share and tests replace.  All outlive the devices.
struct DeviceServices {
  const Clock& clock;
  CompletionQueue& completions;
  // How long a lost request may be out before somebody above gives up more than the request.
  int64_t patience_nsec = INT64_MAX;
  // Set while the power is gone for all of them; null: it never is.
  const std::atomic<bool>* blackout = nullptr;
};

class Device {
 public:
  // What a user should hear about requests that are refused, as a sentence: for the first of a kind
  // since another kind, or ForgetComplaint().  Called by a thread that submits, without a lock.
  using Complain = std::function<void(const std::string& sentence)>;

  // Instantiates the controller.  EINVAL for what there is no such disk of, EFAULT when a fault is
  // injected, ENOSPC when the medium cannot be made to fit `config`; with a sentence, and nothing
  // has changed.  `medium` and `counters` outlive the device.
  static absl::StatusOr<std::unique_ptr<Device>> PowerOn(const DeviceConfig& config, Medium& medium,
                                                         DeviceCounters& counters,
                                                         DeviceServices services,
                                                         Complain complain = nullptr);

  // The same for a device that another process had powered on: it goes on with what `medium` and
  // `counters` have.
  static std::unique_ptr<Device> Resume(const DeviceConfig& config, Medium& medium,
                                        DeviceCounters& counters, DeviceServices services,
                                        Complain complain = nullptr);
  // No command may be in flight (asserted).
  ~Device();

  // Starts `command`; the answer comes through `done`.  What lies past the end is left out: it
  // reads as nothing and has nothing to discard, to zero or to allocate.  But a kWrite that does
  // not lie within the disk fails with ENOSPC and changes nothing, as does what is not to keep the
  // size.  EINVAL for a direct one that is no multiple of blocksize, EOPNOTSUPP for a discard where
  // there are none, EIO for bad blocks, ETIMEDOUT for a request that a fault has lost, EBUSY when
  // as many wait for their time as one disk may have, ENOMEM for one that there is no memory to
  // work on, EIO once the power has been cut.  Whatever a fault rule says.
  void Submit(const Command& command, Completion done);

  // Attributes that may change while powered, as of the next request.  Answers that wait keep their
  // time.  A size that is larger the medium has already.
  void SetLive(const DeviceConfig& config);
  void RestartFaults(const FaultPoint& point, const FaultAttr& written);

  // The last complaint is no longer what the user reads: the next one is made whatever its kind.
  void ForgetComplaint();

  // The power goes, while requests come: from now on they fail with EIO, and so do those that wait
  // for their time or at a gate.  What has begun to change something has ended on return.
  void Cut();
  bool has_power() const;

  // As PageStore's; a disk without memory backing is one hole.
  uint64_t NextData(uint64_t offset) const;
  uint64_t NextHole(uint64_t offset) const;

  uint64_t size_bytes() const;
  bool discards() const;  // whether it takes them, as null_blk has them
  // Whether a direct command goes by the disk's blocks.
  bool IsWhole(const Command& command) const;
  // Whether it has made blocks of sectors, as a drive of the kind 512e.
  bool emulates_sectors() const;

 private:
  struct Stages;
  Device(const DeviceConfig& config, Medium& medium, DeviceCounters& counters,
         DeviceServices services, Complain complain);
  bool Plain() const;
  bool MayWait(const Command& command);
  void AnswerNow(Command command, Completion done);
  void AnswerShaped(Command command, Completion done);
  void AnswerLater(const Command& command, Reply reply, FaultVerdict verdict);
  bool HasRoomFor(const Command& command) const;
  bool Concerned(const Command& command) const;
  int64_t Patiently(FaultVerdict& verdict, Reply& reply) const;
  FaultVerdict Judge(const Command& command) const;
  int64_t Do(const Command& command, int64_t now_nsec, Reply& reply, FaultVerdict& verdict);
  int64_t DoPieces(const Command& command, const Harms& harms, int64_t ready_nsec, Reply& reply);
  std::pair<uint64_t, uint64_t> Touched(const Command& command) const;
  int DoPiece(const Command& piece, const Harms& harms, Reply& reply, char* to);
  int Change(const Command& command, const Harms* harms, LoggedRequest& logged);
  int64_t EndOf(int64_t ready_nsec);

  const DeviceConfig config_;  // as it was switched on: not what may change
  Medium& medium_;
  DeviceCounters& counters_;
  const DeviceServices services_;
  const std::unique_ptr<Stages> stages_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_H_
