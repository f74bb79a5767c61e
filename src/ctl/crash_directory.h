// A disk's crash/, seen from outside: the cuts, what may be lost at each, and states of them.
//
// Thread safety: immutable; a state belongs to who has made it.
// Errors: as files.h.
#ifndef RNULLFS_CTL_CRASH_DIRECTORY_H_
#define RNULLFS_CTL_CRASH_DIRECTORY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ctl/frontier.h"

namespace rnullfs {

// units.json: a unit that is not certain, and the requests that made what it may be.
struct UncertainUnit {
  uint64_t unit;
  std::vector<uint64_t> versions;  // sequence numbers, the durable one's first
  uint32_t newest;
};

// consulted: one that has been read before it was overwritten, and what it was.
struct ConsultedUnit {
  uint64_t unit;
  uint32_t version;
};

// state.json: a request that may be lost.
struct LostRequest {
  uint64_t sequence;
  std::string op;
  uint64_t sector;
  uint64_t sectors;
  uint64_t lost_sectors;  // 0: it is there
  uint64_t first_lost_sector = 0;
};

struct StateInfo {
  uint64_t moment;  // what had been by then may be there
  uint64_t unit_bytes;
  double states_log2;
  bool forgotten;
  std::string identity;
  std::vector<LostRequest> requests;  // kept and lost, by their numbers
  std::vector<uint64_t> written;      // units
};

// One that has been made, and is removed with the object unless it is to stay.
class MadeState {
 public:
  MadeState(MadeState&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  MadeState& operator=(MadeState&&) = delete;
  ~MadeState();
  std::string disk() const { return path_ + "/disk"; }
  const std::string& path() const { return path_; }
  // `newest`: units that are not named are not durable, but what they are if nothing is lost.
  absl::Status Choose(const Assignment& units, bool newest = false) const;
  absl::Status ChooseNamed(const std::string& name) const;  // as the state that is called so
  absl::Status LoseRequests(const std::vector<uint64_t>& requests) const;  // `without`
  absl::StatusOr<std::vector<ConsultedUnit>> Consulted() const;
  absl::StatusOr<StateInfo> Info() const;
  void Keep() { path_.clear(); }

 private:
  friend class CrashDirectory;
  explicit MadeState(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class CrashDirectory {
 public:
  // Of the device with that directory.
  explicit CrashDirectory(std::string device) : device_(std::move(device)) {}

  const std::string& device() const { return device_; }
  std::string PathOf(uint64_t cut, const std::string& state) const;

  // ENOENT, with what to do, where there is none, or no history.
  absl::Status Check() const;
  // Of a mark, `now`, or a number.
  absl::StatusOr<uint64_t> NumberOf(const std::string& moment) const;
  // Flushes and the like from one to the other, and that one, in order.
  absl::StatusOr<std::vector<uint64_t>> Cuts(uint64_t from, uint64_t to) const;
  // Number -> name; of several the last.
  std::map<uint64_t, std::string> Marks() const;

  absl::StatusOr<std::vector<UncertainUnit>> Units(uint64_t cut) const;
  absl::StatusOr<StateInfo> Info(uint64_t cut, const std::string& state) const;
  // Takes one of what was made before and has been left, where it has the name.
  absl::StatusOr<MadeState> Make(uint64_t cut, const std::string& name) const;

 private:
  const std::string device_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_CRASH_DIRECTORY_H_
