#include "guard/composer.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_identity.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr size_t kPageSize = 4096;

absl::Status Resize(int image, uint64_t size_bytes) {
  if (ftruncate(image, static_cast<off_t>(size_bytes)) == 0) return absl::OkStatus();
  return SystemError(errno, "ftruncate");
}

absl::Status WriteAll(int to, const char* bytes, size_t length, off_t at) {
  while (length > 0) {
    const ssize_t done = pwrite(to, bytes, length, at);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return SystemError(errno, "writing");
    bytes += done;
    length -= static_cast<size_t>(done);
    at += done;
  }
  return absl::OkStatus();
}

// Makes it a hole, or zeros where the file system knows none.
absl::Status Free(int image, uint64_t begin, uint64_t end) {
  if (begin == end || fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(begin), static_cast<off_t>(end - begin)) == 0) {
    return absl::OkStatus();
  }
  const std::vector<char> zeros(kPageSize);
  absl::Status done;
  for (; done.ok() && begin < end; begin += kPageSize) {
    const size_t length = std::min<uint64_t>(kPageSize, end - begin);
    done = WriteAll(image, zeros.data(), length, static_cast<off_t>(begin));
  }
  return done;
}

FileIdentity IdentityOf(const OriginKey& origin) {
  return {.size_bytes = origin.file_bytes, .modified = origin.file_modified};
}

// How much is stored in them; 0 when that cannot be told.
blkcnt_t BlocksOf(int fd) {
  struct stat status = {};
  return fstat(fd, &status) == 0 ? status.st_blocks : 0;
}

bool StoresNothing(const HeldDisk& disk) {
  return std::all_of(disk.parts.begin(), disk.parts.end(), [](const auto& part) {
    const absl::StatusOr<UniqueFd> opened = OpenHeld(part.second);
    return opened.ok() && BlocksOf(opened->get()) == 0;
  });
}

}  // namespace

absl::Status CopyData(int from, off_t begin, off_t end, int to) {
  for (off_t at = begin;;) {
    at = lseek(from, at, SEEK_DATA);
    if ((at < 0 && errno == ENXIO) || at >= end) return absl::OkStatus();  // no more of it
    off_t hole = at < 0 ? -1 : lseek(from, at, SEEK_HOLE);
    if (hole < 0 || lseek(to, at, SEEK_SET) < 0) return SystemError(errno, "looking for data");
    hole = std::min(hole, end);
    const ssize_t copied = sendfile(to, from, &at, static_cast<size_t>(hole - at));
    if (copied < 0 && errno != EINTR) return SystemError(errno, "writing");
  }
}

// --- What there is ------------------------------------------------------------------------------

// The record changes while it is read where the process is alive.
absl::StatusOr<OriginKey> Composer::OriginOf(const HeldDisk& disk) const {
  if (!files_.state.has_value() || reader_.origins == nullptr || reader_.own == nullptr) {
    return Error(ENOENT, "what it shares with others is not known: the saved state is missing");
  }
  const absl::StatusOr<UniqueFd> state = OpenHeld(*files_.state);
  if (!state.ok()) return state.status();
  absl::StatusOr<std::map<uint64_t, OriginKey>> origins = reader_.origins(state->get());
  for (int i = 0; i < 10 && !origins.ok(); ++i) origins = reader_.origins(state->get());
  if (!origins.ok()) {
    return Error(
        ErrnoOf(origins.status()),
        absl::StrCat("what it shares with others is not known: ", origins.status().message()));
  }
  const auto found = origins->find(disk.id);
  if (found != origins->end()) return found->second;
  return Error(EINVAL, "what it shares with others is not known: its record names none");
}

