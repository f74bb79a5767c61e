// A disk of a mount, through system calls, against the model of null_blk.
//
// usage: differential DIRECTORY SEED STEPS    DIRECTORY is a device's on a mount of rnullfs, not
// open; the first difference makes it fail

#include "device/differential.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace rnullfs {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(2);
}

// The disk's file, opened in each of the ways that make a request another one.
class DiskFile {
 public:
  explicit DiskFile(const std::string& path) {
    for (int i = 0; i < static_cast<int>(fds_.size()); ++i) {
      const int flags = (IsDirect(i) ? O_DIRECT : 0) | (IsFua(i) ? O_DSYNC : 0);
      fds_[i] = open(path.c_str(), O_RDWR | O_CLOEXEC | flags);
      if (fds_[i] < 0) Die(path);
    }
  }
  ~DiskFile() {
    for (const int fd : fds_) close(fd);
  }
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;

  int fd(bool direct, bool fua) const { return fds_[(direct ? 1 : 0) + (fua ? 2 : 0)]; }

 private:
  static bool IsDirect(int i) { return (i & 1) != 0; }
  static bool IsFua(int i) { return (i & 2) != 0; }
  std::array<int, 4> fds_;
};

class ComparedDirectory : public Compared {
 public:
  explicit ComparedDirectory(std::string directory) : directory_(std::move(directory)) {}

  void PowerCycle(const DeviceConfig& config) override {
    disk_.reset();
    Write("power", "0");
    const nlohmann::json wanted = {{"blocksize", config.blocksize},
                                   {"size", config.size},
                                   {"irqmode", static_cast<int>(config.irqmode)},
                                   {"memory_backed", config.memory_backed},
                                   {"datapath", "daemon"},
                                   {"discard", config.discard},
                                   {"max_sectors", config.max_sectors},
                                   {"badblocks_once", config.badblocks_once},
                                   {"badblocks_partial_io", config.badblocks_partial_io},
                                   {"cache_size", config.cache_size},
                                   {"fua", config.fua},
                                   {"power", true}};
    Write("config.json", wanted.dump());
    disk_ = std::make_unique<DiskFile>(directory_ + "/disk");
  }

  int Do(const Command& command, std::string* read) override {
    const int fd = disk_->fd(command.direct, command.fua);
    const auto offset = static_cast<off_t>(command.offset);
    const auto length = static_cast<off_t>(command.length);
    switch (command.op) {
      case Op::kRead: {
        read->resize(command.length);
        const ssize_t got = pread(fd, read->data(), command.length, offset);
        read->resize(got < 0 ? 0 : static_cast<size_t>(got));
        return got < 0 ? errno : 0;
      }
      case Op::kWrite: {
        const ssize_t put = pwrite(fd, command.data, command.length, offset);
        return put < 0 ? errno : (put == length ? 0 : EIO);
      }
      case Op::kFlush:
        return fsync(fd) == 0 ? 0 : errno;
      case Op::kDiscard:
        return Allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
      case Op::kWriteZeroes:
        return Allocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);
      case Op::kAllocate:
        return Allocate(fd, FALLOC_FL_KEEP_SIZE, offset, length);
    }
    return EINVAL;
  }

  void EditBadBlocks(const std::string& text) override { Write("badblocks", text); }
  std::string BadBlocks() override { return Read("badblocks"); }

  uint64_t Next(uint64_t offset, bool data) override {
    const off_t found =
        lseek(disk_->fd(false, false), static_cast<off_t>(offset), data ? SEEK_DATA : SEEK_HOLE);
    if (found >= 0) return static_cast<uint64_t>(found);
    if (errno != ENXIO) Die("lseek");
    return Differential::kSizeMib << 20;
  }

  Counts counts() override {
    const nlohmann::json cache = nlohmann::json::parse(Read("stats.json")).at("cache");
    return {cache.at("pages"), cache.at("written_back"), cache.at("dropped")};
  }

 private:
  static int Allocate(int fd, int mode, off_t offset, off_t length) {
    return fallocate(fd, mode, offset, length) == 0 ? 0 : errno;
  }

  std::string Read(const char* name) const {
    std::ifstream file(directory_ + "/" + name);
    if (!file) Die(name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void Write(const char* name, const std::string& text) const {
    const int fd = open((directory_ + "/" + name).c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text.data(), text.size()) < 0) Die(name + (": " + text));
    close(fd);
  }

  const std::string directory_;
  std::unique_ptr<DiskFile> disk_;
};

int Main(const char* directory, uint64_t seed, uint64_t steps) {
  ComparedDirectory disk(directory);
  Differential differential(disk, seed);
  for (uint64_t step = 0; step < steps; ++step) {
    const std::string difference = differential.Step();
    if (difference.empty()) continue;
    std::fprintf(stderr, "seed %lu, step %lu: %s\n", seed, step, difference.c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace rnullfs

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: differential DIRECTORY SEED STEPS\n", stderr);
    return 2;
  }
  return rnullfs::Main(argv[1], std::strtoull(argv[2], nullptr, 0),
                       std::strtoull(argv[3], nullptr, 0));
}
