#include "past/left_snapshots.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "past/version_file.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using Layout = VersionFile::Layout;

constexpr uint64_t kPageSize = Layout::kPageSize;
constexpr uint64_t kReadSize = 16 * kPageSize;

struct Found {
  uint64_t until;
  uint64_t version;
  bool hole;
};

// By page.
using Versions = std::unordered_map<uint64_t, Found>;

// Not mapped: the file is whose process it is, who may cut it off under us.  What is not there
// reads as zeros.
int ReadAll(int fd, uint64_t offset, uint64_t length, char* to) {
  uint64_t done = 0;
  while (done < length) {
    const ssize_t count = pread(fd, to + done, length - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) break;
    done += static_cast<uint64_t>(count);
  }
  std::fill(to + done, to + length, '\0');
  return 0;
}

int WriteAll(int fd, uint64_t offset, uint64_t length, const char* from) {
  for (uint64_t done = 0; done < length;) {
    const ssize_t count = pwrite(fd, from + done, length - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    done += static_cast<uint64_t>(count);
  }
  return 0;
}

// Tells what is stored of [begin, end), in pieces that begin with multiples of kReadSize.
absl::Status ForEachStored(int past, uint64_t begin, uint64_t end,
                           absl::FunctionRef<void(uint64_t offset, const char* bytes)> f) {
  std::vector<char> bytes(kReadSize);
  while (begin < end) {
    const off_t data = lseek(past, static_cast<off_t>(begin), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return SystemError(errno, "looking for data");
    begin = static_cast<uint64_t>(data) / kReadSize * kReadSize;
    if (begin >= end) break;
    if (const int error = ReadAll(past, begin, kReadSize, bytes.data()); error != 0) {
      return SystemError(error, "reading a past");
    }
    f(begin, bytes.data());
    begin += kReadSize;
  }
  return absl::OkStatus();
}

template <typename T>
const T& At(const char* bytes, uint64_t offset) {
  return *reinterpret_cast<const T*>(bytes + offset);
}

// Of each page the first version that was true beyond the moment.
absl::StatusOr<Versions> FindVersions(int past, const LeftSnapshot& snapshot) {
  Versions versions;
  const auto note = [&](uint64_t offset, const char* bytes) {
    for (uint64_t at = 0; at < kReadSize; at += sizeof(Layout::Record)) {
      const auto& record = At<Layout::Record>(bytes, at);
      const uint64_t until = record.until;
      const uint64_t page = record.page & ~Layout::kHole;
      if (until <= snapshot.moment || page >= snapshot.size_bytes / kPageSize) continue;
      const auto [known, is_new] = versions.try_emplace(page);
      if (!is_new && known->second.until < until) continue;
      known->second = {.until = until,
                       .version = (offset + at - Layout::kRecords) / sizeof(Layout::Record),
                       .hole = (record.page & Layout::kHole) != 0};
    }
  };
  absl::Status read = ForEachStored(past, Layout::kRecords, Layout::kLinks, note);
  if (!read.ok()) return read;
  return versions;
}

}  // namespace

absl::StatusOr<std::vector<LeftSnapshot>> FindLeftSnapshots(int past) {
  alignas(VersionFile::Header) char header[kPageSize];
  if (const int error = ReadAll(past, 0, sizeof header, header); error != 0) {
    return SystemError(error, "reading a past");
  }
  if (!At<VersionFile::Header>(header, 0).IsKnown()) {
    return Error(EINVAL, "it is no past of a disk, or of another version of rnullfs");
  }
  std::vector<LeftSnapshot> snapshots;
  constexpr uint64_t kEnd =
      Layout::kSnapshots + VersionFile::kSnapshotsMax * sizeof(VersionFile::SnapshotEntry);
  absl::Status read =
      ForEachStored(past, Layout::kSnapshots, kEnd, [&](uint64_t /*offset*/, const char* bytes) {
        for (uint64_t at = 0; at < kReadSize; at += sizeof(VersionFile::SnapshotEntry)) {
          const auto& entry = At<VersionFile::SnapshotEntry>(bytes, at);
          if (entry.serial == 0) continue;
          snapshots.push_back({.name = std::string(entry.HasName() ? entry.Name() : ""),
                               .serial = entry.serial,
                               .moment = entry.moment,
                               .size_bytes = entry.size_bytes});
        }
      });
  if (!read.ok()) return read;
  return snapshots;
}

absl::Status PutBackVersions(int past, const LeftSnapshot& snapshot, int image) {
  const absl::StatusOr<Versions> versions = FindVersions(past, snapshot);
  if (!versions.ok()) return versions.status();
  for (const auto& [page, found] : *versions) {
    const uint64_t place = page * kPageSize;
    if (found.hole && fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(place), kPageSize) == 0) {
      continue;
    }
    char contents[kPageSize] = {};
    int error = 0;
    if (!found.hole) {
      error = ReadAll(past, Layout::kContents + found.version * kPageSize, kPageSize, contents);
    }
    if (error == 0) error = WriteAll(image, place, kPageSize, contents);
    if (error != 0) return SystemError(error, "putting back what a page was");
  }
  return absl::OkStatus();
}

}  // namespace rnullfs
