#include "fuse/negotiate.h"

#include <linux/capability.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/process.h"
#include "device/waiting.h"
#include "fuse/receive_loop.h"

namespace rnullfs {
namespace {

// How many requests the kernel keeps under way at once, of all disks together: as many as it takes,
// because a disk may keep some for an hour.
constexpr unsigned kMaxBackground = Waiting::kRequestsMax;

struct Capability {
  const char* name;
  uint64_t flag;
  bool wanted;
};

// Left out: what has no effect here.
constexpr Capability kCapabilities[] = {
    // Without it the kernel sends one request of a direct I/O after the other.
    {"async_dio", FUSE_CAP_ASYNC_DIO, true},
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)  // older ones do not pass it on to the kernel
    {"parallel_dirops", FUSE_CAP_PARALLEL_DIROPS, true},
#endif
#ifdef FUSE_CAP_DIRECT_IO_ALLOW_MMAP
    {"direct_io_allow_mmap", FUSE_CAP_DIRECT_IO_ALLOW_MMAP, true},
#endif
#ifdef FUSE_CAP_PASSTHROUGH
    {"passthrough", FUSE_CAP_PASSTHROUGH, true},
#endif
    // `echo v > attribute` must not look like a change of length before the value has arrived.
    {"atomic_o_trunc", FUSE_CAP_ATOMIC_O_TRUNC, false},
    // It reorders and merges writes: what a disk is told would no longer be what was written.
    {"writeback_cache", FUSE_CAP_WRITEBACK_CACHE, false},
    // A pipe between the store and the kernel costs more than the copy it saves.
    {"splice_read", FUSE_CAP_SPLICE_READ, false},
    {"splice_write", FUSE_CAP_SPLICE_WRITE, false},
    {"splice_move", FUSE_CAP_SPLICE_MOVE, false},
    {"auto_inval_data", FUSE_CAP_AUTO_INVAL_DATA, false},
};

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
bool Want(fuse_conn_info& connection, uint64_t flag) {
  return fuse_set_feature_flag(&connection, flag);
}
void Decline(fuse_conn_info& connection, uint64_t flag) {
  fuse_unset_feature_flag(&connection, flag);
}
#else
bool Want(fuse_conn_info& connection, uint64_t flag) {
  connection.want |= connection.capable & static_cast<uint32_t>(flag);
  return (connection.capable & flag) != 0;
}
void Decline(fuse_conn_info& connection, uint64_t flag) {
  connection.want &= ~static_cast<uint32_t>(flag);
}
#endif

}  // namespace

std::vector<std::string> NegotiateCapabilities(fuse_conn_info& connection,
                                               [[maybe_unused]] bool ring,
                                               const std::vector<std::string>* agreed) {
  const auto possible = [agreed](const char* name) {
    return agreed == nullptr || std::find(agreed->begin(), agreed->end(), name) != agreed->end();
  };
  std::vector<std::string> used;
  for (const Capability& capability : kCapabilities) {
    if (!capability.wanted || !possible(capability.name)) {
      Decline(connection, capability.flag);
    } else if (Want(connection, capability.flag)) {
      used.emplace_back(capability.name);
    }
  }
#ifdef FUSE_CAP_OVER_IO_URING
  if (!ring) {
    Decline(connection, FUSE_CAP_OVER_IO_URING);
  } else if (Want(connection, FUSE_CAP_OVER_IO_URING)) {
    used.emplace_back(kRingCapability);
  }
#endif
  connection.max_write = kRequestBytesMax;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  // Nothing here waits long enough to be interrupted, and libfuse keeps a list of all requests for
  // it.
  connection.no_interrupt = 1;
#endif
  connection.max_background = kMaxBackground;
  connection.congestion_threshold = kMaxBackground * 3 / 4;
  return used;
}

std::string PassthroughObstacle(const std::vector<std::string>& capabilities) {
#ifdef FUSE_CAP_PASSTHROUGH
  if (std::find(capabilities.begin(), capabilities.end(), "passthrough") == capabilities.end()) {
    return "the kernel has no FUSE passthrough (Linux 6.9 and later can have it)";
  }
  // The kernel says EPERM to whoever opens a backing file without it (fs/fuse/backing.c).
  return HasInitialCapability(CAP_SYS_ADMIN) ? "" : "CAP_SYS_ADMIN is missing";
#else
  static_cast<void>(capabilities);
  return absl::StrCat("libfuse ", fuse_pkgversion(),
                      " has no passthrough (3.17 and later have it)");
#endif
}

bool MayAllowOther() {
  if (geteuid() == 0) return true;
  std::ifstream conf("/etc/fuse.conf");
  for (std::string line; std::getline(conf, line);) {
    if (absl::StripAsciiWhitespace(line) == "user_allow_other") return true;
  }
  return false;
}

}  // namespace rnullfs
