// What of a device and of a mount outlives the process that serves them, as records of bytes.
//
// They are JSON, by key, so that versions of the program can take over from each other, both ways:
// a field that a record lacks has its default, and what a version does not know it keeps, as JSON
// text in `unknown`, and writes back.  A version that needs more of its readers than that names it
// in `needs`, and who does not know the name refuses the record: without `origin` a clone would
// read as zeros what it shares.  A field that comes to be is a
// member with a default, and its name in the list in state_records.cc.  (Not one of the JSON
// library's binary formats: it reads them by recursion, and nesting without end would end the
// process.)
//
// Thread safety: pure functions.
// Errors: EINVAL with a sentence for bytes that are no such record, whatever they are: that are no
// JSON, lack what a record cannot be without, or have a value of another type or one that is not
// accepted.
#ifndef RNULLFS_RECORDS_STATE_RECORDS_H_
#define RNULLFS_RECORDS_STATE_RECORDS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ownership.h"
#include "rnullfs/origin_key.h"
#include "rnullfs/settings.h"

namespace rnullfs {

// An open of a disk.
struct OpenRecord {
  uint64_t handle = 0;
  uint64_t request = 0;  // the number of the request that opened it
  std::string opener;
  bool passthrough = false;
  bool passing = false;  // no open but one request, which comes again by itself; not saved
  std::string unknown = {};
};

// A write of text that has been done, but perhaps not answered: heard again, it is answered so.
struct TextRecord {
  uint64_t request = 0;  // its number
  int error = 0;         // errno, or 0
  std::string unknown = {};
};

struct DeviceRecord {
  uint64_t id = 0;
  std::string name;
  uint64_t request = 0;  // the number of the request that made it
  Settings config;       // those that lie in the counters, too, as of when this was saved
  Ownership created;
  std::map<uint64_t, Ownership> ownership;  // by place among its files
  uint64_t memfd = 0;                       // the store's file, by inode number; 0: none yet
  std::vector<OpenRecord> opens;
  uint64_t next_handle = 1;
  int backing_id = 0;
  std::string last_error;
  std::string unfinished_json;
  uint64_t writes_seen = 0;        // of the disk, as of when it was last counted as modified,
  timespec stored_seen = {};       // and when its file had been written to then
  uint64_t unfinished_handle = 0;  // the open that wrote it last; 0: a version without handles did
  uint64_t unfinished_begin = 0;   // where it lies in the file, in bytes
  bool unfinished_aside = false;   // whoever appends from elsewhere begins anew
  std::vector<TextRecord> texts = {};  // the latest last
  OriginKey origin = {};
  OriginKey log = {};  // that it has yet to go through
  std::vector<std::string> needs = {};
  std::string unknown = {};
};

struct MountRecord {
  uint64_t memory_limit = 0;  // bytes
  uint64_t next_id = 1;
  std::map<uint64_t, Ownership> ownership;  // of the root and its files, by inode
  std::vector<uint64_t> removals;           // numbers of the requests that removed devices lately
  std::string init;                         // the kernel's FUSE_INIT request, to be read again
  std::vector<std::string> capabilities;    // what was agreed with the kernel
  uint64_t counters_layout = 0;             // of the first page of counters, before it had a table
  std::string last_error = {};              // of what was refused in the root
  std::vector<std::string> counters = {};   // rnullfs/counters.h's table
  bool blackout = false;                    // the power of all disks is being cut,
  uint64_t blackout_request = 0;            // and by which request it was last
  std::vector<std::string> needs = {};
  std::string unknown = {};
};

// What a device's record may need: a worker that knows no past would change the disk and keep
// nothing, and its snapshots would change with it; one that knows no rules would let requests
// pass that hang; one that knows no logs would begin with nothing; one that knows no power cuts has
// no disks that are off and open, and does not note what a flush has covered.
inline constexpr char kNeedsPast[] = "past";
inline constexpr char kNeedsOrigin[] = "origin";
inline constexpr char kNeedsLog[] = "log";
inline constexpr char kNeedsFaults[] = "faults";
inline constexpr char kNeedsCut[] = "cut";
inline constexpr char kNeedsDamage[] = "damage";

std::string WriteRecord(const DeviceRecord& record);
std::string WriteRecord(const MountRecord& record);
absl::StatusOr<DeviceRecord> ReadDeviceRecord(std::string_view bytes);
absl::StatusOr<MountRecord> ReadMountRecord(std::string_view bytes);

}  // namespace rnullfs

#endif  // RNULLFS_RECORDS_STATE_RECORDS_H_
