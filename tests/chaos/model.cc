// Reads, writes and frees a disk at random, and compares it with a copy in memory.
//
// usage: model FILE MIB SEED STOP-FILE [SNAPSHOTS [CONTENTS]]    until STOP-FILE exists; says what
// was done, or what is wrong
//
// Each thread has its own part of the disk.  Parts begin and end within a page, so that neighbours
// share pages.  Whatever fails is an error: a disk has no bad moments.
//
// With the directory SNAPSHOTS each thread also takes snapshots, renames and removes them, and
// reads its part of them: a copy of what it was when it was taken.  A disk that began as another
// has what is in the file CONTENTS; any other is emptied first.

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

constexpr size_t kSnapshotsMax = 4;  // of a thread

// What a part was.
struct Snapshot {
  std::string path;
  int fd;  // -1: opened for each read
  std::vector<unsigned char> model;
};

class Part {
 public:
  Part(const char* file, const char* snapshots, uint64_t begin, uint64_t end, uint64_t seed)
      : file_(file),
        directory_(snapshots),
        begin_(begin),
        random_(seed),
        model_(end - begin),
        got_(end - begin) {}
  ~Part() {
    if (fd_ >= 0) close(fd_);
    for (const Snapshot& snapshot : snapshots_) {
      if (snapshot.fd >= 0) close(snapshot.fd);
    }
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  bool Open() {
    if (fd_ >= 0 && close(fd_) != 0) return Fail("close");
    fd_ = open(file_, O_RDWR | O_CLOEXEC);
    return fd_ >= 0 || Fail("open");
  }

  // The part begins as zeros, or as what is in `contents`.
  bool Start(const char* contents) {
    if (!Open()) return false;
    if (contents == nullptr) return Free(FALLOC_FL_PUNCH_HOLE, 0, model_.size());
    const int fd = open(contents, O_RDONLY | O_CLOEXEC);
    const auto begin = static_cast<off_t>(begin_);
    const bool whole = fd >= 0 && pread(fd, model_.data(), model_.size(), begin) ==
                                      static_cast<ssize_t>(model_.size());
    if (!whole) return Fail("reading what the disk begins as");
    close(fd);
    return ReadAll();
  }

  bool Step() {
    const uint64_t at = Below(model_.size());
    const uint64_t longest = Below(8) == 0 ? kLengthMax : 16384;
    const uint64_t length = std::min(1 + Below(longest), model_.size() - at);
    ++operations;
    if (directory_ != nullptr && Below(16) == 0) return StepOfSnapshots(at, length);
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

  bool ReadAll() {
    for (const Snapshot& snapshot : snapshots_) {
      if (!ReadSnapshot(snapshot, 0, model_.size())) return false;
    }
    return Read(0, model_.size());
  }

  bool RemoveSnapshots() {
    while (!snapshots_.empty()) {
      if (!RemoveSnapshot(snapshots_.size() - 1)) return false;
    }
    return true;
  }

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

  bool StepOfSnapshots(uint64_t at, uint64_t length) {
    const uint64_t which = snapshots_.empty() ? 0 : Below(snapshots_.size());
    const uint64_t what = Below(8);
    if (snapshots_.empty() || (what == 0 && snapshots_.size() < kSnapshotsMax)) return Take();
    if (what == 1) return RemoveSnapshot(which);
    if (what == 2) return RenameSnapshot(snapshots_[which]);
    return ReadSnapshot(snapshots_[which], at, length);
  }

  std::string NewPath() {
    return std::string(directory_) + "/" + std::to_string(begin_) + "-" + std::to_string(++names_);
  }

  bool Take() {
    std::string path = NewPath();
    if (mkdir(path.c_str(), 0755) != 0) return Fail("mkdir");
    if (mkdir(path.c_str(), 0755) == 0 || errno != EEXIST) return Fail("another mkdir");
    const bool stays_open = Below(2) == 0;
    const int fd = stays_open ? open((path + "/disk").c_str(), O_RDONLY | O_CLOEXEC) : -1;
    snapshots_.push_back({std::move(path), fd, model_});
    return !stays_open || fd >= 0 || Fail("open of a snapshot");
  }

  bool RenameSnapshot(Snapshot& snapshot) {
    std::string path = NewPath();
    if (rename(snapshot.path.c_str(), path.c_str()) != 0) return Fail("rename");
    if (access(snapshot.path.c_str(), F_OK) == 0) return Fail("the old name is there: access");
    snapshot.path = std::move(path);
    return true;
  }

  bool RemoveSnapshot(size_t which) {
    const Snapshot removed = std::move(snapshots_[which]);
    snapshots_.erase(snapshots_.begin() + static_cast<ptrdiff_t>(which));
    if (removed.fd >= 0 && close(removed.fd) != 0) return Fail("close of a snapshot");
    if (rmdir(removed.path.c_str()) != 0) return Fail("rmdir");
    return (rmdir(removed.path.c_str()) != 0 && errno == ENOENT) || Fail("another rmdir");
  }

  bool ReadSnapshot(const Snapshot& snapshot, uint64_t at, uint64_t length) {
    if (snapshot.fd >= 0) return ReadFrom(snapshot.fd, snapshot.model, "a snapshot: ", at, length);
    const int fd = open((snapshot.path + "/disk").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return Fail("open of a snapshot");
    const bool good = ReadFrom(fd, snapshot.model, "a snapshot: ", at, length);
    close(fd);
    return good;
  }

  bool Read(uint64_t at, uint64_t length) { return ReadFrom(fd_, model_, "", at, length); }

  bool ReadFrom(int fd, const std::vector<unsigned char>& model, const char* what, uint64_t at,
                uint64_t length) {
    const ssize_t done = pread(fd, got_.data(), length, static_cast<off_t>(begin_ + at));
    if (done < 0) return Fail("read");
    if (static_cast<uint64_t>(done) != length) {
      std::printf("%sa read of %llu bytes read %zd\n", what,
                  static_cast<unsigned long long>(length), done);
      return false;
    }
    const auto wrong = std::mismatch(got_.data(), got_.data() + length, model.data() + at);
    if (wrong.first == got_.data() + length) return true;
    std::printf("%sbyte %llu is %d, and %d was written\n", what,
                static_cast<unsigned long long>(begin_ + at + (wrong.first - got_.data())),
                *wrong.first, *wrong.second);
    return false;
  }

  const char* const file_;
  const char* const directory_;  // null: without snapshots
  const uint64_t begin_;
  int fd_ = -1;
  std::mt19937_64 random_;
  std::vector<unsigned char> model_;
  std::vector<unsigned char> got_;
  std::vector<Snapshot> snapshots_;
  uint64_t names_ = 0;
};

void Run(Part& part, const char* stop_file, const char* contents) {
  bool good = part.Start(contents);
  for (unsigned step = 0; good && !failed && !Exists(stop_file); ++step) {
    good = part.Step() && (step % 2000 != 0 || part.ReadAll());
  }
  if (!good || !part.ReadAll() || !part.RemoveSnapshots()) failed = true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc > 7) return 2;
  const uint64_t bytes = std::strtoull(argv[2], nullptr, 10) << 20;
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < kThreads; ++i) {
    const auto border = [&](uint64_t n) {
      return n == kThreads ? bytes : n * (bytes / kThreads) + n * kSector;
    };
    threads.emplace_back([&, i, begin = border(i), end = border(i + 1)] {
      Part part(argv[1], argc > 5 ? argv[5] : nullptr, begin, end, seed + i);
      Run(part, argv[4], argc > 6 ? argv[6] : nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%llu operations\n", static_cast<unsigned long long>(operations.load()));
  return failed ? 1 : 0;
}
