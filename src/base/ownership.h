// Who owns a file and when it changed: the part of stat that chmod, chown and touch set.
//
// Thread safety: plain values.
#ifndef RNULLFS_BASE_OWNERSHIP_H_
#define RNULLFS_BASE_OWNERSHIP_H_

#include <sys/types.h>

#include <ctime>
#include <optional>
#include <string>

namespace rnullfs {

struct Ownership {
  mode_t mode = 0;  // permission bits
  uid_t uid = 0;
  gid_t gid = 0;
  timespec accessed = {};
  timespec modified = {};
  timespec changed = {};
  std::string unknown = {};  // what a later version's record has beside these, as JSON
};

// What a setattr asks for.
struct OwnershipChange {
  std::optional<mode_t> mode = {};
  std::optional<uid_t> uid = {};
  std::optional<gid_t> gid = {};
  std::optional<timespec> accessed = {};
  std::optional<timespec> modified = {};

  void ApplyTo(Ownership& ownership, timespec now) const {
    if (mode) ownership.mode = *mode & 07777;
    if (uid) ownership.uid = *uid;
    if (gid) ownership.gid = *gid;
    if (accessed) ownership.accessed = *accessed;
    if (modified) ownership.modified = *modified;
    ownership.changed = now;
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_BASE_OWNERSHIP_H_
