#include "store/arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "rnullfs/error.h"
#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

// The kernel's limit on a memfd's name, without its "memfd:" (mm/memfd.c).
constexpr size_t kMemfdNameMax = 249;

// What to a file is "no memory", "over RLIMIT_FSIZE" or "over quota" is to a disk that it is full.
int SpaceError(int error) {
  return error == ENOMEM || error == EFBIG || error == EDQUOT ? ENOSPC : error;
}

// The kernel maps no byte at or past 2^63 - 1, so that the last window of all lacks a page.
size_t WindowLength(uint64_t window) {
  constexpr uint64_t kMappedMax = uint64_t{INT64_MAX} / 4096 * 4096;
  return std::min(Arena::kWindowSize, kMappedMax - window * Arena::kWindowSize);
}

// Maps a part of the file where huge pages can be mapped: at an address that is a multiple of
// theirs.
void* MapAligned(int fd, uint64_t offset, size_t length) {
  constexpr size_t kAlignment = PageStore::kHugePageSize;
  void* const reserved = mmap(nullptr, length + kAlignment, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  char* const first = static_cast<char*>(reserved);
  const size_t before = (kAlignment - reinterpret_cast<uintptr_t>(first) % kAlignment) % kAlignment;
  void* const start = mmap(first + before, length, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, static_cast<off_t>(offset));
  if (start == MAP_FAILED) {
    munmap(reserved, length + kAlignment);
    return MAP_FAILED;
  }
  if (before > 0) munmap(first, before);
  munmap(first + before + length, kAlignment - before);
  return start;
}

}  // namespace

absl::StatusOr<UniqueFd> CreateMemfd(std::string_view name) {
#ifndef MFD_NOEXEC_SEAL
  constexpr unsigned MFD_NOEXEC_SEAL = 8;  // Linux 6.3, where vm.memfd_noexec may ask for it
#endif
  const std::string cut(name.substr(0, kMemfdNameMax));
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd memfd(memfd_create(cut.c_str(), kFlags | MFD_NOEXEC_SEAL));
  if (!memfd.valid() && errno == EINVAL) memfd = UniqueFd(memfd_create(cut.c_str(), kFlags));
  if (!memfd.valid()) return SystemError(errno, "memfd_create");
  // The kernel makes it anybody's, should somebody get to it through /proc.
  if (fchmod(memfd.get(), S_IRUSR | S_IWUSR) != 0) return SystemError(errno, "memfd: fchmod");
  return memfd;
}

Arena::~Arena() { UnmapFrom(0); }

char* Arena::At(uint64_t offset) {
  const uint64_t window = offset / kWindowSize;
  auto* start = static_cast<char*>(windows_.Load(window));
  if (start == nullptr) start = MapWindow(window);
  return start == nullptr ? nullptr : start + offset % kWindowSize;
}

char* Arena::MapWindow(uint64_t window) {
  const LockGuard lock(map_mutex_);
  if (void* mapped_meanwhile = windows_.Load(window); mapped_meanwhile != nullptr) {
    return static_cast<char*>(mapped_meanwhile);
  }
  // A window may reach past the end of the file, so that it needn't be mapped anew when that grows.
  const size_t length = WindowLength(window);
  void* const start = MapAligned(memfd_.get(), window * Arena::kWindowSize, length);
  if (start == MAP_FAILED) return nullptr;
  // A crash must not spill the disks into a core file.
  madvise(start, length, MADV_DONTDUMP);
  // The process is locked in memory, the disks may be swapped out.
  munlock(start, length);
  if (windows_.Store(window, start).error != 0) {
    munmap(start, length);
    return nullptr;
  }
  return static_cast<char*>(start);
}

void Arena::UnmapFrom(uint64_t window) {
  windows_.ForEach(window, UINT64_MAX,
                   [](uint64_t each, void* start) { munmap(start, WindowLength(each)); });
  windows_.EraseRange(window, UINT64_MAX);
}

int Arena::Write(uint64_t offset, uint64_t length, const char* data) {
  while (length > 0) {
    const ssize_t written = pwrite(memfd_.get(), data, length, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? SpaceError(errno) : ENOSPC;
    offset += written;
    length -= written;
    data += written;
  }
  return 0;
}

// fallocate() leaves its pages marked as not yet cleared, and such a page is a hole to lseek().  A
// look at each clears it.
int Arena::Allocate(uint64_t offset, uint64_t length) {
  constexpr uint64_t kPageSize = 4096;
  int result = 0;
  do {
    result = fallocate(memfd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return SpaceError(errno);
  for (uint64_t page = offset / kPageSize; page <= (offset + length - 1) / kPageSize; ++page) {
    const volatile char* const address = At(page * kPageSize);
    if (address == nullptr) return ENOSPC;
    static_cast<void>(*address);
  }
  return 0;
}

int Arena::Punch(uint64_t offset, uint64_t length) {
  const int result = fallocate(memfd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               static_cast<off_t>(offset), static_cast<off_t>(length));
  return result == 0 ? 0 : errno;
}

uint64_t Arena::Seek(uint64_t begin, uint64_t end, int whence) const {
  if (begin >= end) return end;
  const off_t found = lseek(memfd_.get(), static_cast<off_t>(begin), whence);
  return found < 0 ? end : std::min(static_cast<uint64_t>(found), end);
}

uint64_t Arena::NextData(uint64_t begin, uint64_t end) const { return Seek(begin, end, SEEK_DATA); }

uint64_t Arena::NextHole(uint64_t begin, uint64_t end) const { return Seek(begin, end, SEEK_HOLE); }

uint64_t Arena::size_bytes() const {
  struct stat status = {};
  fstat(memfd_.get(), &status);
  return static_cast<uint64_t>(status.st_size);
}

uint64_t Arena::AllocatedBytes() const {
  struct stat status = {};
  fstat(memfd_.get(), &status);
  return static_cast<uint64_t>(status.st_blocks) * 512;
}

int Arena::Resize(uint64_t size_bytes) {
  if (ftruncate(memfd_.get(), static_cast<off_t>(size_bytes)) != 0) return errno;
  UnmapFrom(size_bytes / kWindowSize + (size_bytes % kWindowSize != 0 ? 1 : 0));
  return 0;
}

int Arena::SealLength() { return fcntl(memfd_.get(), F_ADD_SEALS, F_SEAL_GROW) == 0 ? 0 : errno; }

int Arena::Collapse(uint64_t offset, uint64_t length) {
#ifndef MADV_COLLAPSE
  constexpr int MADV_COLLAPSE = 25;  // Linux 6.1
#endif
  return madvise(At(offset), length, MADV_COLLAPSE) == 0 ? 0 : errno;
}

int Arena::MapAll(uint64_t size_bytes) {
  for (uint64_t begin = 0; begin < size_bytes; begin += kWindowSize) {
    if (At(begin) == nullptr) return ENOMEM;
  }
  return 0;
}

}  // namespace rnullfs
