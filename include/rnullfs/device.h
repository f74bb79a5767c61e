// The powered controller over a medium.  It exists only while `power` is 1 and holds an immutable
// copy of the configuration.
//
// A request goes through Submit() and answers four questions in the order null_blk asks them
// (null_handle_cmd() in drivers/block/null_blk/main.c):
//     when may it start?   how much of it works?   where do the bytes go?   when does it answer?
//
// Thread safety: Submit(), NextData() and NextHole() from any thread at once.
// Units: bytes.  Errors: positive errno through the completion.
#ifndef RNULLFS_DEVICE_H_
#define RNULLFS_DEVICE_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "rnullfs/clock.h"
#include "rnullfs/command.h"
#include "rnullfs/device_config.h"
#include "rnullfs/medium.h"
#include "rnullfs/statistics.h"

namespace rnullfs {

class CompletionQueue;

// What devices share and tests replace.  All outlive the devices.
struct DeviceServices {
  const Clock& clock;
  CompletionQueue& completions;
};

class Device {
 public:
  // Instantiates the controller.  EINVAL or ENOSPC with a sentence when the medium cannot be made
  // to fit `config`; nothing has changed then.  `medium` and `statistics` outlive the device.
  static absl::StatusOr<std::unique_ptr<Device>> PowerOn(const DeviceConfig& config, Medium& medium,
                                                         Statistics& statistics,
                                                         DeviceServices services);
  // No command may be in flight (asserted).
  ~Device();

  // Starts `command`; the answer comes through `done`.  A kRead that begins at or past the end
  // succeeds with 0 bytes, one that crosses it is cut; every other command that does not lie within
  // the disk fails with ENOSPC and changes nothing.
  void Submit(const Command& command, Completion done);

  // As PageStore's; a disk without memory backing is one hole.
  uint64_t NextData(uint64_t offset) const;
  uint64_t NextHole(uint64_t offset) const;

  uint64_t size_bytes() const { return config_.size << 20; }
  const DeviceConfig& config() const { return config_; }

 private:
  Device(const DeviceConfig& config, PageStore* store, Statistics& statistics,
         DeviceServices services);
  void AnswerNow(Command command, Completion done);
  void AnswerLater(Command command, Completion done);
  void Read(const Command& command, PageStore::ReadSink sink) const;
  int Copy(const Command& command, std::unique_ptr<char[]>& data) const;
  int Change(const Command& command) const;
  int64_t DueNsec(int64_t submitted_nsec) const;

  const DeviceConfig config_;
  PageStore* const store_;  // null: not memory backed
  Statistics& statistics_;
  const DeviceServices services_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_H_
