// Reads, writes and frees a disk at random, and compares it with a copy in memory.
//
// usage: model FILE MIB SEED STOP-FILE    until STOP-FILE exists; says what was done, or what is
// wrong
//
// Each thread has its own part of the disk.  Parts begin and end within a page, so that neighbours
// share pages.  Whatever fails is an error: a disk has no bad moments.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr uint64_t kThreads = 4;
constexpr uint64_t kSector = 512;
constexpr uint64_t kLengthMax = uint64_t{1} << 20;

std::atomic<bool> failed{false};
std::atomic<uint64_t> operations{0};

bool Exists(const char* path) { return access(path, F_OK) == 0; }

class Part {
 public:
  Part(const char* file, uint64_t begin, uint64_t end, uint64_t seed)
      : file_(file), begin_(begin), random_(seed), model_(end - begin), got_(end - begin) {}
  ~Part() {
    if (fd_ >= 0) close(fd_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  bool Open() {
    if (fd_ >= 0 && close(fd_) != 0) return Fail("close");
    fd_ = open(file_, O_RDWR | O_CLOEXEC);
    return fd_ >= 0 || Fail("open");
  }

  // The part begins as zeros.
  bool Start() { return Open() && Free(FALLOC_FL_PUNCH_HOLE, 0, model_.size()); }

  bool Step() {
    const uint64_t at = Below(model_.size());
    const uint64_t longest = Below(8) == 0 ? kLengthMax : 16384;
    const uint64_t length = std::min(1 + Below(longest), model_.size() - at);
    ++operations;
    switch (Below(16)) {
      case 0:
        return Free(FALLOC_FL_PUNCH_HOLE, at, length);
      case 1:
        return Free(FALLOC_FL_ZERO_RANGE, at, length);
      case 2:
        return fsync(fd_) == 0 || Fail("fsync");
      case 3:
        return Open();
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
        return Write(at, length);
      default:
        return Read(at, length);
    }
  }

  bool ReadAll() { return Read(0, model_.size()); }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  bool Fail(const char* call) const {
    std::printf("%s failed: %s\n", call, std::strerror(errno));
    return false;
  }

  bool Free(int mode, uint64_t at, uint64_t length) {
    if (fallocate(fd_, mode | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin_ + at),
                  static_cast<off_t>(length)) != 0) {
      return Fail("fallocate");
    }
    std::memset(model_.data() + at, 0, length);
    return true;
  }

  bool Write(uint64_t at, uint64_t length) {
    for (uint64_t i = at; i < at + length; i += sizeof(uint64_t)) {
      const uint64_t bits = random_();
      std::memcpy(model_.data() + i, &bits, std::min(sizeof bits, at + length - i));
    }
    const ssize_t done = pwrite(fd_, model_.data() + at, length, static_cast<off_t>(begin_ + at));
    if (done < 0) return Fail("write");
    if (static_cast<uint64_t>(done) == length) return true;
    std::printf("a write of %llu bytes wrote %zd\n", static_cast<unsigned long long>(length), done);
    return false;
  }

  bool Read(uint64_t at, uint64_t length) {
    const ssize_t done = pread(fd_, got_.data(), length, static_cast<off_t>(begin_ + at));
    if (done < 0) return Fail("read");
    if (static_cast<uint64_t>(done) != length) {
      std::printf("a read of %llu bytes read %zd\n", static_cast<unsigned long long>(length), done);
      return false;
    }
    const auto wrong = std::mismatch(got_.data(), got_.data() + length, model_.data() + at);
    if (wrong.first == got_.data() + length) return true;
    std::printf("byte %llu is %d, and %d was written\n",
                static_cast<unsigned long long>(begin_ + at + (wrong.first - got_.data())),
                *wrong.first, *wrong.second);
    return false;
  }

  const char* const file_;
  const uint64_t begin_;
  int fd_ = -1;
  std::mt19937_64 random_;
  std::vector<unsigned char> model_;
  std::vector<unsigned char> got_;
};

void Run(Part& part, const char* stop_file) {
  bool good = part.Start();
  for (unsigned step = 0; good && !failed && !Exists(stop_file); ++step) {
    good = part.Step() && (step % 2000 != 0 || part.ReadAll());
  }
  if (!good || !part.ReadAll()) failed = true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const uint64_t bytes = std::strtoull(argv[2], nullptr, 10) << 20;
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < kThreads; ++i) {
    const auto border = [&](uint64_t n) {
      return n == kThreads ? bytes : n * (bytes / kThreads) + n * kSector;
    };
    threads.emplace_back([&, i, begin = border(i), end = border(i + 1)] {
      Part part(argv[1], begin, end, seed + i);
      Run(part, argv[4]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%llu operations\n", static_cast<unsigned long long>(operations.load()));
  return failed ? 1 : 0;
}