absl::StatusOr<Composer::FoundSnapshot> Composer::FindSnapshot(const OriginKey& origin) const {
  const auto held = files_.pasts.find(origin.disk);
  if (held == files_.pasts.end() || reader_.snapshots == nullptr) {
    return Error(ENOENT, "what the disk was that it began as is missing");
  }
  absl::StatusOr<UniqueFd> past = OpenHeld(held->second);
  if (!past.ok()) return past.status();
  auto snapshots = reader_.snapshots(past->get());
  if (!snapshots.ok()) return snapshots.status();
  for (LeftReader::Snapshot& each : *snapshots) {
    if (each.serial != origin.snapshot) continue;
    return FoundSnapshot{.past = *std::move(past), .snapshot = std::move(each)};
  }
  return Error(ENOENT, "the snapshot that it began as is missing");
}

absl::StatusOr<UniqueFd> Composer::OpenFile(const OriginKey& origin) const {
  absl::StatusOr<UniqueFd> file =
      TakeKeptFile(pid_, {.device = origin.file_device, .inode = origin.file_inode});
  if (!file.ok() || IsAsItWas(file->get(), IdentityOf(origin))) return file;
  return Error(EIO, "the file of the machine that it began as is not what it was");
}

absl::StatusOr<std::vector<Composer::Member>> Composer::RowOf(const HeldDisk& disk) const {
  std::vector<Member> row = {{.disk = &disk, .origin = {}}};
  while (IsClone(*row.back().disk)) {
    absl::StatusOr<OriginKey> origin = OriginOf(*row.back().disk);
    if (!origin.ok()) return origin.status();
    row.back().origin = *origin;
    if (origin->disk == 0) return row;
    const auto next = std::find_if(files_.disks.begin(), files_.disks.end(), [&](const auto& each) {
      return each.second.id == origin->disk;
    });
    if (next == files_.disks.end()) return Error(ENOENT, "the disk that it began as is missing");
    if (row.size() > files_.disks.size()) return Error(EINVAL, "it began as what began as itself");
    row.push_back({.disk = &next->second, .origin = {}});
  }
  return row;
}

absl::Status Composer::Check(const HeldDisk& disk) const {
  const absl::StatusOr<std::vector<Member>> row = RowOf(disk);
  if (!row.ok()) return row.status();
  for (const Member& member : *row) {
    if (!IsClone(*member.disk)) continue;
    absl::Status there = member.origin.disk != 0 ? FindSnapshot(member.origin).status()
                                                 : OpenFile(member.origin).status();
    if (!there.ok()) return there;
  }
  return absl::OkStatus();
}

// --- Writing it ---------------------------------------------------------------------------------

absl::Status Composer::WriteDisk(const HeldDisk& disk, int image) const {
  uint64_t size_bytes = 0;
  for (const auto& [inode, held] : disk.parts) {
    const absl::StatusOr<UniqueFd> part = OpenHeld(held);
    if (!part.ok()) return part.status();
    struct stat status = {};
    if (fstat(part->get(), &status) != 0) return SystemError(errno, "fstat");
    size_bytes = std::max(size_bytes, static_cast<uint64_t>(status.st_size));
  }
  return Compose(disk, size_bytes, image);
}

absl::Status Composer::WriteSnapshot(const HeldDisk& disk, const LeftReader::Snapshot& snapshot,
                                     int image) const {
  absl::Status done = Compose(disk, snapshot.size_bytes, image);
  return done.ok() ? snapshot.put_back(image) : done;
}

// From the end of the row: each is as its origin was, but for what is its own, and then what the
// one before it began as.
absl::Status Composer::Compose(const HeldDisk& disk, uint64_t size_bytes, int image) const {
  const absl::StatusOr<std::vector<Member>> row = RowOf(disk);
  if (!row.ok()) return row.status();
  uint64_t shared_bytes = 0;
  if (IsClone(*row->back().disk)) {
    shared_bytes = row->back().origin.file_bytes;
    if (absl::Status written = WriteFile(row->back().origin, image); !written.ok()) return written;
  }
  for (auto member = row->rbegin(); member != row->rend(); ++member) {
    const bool last = std::next(member) == row->rend();
    absl::StatusOr<FoundSnapshot> wanted =
        last ? FoundSnapshot() : FindSnapshot(std::next(member)->origin);
    if (!wanted.ok()) return wanted.status();
    const uint64_t bytes = last ? size_bytes : wanted->snapshot.size_bytes;
    absl::Status done = Resize(image, bytes);
    if (done.ok()) {
      done = IsClone(*member->disk) ? WriteOwn(*member->disk, shared_bytes, bytes, image)
                                    : WriteParts(*member->disk, 0, bytes, image);
    }
    if (done.ok() && !last) done = wanted->snapshot.put_back(image);
    if (!done.ok()) return done;
    shared_bytes = bytes;
  }
  return absl::OkStatus();
}

