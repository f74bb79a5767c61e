// nbdkit-rnullfs-plugin: the second front end, a disk for clients of NBD.
//
// The keys are the attributes, and the disk is switched on before nbdkit forks: what is refused
// ends nbdkit with the sentence.  Threads start behind it.  Every client has the same disk.
//
// A request may have any length and offset, as through a page cache; the disk's blocks are what
// clients are told to keep to.
#define NBDKIT_API_VERSION 2
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#include <nbdkit-plugin.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "rnullfs/attributes.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

struct Served {
  DiskHost host = DiskHost();
  Disk disk = Disk(1, "nbdkit", Services());
  Settings wanted = {};  // by the keys so far

  Disk::Services Services() {
    Disk::Services services = host.services();
    services.complain = [](const std::string& why) { nbdkit_error("%s", why.c_str()); };
    return services;
  }
};

std::unique_ptr<Served> served;  // from load to unload

// --- Before there are clients ------------------------------------------------------------------

// 0, or -1 when nbdkit, which is C, has been told why not.
template <typename Change>
int Told(Change change) {
  try {
    const absl::Status status = change();
    if (status.ok()) return 0;
    nbdkit_error("%s", std::string(status.message()).c_str());
  } catch (const std::exception& failed) {  // there is no memory, say
    nbdkit_error("%s", failed.what());
  }
  return -1;
}

// A key cannot have a slash: the times of timeout_inject are timeout_inject.times.
absl::Status Apply(const std::string& key, const std::string& value) {
  Settings& wanted = served->wanted;
  if (key == "config") return Disk::EditJson(value, wanted);
  if (key == "config.json") {
    std::ifstream file(value);
    if (file) file.peek();  // a directory can be opened, and no more
    if (file.fail()) return SystemError(errno, absl::StrCat("config.json: ", value));
    return Disk::EditJson(std::string(std::istreambuf_iterator<char>(file), {}), wanted);
  }
  const Attribute* const row = FindAttribute(absl::StrReplaceAll(key, {{".", "/"}}));
  if (row != nullptr) return StoreAttribute(*row, value, wanted);
  return Error(EINVAL, absl::StrCat(key, ": there is no such attribute; --help lists them"));
}

absl::Status SwitchOn() {
  served->wanted.config.power = true;
  return served->disk.Store(served->wanted);
}

const char* Help() {
  static const std::string help = [] {
    std::string text =
        "config.json=FILE  a disk's config.json, but for its power\n"
        "config=JSON       the same, as it stands\n";
    for (const Attribute& row : Attributes()) {
      if (row.read_only || row.name == "power") continue;
      text += absl::StrReplaceAll(std::string(row.name), {{"/", "."}});
      text.append("=VALUE  ").append(row.summary) += '\n';
    }
    return text;
  }();
  return help.c_str();
}

// --- Clients -----------------------------------------------------------------------------------

const DeviceConfig& ConfigOf(void* disk) { return static_cast<Disk*>(disk)->config(); }
const Device& DeviceOf(void* disk) { return *static_cast<Disk*>(disk)->device(); }
int Yes(void* /*disk*/) { return 1; }

int BlockSize(void* disk, uint32_t* minimum, uint32_t* preferred, uint32_t* maximum) {
  *minimum = ConfigOf(disk).blocksize;
  *preferred = PageStore::kPageSize;
  *maximum = uint32_t{32} << 20;  // what NBD takes for granted
  return 0;
}

// 0, or -1 when nbdkit knows the errno.  One that NBD has no number for would become EINVAL there.
int Do(void* disk, const Command& command, void* to = nullptr) try {
  const int error = static_cast<Disk*>(disk)->Do(command, to);
  const bool known = error == ENOSPC || error == ENOMEM || error == EINVAL || error == EOPNOTSUPP;
  if (error != 0) nbdkit_set_error(known ? error : EIO);
  return error == 0 ? 0 : -1;
} catch (const std::bad_alloc&) {
  nbdkit_set_error(ENOMEM);
  return -1;
}

