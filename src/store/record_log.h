// Records that outlive the process which writes them: texts by key, in a memfd that somebody else
// holds, too.  And beside them memory for each key, for counters.
//
// A record is appended, and then the log's end is moved behind it: whoever reads the file after a
// SIGKILL at any moment finds every record whole, the last of each key being the one that counts.
// (The guarantee is against the death of a process, not of the machine: nothing is reordered.)
// When most of the log is history, what counts is copied to the other of two regions, and one write
// to the header makes that the log.
//
// The file is sparse:  0 header | 4 KiB region 0 | 1 TiB region 1 | 2 TiB the first page of each
// key's counters | 512 PiB the rest of them, 1 MiB a key, of as many as there are.
//
// Thread safety: all calls from any thread.  Units: bytes.  Errors: positive errno; ENOSPC when
// there is no memory.
#ifndef RNULLFS_STORE_RECORD_LOG_H_
#define RNULLFS_STORE_RECORD_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "rnullfs/mutex.h"
#include "rnullfs/unique_fd.h"
#include "store/arena.h"

namespace rnullfs {

class RecordLog {
 public:
  static constexpr uint64_t kPageSize = 4096;
  static constexpr uint64_t kKeyMax = (uint64_t{1} << 40) - 1;
  using Records = std::map<uint64_t, std::string>;

  static absl::StatusOr<std::unique_ptr<RecordLog>> Create();

  // What another process left, or still writes.  EINVAL, with a sentence, when it is not a log or a
  // damaged one.
  static absl::StatusOr<std::unique_ptr<RecordLog>> Open(UniqueFd memfd);

  ~RecordLog();

  // Every record that counts, by key.
  Records All() const ABSL_LOCKS_EXCLUDED(mutex_);

  // 0, or an errno: then the record is what it was.
  int Put(uint64_t key, std::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  void Erase(uint64_t key) ABSL_LOCKS_EXCLUDED(mutex_);

  // Part of the key's memory for counters, zeros when new, mapped as long as the log is here; null
  // when there is none.  Erase() gives it back.
  void* MapCounters(uint64_t key, uint64_t at, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  int fd() const { return file_.fd(); }

 private:
  struct Header;
  explicit RecordLog(UniqueFd memfd) : file_(std::move(memfd)) {}
  absl::Status Read();
  Header ReadHeader() const;
  absl::Status ReadAs(const Header& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Append(uint64_t key, std::string_view text, bool erased)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int Commit(uint64_t region, uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  char* Window(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CompactIfWorthwhile() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Arena file_;  // not mapped by it: what is counted in is not to be swapped out
  mutable Mutex mutex_;
  Records records_ ABSL_GUARDED_BY(mutex_);
  uint64_t region_ ABSL_GUARDED_BY(mutex_) = 0;  // 0 or 1
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;     // bytes of the region in use
  uint64_t live_ ABSL_GUARDED_BY(mutex_) = 0;    // of them, those that count
  // Counters are mapped many at once: a process may have 65530 mappings (vm.max_map_count).
  std::map<uint64_t, char*> windows_ ABSL_GUARDED_BY(mutex_);  // by number, where in the file
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_RECORD_LOG_H_
