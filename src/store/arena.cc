#include "store/arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>

#include "rnullfs/error.h"
#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

// The kernel's limit on a memfd's name, without its "memfd:" (mm/memfd.c).
constexpr size_t kMemfdNameMax = 249;

constexpr uint64_t kPageSize = PageStore::kPageSize;

// What to a file is "no memory", "over RLIMIT_FSIZE" or "over quota" is to a disk that it is full.
int SpaceError(int error) {
  return error == ENOMEM || error == EFBIG || error == EDQUOT ? ENOSPC : error;
}

// The kernel maps no byte at or past 2^63 - 1, so that the last window of all lacks a page.
size_t WindowLength(uint64_t window) {
  constexpr uint64_t kMappedMax = uint64_t{INT64_MAX} / kPageSize * kPageSize;
  return std::min(Arena::kWindowSize, kMappedMax - window * Arena::kWindowSize);
}

// Windows that this process has mapped, and how many it may have: three quarters of its addresses,
// and less than half of its mappings.  What else it does needs some, too.
std::atomic<int> windows_mapped{0};
constexpr int kWindowsMax = 24 << 10;

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
  if (windows_mapped.fetch_add(1, std::memory_order_relaxed) < kWindowsMax) {
    void* const start = MapAligned(memfd_.get(), window * kWindowSize, length);
    if (start != MAP_FAILED) {
      // A crash must not spill the disks into a core file.
      madvise(start, length, MADV_DONTDUMP);
      // The process is locked in memory, the disks may be swapped out.
      munlock(start, length);
      if (windows_.Store(window, start).error == 0) return static_cast<char*>(start);
      munmap(start, length);
    }
  }
  windows_mapped.fetch_sub(1, std::memory_order_relaxed);
  return nullptr;
}

void Arena::UnmapFrom(uint64_t window) {
  windows_.ForEach(window, UINT64_MAX, [](uint64_t each, void* start) {
    munmap(start, WindowLength(each));
    windows_mapped.fetch_sub(1, std::memory_order_relaxed);
  });
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
  int result = 0;
  do {
    result = fallocate(memfd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return SpaceError(errno);
  for (uint64_t page = offset / kPageSize; page <= (offset + length - 1) / kPageSize; ++page) {
    const volatile char* const address = At(page * kPageSize);
    if (address != nullptr) {
      static_cast<void>(*address);
      continue;
    }
    void* const mapped = mmap(nullptr, kPageSize, PROT_READ, MAP_SHARED | MAP_NORESERVE,
                              memfd_.get(), static_cast<off_t>(page * kPageSize));
    if (mapped == MAP_FAILED) return ENOSPC;
    static_cast<void>(*static_cast<const volatile char*>(mapped));
    munmap(mapped, kPageSize);
  }
  return 0;
}

int Arena::Read(uint64_t offset, uint64_t length, char* to) const {
  while (length > 0) {
    const ssize_t got = pread(memfd_.get(), to, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : EIO;
    offset += got;
    length -= got;
    to += got;
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

// What is in memory is stored; what is not may be swapped out, or a hole, for lseek() to say.
Arena::Run Arena::RunAt(uint64_t begin, uint64_t end) {
  const uint64_t first = begin / kPageSize * kPageSize;
  // A hole is not mapped for the asking.
  if (windows_.Load(begin / kWindowSize) == nullptr) {
    if (const uint64_t data = NextData(begin, end); data > begin) return {data, false};
  }
  const uint64_t window_end = (begin / kWindowSize + 1) * kWindowSize;
  const uint64_t hole_end = end;
  end = std::min({end, window_end, first + kRunPages * kPageSize});
  std::array<unsigned char, kRunPages> in_memory;
  char* const address = At(first);
  if (address == nullptr || mincore(address, end - first, in_memory.data()) != 0) {
    in_memory.fill(0);
  }
  for (uint64_t at = first; at < end; at += kPageSize) {
    if ((in_memory[(at - first) / kPageSize] & 1) != 0) continue;
    const uint64_t from = std::max(at, begin);
    if (NextData(from, end) == from) continue;
    if (from > begin) return {from, true};
    return {NextData(begin, hole_end), false};
  }
  return {end, true};
}

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

bool Arena::length_sealed() const {
  const int seals = fcntl(memfd_.get(), F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_GROW) != 0;
}

int Arena::Collapse(uint64_t offset, uint64_t length) {
#ifndef MADV_COLLAPSE
  constexpr int MADV_COLLAPSE = 25;  // Linux 6.1
#endif
  char* const address = At(offset);
  if (address == nullptr) return ENOMEM;
  return madvise(address, length, MADV_COLLAPSE) == 0 ? 0 : errno;
}

}  // namespace rnullfs