int Read(void* disk, void* to, uint32_t count, uint64_t offset, uint32_t /*flags*/) {
  return Do(disk, {.op = Op::kRead, .offset = offset, .length = count}, to);
}

int Write(void* disk, const void* data, uint32_t count, uint64_t offset, uint32_t flags) {
  const bool fua = (flags & NBDKIT_FLAG_FUA) != 0;
  return Do(disk, {.op = Op::kWrite, .offset = offset, .length = count, .data = data, .fua = fua});
}

int Flush(void* disk, uint32_t /*flags*/) { return Do(disk, {.op = Op::kFlush}); }

// What a disk has no FUA of is flushed.
int Clear(void* disk, Op op, uint32_t count, uint64_t offset, uint32_t flags) {
  const int done = Do(disk, {.op = op, .offset = offset, .length = count});
  return done == 0 && (flags & NBDKIT_FLAG_FUA) != 0 ? Flush(disk, 0) : done;
}

int Trim(void* disk, uint32_t count, uint64_t offset, uint32_t flags) {
  return Clear(disk, Op::kDiscard, count, offset, flags);
}

int Zero(void* disk, uint32_t count, uint64_t offset, uint32_t flags) {
  const bool trims = (flags & NBDKIT_FLAG_MAY_TRIM) != 0 && DeviceOf(disk).discards();
  return Clear(disk, trims ? Op::kDiscard : Op::kWriteZeroes, count, offset, flags);
}

int Extents(void* disk, uint32_t count, uint64_t offset, uint32_t flags, nbdkit_extents* extents) {
  const Device& device = DeviceOf(disk);
  const uint64_t end = offset + count;
  for (uint64_t at = offset, next = 0; at < end; at = next) {
    next = std::min(device.NextData(at), end);
    const bool hole = next > at;
    if (!hole) next = std::min(device.NextHole(at), end);
    if (next == at) continue;  // it has been trimmed in between
    const uint32_t type = hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;
    if (nbdkit_add_extent(extents, at, next - at, type) != 0) return -1;
    if ((flags & NBDKIT_FLAG_REQ_ONE) != 0) break;
  }
  return 0;
}

nbdkit_plugin plugin = {
    .name = "rnullfs",
    .longname = "rnullfs: a disk in memory that behaves as it is told to",
    .version = RNULLFS_VERSION,
    .load = [] { served = std::make_unique<Served>(); },
    .unload = [] { served.reset(); },
    .config = [](const char* key, const char* to) { return Told([&] { return Apply(key, to); }); },
    .config_help = Help(),
    .open = [](int /*readonly*/) -> void* { return &served->disk; },
    .get_size = [](void* disk) { return static_cast<int64_t>(DeviceOf(disk).size_bytes()); },
    .can_flush = Yes,
    .is_rotational = [](void* disk) { return ConfigOf(disk).rotational ? 1 : 0; },
    .can_trim = [](void* disk) { return DeviceOf(disk).discards() ? 1 : 0; },
    .dump_plugin = [] { std::printf("rnullfs_attributes=%s", FeaturesLine().c_str()); },
    .can_fua = [](void* /*disk*/) { return NBDKIT_FUA_NATIVE; },
    .pread = Read,
    .pwrite = Write,
    .flush = Flush,
    .trim = Trim,
    .zero = Zero,
    .magic_config_key = "config.json",
    .can_multi_conn = Yes,  // one disk, and a flush is of all of it
    .can_extents = Yes,
    .extents = Extents,
    .can_fast_zero = Yes,
    .get_ready = [] { return Told(SwitchOn); },
    .after_fork = [] { return Told([] { return served->host.Start(); }); },
    .block_size = BlockSize,
};

}  // namespace

NBDKIT_REGISTER_PLUGIN(plugin)

}  // namespace rnullfs
