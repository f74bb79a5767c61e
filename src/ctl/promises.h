// What a workload had been told is durable, and when: a file with a line for each promise, the mark
// (or number of the log) at which it had been given, and what it was.
//
//     txn-17 order 17 is paid
//
// It holds at each cut at whose moment that had been.
//
// Thread safety: immutable once it has been made.
#ifndef RNULLFS_CTL_PROMISES_H_
#define RNULLFS_CTL_PROMISES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ctl/crash_directory.h"

namespace rnullfs {

class Promises {
 public:
  Promises() = default;  // none
  Promises(Promises&& other) noexcept;
  Promises& operator=(Promises&& other) noexcept;
  ~Promises();

  // EINVAL for a line that is none, ENOENT for a mark that there is not; with the line's number.
  static absl::StatusOr<Promises> Read(const std::string& path, const CrashDirectory& crash);

  // The same file at each moment; it is not ours.
  static Promises Always(const std::string& file);

  // A file with what holds at that moment, a line each without the marks; it goes with the object.
  absl::StatusOr<std::string> FileAt(uint64_t moment) const;

 private:
  std::vector<std::pair<uint64_t, std::string>> lines_;  // by when
  std::string directory_;
  std::string always_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_PROMISES_H_
