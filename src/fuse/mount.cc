#include "fuse/mount.h"

#include <fuse_log.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/mountpoint.h"
#include "base/process.h"
#include "fuse/ring.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// As libfuse reads a list: its commas would be the list's.
std::string Escaped(std::string_view option) {
  std::string escaped;
  for (const char c : option) {
    if (c == ',' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// Whether libfuse, and for an ordinary user the system's fusermount3, has a word for the flag. What
// is left out means nothing here: there are no links, and times are ours.
bool Mountable(const std::string& flag) {
  if (flag != "nosymfollow" && flag != "nodiratime") return true;
  return geteuid() == 0 && FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17);
}

// As libfuse itself would, but that each line has an end: not all of its own have (the one of
// posix_spawn(p)() in lib/mount.c of 3.18).
void SayForLibfuse(fuse_log_level /*level*/, const char* format, va_list arguments) {
  std::vfprintf(stderr, format, arguments);
  const size_t length = std::strlen(format);
  if (length == 0 || format[length - 1] != '\n') std::fputc('\n', stderr);
}

// libfuse has said what it met, on stderr.
absl::Status CannotMount(const std::string& mountpoint) {
  const std::string what = absl::StrCat("cannot mount on ", mountpoint);
  if (access("/dev/fuse", F_OK) != 0) {
    return Error(ENODEV, absl::StrCat(what,
                                      ": there is no /dev/fuse (modprobe fuse; in a container "
                                      "it takes --device /dev/fuse)"));
  }
  if (geteuid() != 0 && !OnPath("fusermount3")) {
    return Error(ENOENT, absl::StrCat(what,
                                      ": who is not root mounts through fusermount3, and there "
                                      "is none; it comes with the package fuse3"));
  }
  return Error(EIO, absl::StrCat(what,
                                 ": the line above says why (the mountpoint must be a "
                                 "directory you own, and /dev/fuse must be there)"));
}

}  // namespace

FuseMount::~FuseMount() {
  if (session_ == nullptr) return;
  Unmount();
  fuse_session_destroy(session_);
}

std::vector<std::string> FuseMount::Flags(bool ring) const {
  std::vector<std::string> flags = {"default_permissions", "subtype=rnullfs"};
  if (allow_other_) flags.emplace_back("allow_other");
  const auto& given = options_.mount_flags;
  const bool named = std::any_of(given.begin(), given.end(), [](const std::string& flag) {
    return flag.rfind("fsname=", 0) == 0;
  });
  if (!named) {
    const std::string source = options_.source.empty() ? "rnullfs" : options_.source;
    flags.push_back(Escaped(absl::StrCat("fsname=", source)));
  }
  if (ring) flags.emplace_back(absl::StrCat("io_uring,io_uring_q_depth=", kRingDepth));
  for (const std::string& flag : given) {
    if (Mountable(flag)) flags.push_back(Escaped(flag));
  }
  return flags;
}

absl::Status FuseMount::Make(const fuse_lowlevel_ops& operations, void* userdata, bool ring) {
  fuse_set_log_func(SayForLibfuse);
  std::string flags = absl::StrJoin(Flags(ring), ",");
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  for (const char* argument : {"rnullfs", "-o", flags.c_str()}) {
    if (fuse_opt_add_arg(&arguments, argument) != 0) return SystemError(ENOMEM, "mount options");
  }
  session_ = fuse_session_new(&arguments, &operations, sizeof operations, userdata);
  fuse_opt_free_args(&arguments);
  if (session_ == nullptr) return Error(EINVAL, "libfuse does not take the mount options");
  // For libfuse, "/dev/fd/N" is a mount that somebody has made.
  const std::string where = inherited() ? absl::StrCat("/dev/fd/", fuse_fd_) : options_.mountpoint;
  if (fuse_session_mount(session_, where.c_str()) == 0) return absl::OkStatus();
  fuse_session_destroy(std::exchange(session_, nullptr));
  return CannotMount(options_.mountpoint);
}

int FuseMount::fd() const { return fuse_session_fd(session_); }

void FuseMount::Unmount() {
  pollfd connection = {.fd = fd(), .events = 0, .revents = 0};
  const bool gone = poll(&connection, 1, 0) == 1 && (connection.revents & POLLERR) != 0;
  // By path, what lies over ours would go, and not ours.
  if (!gone && LiesOver(MountedOn(options_.mountpoint), fd())) {
    Log(absl::StrCat("another mount lies over ours on ", options_.mountpoint,
                     ": it stays, and below it a dead mount for you to umount"));
    return;
  }
  if (!inherited()) return fuse_session_unmount(session_);
  // libfuse does not know where a mount is that it has not made.  What is there now may be somebody
  // else's.
  if (!gone) UnmountOurs(options_.mountpoint, fd());
}

void FuseMount::Discard() {
  fuse_session_unmount(session_);
  fuse_session_destroy(std::exchange(session_, nullptr));
}

}  // namespace rnullfs
