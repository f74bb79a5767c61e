// An answer that waits for its time: all of a finished command that outlives Device::Submit().
//
// Thread safety: as of a plain value.
#ifndef RNULLFS_DEVICE_REPLY_H_
#define RNULLFS_DEVICE_REPLY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "device/fault_verdict.h"
#include "device/logged_request.h"
#include "device/waiting.h"
#include "rnullfs/command.h"
#include "rnullfs/device_counters.h"

namespace rnullfs {

struct Reply {
  Completion done;
  Statistics* statistics;
  Op op;
  int error = 0;
  uint64_t bytes = 0;
  bool exact = true;                       // worth polling the clock for
  std::unique_ptr<char[]> data = nullptr;  // what was read; null: zeros
  Waiting* waiting = nullptr;              // the disk's, where it is counted until it is sent
  std::vector<std::shared_ptr<HangGate>> gates = {};  // where it is held before
  PendingFaults pending = {};                         // what has fired for it
  LoggedRequest logged = {};

  // Of memory that it holds.
  uint64_t data_bytes() const { return data == nullptr ? 0 : bytes; }

  // Of a disk whose requests wait no more.
  bool has_ended() const { return waiting != nullptr && waiting->error() != 0; }

  // Counts the command as finished and answers it.  Afterwards neither the device nor the
  // statistics are touched: whoever was waiting for the answer may destroy them.
  void Send();
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_REPLY_H_