absl::Status Composer::WriteParts(const HeldDisk& disk, uint64_t begin, uint64_t end, int image) {
  for (const auto& [inode, held] : disk.parts) {
    const absl::StatusOr<UniqueFd> from = OpenHeld(held);
    if (!from.ok()) return from.status();
    absl::Status copied =
        CopyData(from->get(), static_cast<off_t>(begin), static_cast<off_t>(end), image);
    if (!copied.ok()) return copied;
  }
  return absl::OkStatus();
}

absl::Status Composer::WriteOwn(const HeldDisk& disk, uint64_t shared_bytes, uint64_t size_bytes,
                                int image) const {
  const auto own = OwnOf(disk, shared_bytes);
  if (!own.ok()) return own.status();
  for (const LeftReader::Run& run : *own) {
    const uint64_t end = std::min(run.end, size_bytes);
    if (run.begin >= end) continue;
    absl::Status done = Free(image, run.begin, end);
    if (done.ok()) done = WriteParts(disk, run.begin, end, image);
    if (!done.ok()) return done;
  }
  return absl::OkStatus();
}

// A process that is alive lets go of the marks once nothing is shared any more, and empties them:
// then they would say that all is.
absl::StatusOr<std::vector<LeftReader::Run>> Composer::OwnOf(const HeldDisk& disk,
                                                             uint64_t shared_bytes) const {
  const Held& held = files_.marks.at(disk.id);
  const absl::StatusOr<UniqueFd> marks = OpenHeld(held);
  if (!marks.ok()) return marks.status();
  const blkcnt_t before = BlocksOf(marks->get());
  auto own = reader_.own(marks->get(), shared_bytes);
  const blkcnt_t after = BlocksOf(marks->get());
  bool sure = after >= before && (after > 0 || StoresNothing(disk));
  for (int i = 0; after >= before && !sure && i < 10; ++i) {
    usleep(20'000);
    if (const absl::StatusOr<UniqueFd> again = OpenHeld(held); !again.ok()) break;
    sure = i == 9;
  }
  if (!sure) return Error(EAGAIN, "it has just come to share nothing any more; try again");
  const uint64_t shared_end = (shared_bytes + kPageSize - 1) / kPageSize * kPageSize;
  if (own.ok()) own->push_back({.begin = shared_end, .end = UINT64_MAX});
  return own;
}

// What is zeros there need not be stored.
absl::Status Composer::WriteFile(const OriginKey& origin, int image) const {
  const absl::StatusOr<UniqueFd> file = OpenFile(origin);
  if (!file.ok()) return file.status();
  absl::Status done = Resize(image, origin.file_bytes);
  const std::vector<char> zeros(kPageSize);
  std::vector<char> page(kPageSize);
  const auto end = static_cast<off_t>(origin.file_bytes);
  for (off_t at = 0; done.ok() && at < end; at += static_cast<off_t>(kPageSize)) {
    const off_t data = lseek(file->get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data > at) at = data - data % static_cast<off_t>(kPageSize);
    const size_t length = std::min<size_t>(kPageSize, static_cast<size_t>(end - at));
    const ssize_t got = pread(file->get(), page.data(), length, at);
    if (got != static_cast<ssize_t>(length)) return SystemError(got < 0 ? errno : EIO, "reading");
    if (!std::equal(page.begin(), page.begin() + got, zeros.begin())) {
      done = WriteAll(image, page.data(), length, at);
    }
  }
  if (!done.ok() || IsAsItWas(file->get(), IdentityOf(origin))) return done;
  return Error(EIO, "the file of the machine that it began as is not what it was");
}

}  // namespace rnullfs
