// What of a device and of a mount outlives the process that serves them, as records of bytes.
//
// They are JSON, by key: a later version of the program reads an earlier one's.  What it does not
// know it refuses, because to leave it out would be to lose it.  (Not one of the JSON library's
// binary formats: it reads them by recursion, and nesting without end would end the process.)
//
// Thread safety: pure functions.
// Errors: EINVAL with a sentence for bytes that are no such record, whatever they are.
#ifndef RNULLFS_CONFIG_STATE_RECORDS_H_
#define RNULLFS_CONFIG_STATE_RECORDS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ownership.h"
#include "rnullfs/device_config.h"

namespace rnullfs {

// An open of a disk.
struct OpenRecord {
  uint64_t handle = 0;
  uint64_t request = 0;  // the number of the request that opened it
  std::string opener;
  bool passthrough = false;
  bool passing = false;  // no open but one request, which comes again by itself; not saved
};

struct DeviceRecord {
  uint64_t id = 0;
  std::string name;
  uint64_t request = 0;  // the number of the request that made it
  DeviceConfig config;
  Ownership created;
  std::map<uint32_t, Ownership> ownership;  // by slot
  uint64_t memfd = 0;                       // the store's file, by inode number; 0: none yet
  std::vector<OpenRecord> opens;
  uint64_t next_handle = 1;
  int backing_id = 0;
  std::string last_error;
  std::string unfinished_json;
  uint64_t writes_seen = 0;   // of the disk, as of when it was last counted as modified,
  timespec stored_seen = {};  // and when its file had been written to then
};

struct MountRecord {
  uint64_t memory_limit = 0;  // bytes
  uint64_t next_id = 1;
  std::map<uint64_t, Ownership> ownership;  // of the root and its files, by inode
  std::vector<uint64_t> removals;           // numbers of the requests that removed devices lately
  std::string init;                         // the kernel's FUSE_INIT request, to be read again
  std::vector<std::string> capabilities;    // what was agreed with the kernel
  uint64_t counters_layout = 0;             // of the pages that count requests
};

std::string WriteRecord(const DeviceRecord& record);
std::string WriteRecord(const MountRecord& record);
absl::StatusOr<DeviceRecord> ReadDeviceRecord(std::string_view bytes);
absl::StatusOr<MountRecord> ReadMountRecord(std::string_view bytes);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_STATE_RECORDS_H_
