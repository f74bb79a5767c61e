// Who has a disk open, and by which door he came in: the kernel's (passthrough) or the daemon's.
//
// An open counts from our answer to its RELEASE, which the kernel sends when the open and its
// mapping have left its books.
//
// Thread safety: as of a plain value.
#ifndef RNULLFS_TREE_OPENS_H_
#define RNULLFS_TREE_OPENS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "records/state_records.h"

namespace rnullfs {

class Opens {
 public:
  // An open that is to be: made before the kernel is asked anything, so that to add it needs no
  // memory.
  using Prepared = std::map<uint64_t, OpenRecord>;
  Prepared Prepare(uint64_t request, std::string opener) const;
  uint64_t Add(Prepared open, bool passthrough);

  // Keeps the disk in place for a request that came without an open.
  uint64_t Hold(std::string holder);

  // Somebody has called close(2): as a rule, but not always, Close() follows.
  void NoteClosing(uint64_t handle);
  // What it was, if there was such an open.
  std::optional<OpenRecord> Close(uint64_t handle);

  // The open that the request has made; null for none.
  const OpenRecord* MadeBy(uint64_t request) const;

  bool empty() const { return opens_.empty(); }
  size_t all() const { return opens_.size(); }
  size_t count() const;  // without what only holds the disk
  size_t passthrough() const;
  bool by_daemon() const { return count() > passthrough(); }
  bool all_closing() const { return closing_.size() == count(); }
  // Duplicates were closed: nobody waits for that again.
  void ForgetClosing() { closing_.clear(); }

  // The first three, for a sentence.
  std::string Openers() const;

  void Save(DeviceRecord& record) const;
  void Restore(const DeviceRecord& record);

 private:
  std::map<uint64_t, OpenRecord> opens_;  // by handle
  std::set<uint64_t> closing_;            // NoteClosing()'s of them
  uint64_t next_handle_ = 1;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_OPENS_H_
