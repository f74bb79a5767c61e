// Requests for which there is no memory: each fails with ENOMEM, or succeeds, wherever in it memory
// runs out, and the process serves on.
//
// The program has an operator new of its own, which fails from the n-th allocation on; every
// request is made with n = 0, 1, 2, ... until it gets by.

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>

#include "fuse/fake_kernel.h"
#include "fuse/served_session.h"

namespace {

// Shared with the process that serves; only there does memory run out.
struct Supply {
  std::atomic<bool> limited;
  std::atomic<int64_t> left;
  std::atomic<int64_t> refused;
  std::atomic<size_t> largest;  // of what was asked for meanwhile, in bytes
};
Supply* supply = nullptr;
pid_t test_process = 0;

bool Refused(size_t size) {
  if (supply == nullptr || !supply->limited.load() || getpid() == test_process) return false;
  if (size > supply->largest.load()) supply->largest = size;
  if (supply->left.fetch_sub(1) > 0) return false;
  ++supply->refused;
  return true;
}

}  // namespace

// Not inline: gcc would see a free() of what came from new.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const memory = Refused(size) ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// A sanitizer's would be another one.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return Refused(size) ? nullptr : std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

namespace rnullfs {
namespace {

constexpr int kAllocationsMax = 2000;  // of one request

class OutOfMemoryTest : public testing::Test {
 protected:
  OutOfMemoryTest() { kernel_.Init(); }

  static Supply* MakeSupply() {
    test_process = getpid();
    void* const memory =
        mmap(nullptr, sizeof(Supply), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return supply = new (memory) Supply();
  }

  // Makes the request with ever more memory until nothing is refused any more.  `again` takes back
  // what one that failed may have done.
  void Starve(
      const std::string& what, const std::function<int()>& request,
      const std::function<void()>& again = [] {}) {
    for (int allocations = 0; allocations < kAllocationsMax; ++allocations) {
      supply_->left = allocations;
      supply_->refused = 0;
      supply_->limited = true;
      const int error = request();
      supply_->limited = false;
      ASSERT_TRUE(session_.Running()) << what << " " << allocations << "\n" << session_.Log();
      ASSERT_TRUE(error == 0 || error == ENOMEM || error == ENOSPC)
          << what << " with " << allocations << " allocations: " << error;
      if (supply_->refused == 0) {
        EXPECT_EQ(error, 0) << what;
        return;
      }
      again();
    }
    FAIL() << what << " never gets by";
  }

  Supply* const supply_ = MakeSupply();
  ServedSession session_;
  FakeKernel kernel_{session_.TakeKernelEnd()};
};

TEST_F(OutOfMemoryTest, DirectoriesAndTexts) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"size": 8})");
  fuse_setattr_in times = {};
  times.valid = FATTR_MTIME_NOW;
  Starve("statfs", [&] { return kernel_.StatFs(kRoot).error; });
  for (const uint64_t directory : {kRoot, device}) {
    Starve("readdir", [&] { return kernel_.ReadDirectory(directory, 0, 4096).error; });
    for (const DirectoryEntry& entry : kernel_.List(directory)) {
      if (entry.name[0] == '.') continue;
      Starve("lookup", [&] { return kernel_.Lookup(directory, entry.name).error; });
      Starve("getattr", [&] { return kernel_.GetAttr(entry.node).error; });
      Starve("setattr", [&] { return kernel_.SetAttr(entry.node, times).error; });
      if (entry.type != DT_REG) continue;
      Starve("open", [&] {
        const FuseReply opened = kernel_.Open(entry.node, O_RDONLY);
        if (opened.error == 0) kernel_.Release({entry.node, opened.As<fuse_open_out>().fh});
        return opened.error;
      });
      const OpenFile file = {entry.node, kernel_.Open(entry.node, O_RDONLY).As<fuse_open_out>().fh};
      Starve("read " + entry.name, [&] { return kernel_.Read(file, 0, 4096).error; });
      kernel_.Release(file);
    }
  }
}

TEST_F(OutOfMemoryTest, Changes) {
  const auto remove = [&] { kernel_.RemoveDirectory(kRoot, "new"); };
  Starve(
      "mkdir", [&] { return kernel_.MakeDirectory(kRoot, "new").error; }, remove);
  Starve(
      "rmdir", [&] { return kernel_.RemoveDirectory(kRoot, "new").error; },
      [&] { kernel_.MakeDirectory(kRoot, "new"); });
  EXPECT_EQ(kernel_.Lookup(kRoot, "new").error, ENOENT);

  const uint64_t device = kernel_.MakeDevice("d", "{}");
  const auto write = [&](const char* name, const char* text) {
    const OpenFile file = kernel_.OpenOf(device, name, O_WRONLY);
    Starve(std::string("write ") + name, [&] { return kernel_.Write(file, 0, text).error; });
    kernel_.Close(file);
  };
  write("size", "8");
  write("config.json", R"({"memory_backed": true, "discard": true, "blocksize": 512})");
  write("config.json", R"({"badblocks": ["1-2"], "mbps": 7})");
  const OpenFile file = kernel_.OpenOf(device, "config.json", O_WRONLY);
  Starve("write a piece", [&] { return kernel_.Write(file, 0, R"({"mbps": )").error; });
  EXPECT_EQ(kernel_.Write(file, 9, "8}").error, 0);
  kernel_.Close(file);
  write("power", "1");
  write("power", "0");
}

// The request's own bytes do, as long as it does not wait.
TEST_F(OutOfMemoryTest, ATextIsNotCopiedToBeWritten) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  const std::string text = "8\n" + std::string(65534, '\0');
  const OpenFile file = kernel_.OpenOf(device, "size", O_WRONLY);
  supply_->left = kAllocationsMax;
  supply_->limited = true;
  const FuseReply written = kernel_.Write(file, 0, text);
  supply_->limited = false;
  EXPECT_EQ(written.error, 0);
  EXPECT_EQ(kernel_.ReadFile(device, "size"), "8\n");
  EXPECT_GT(supply_->largest, 0U);
  EXPECT_LT(supply_->largest, text.size());
  kernel_.Close(file);
}

TEST_F(OutOfMemoryTest, Disks) {
  for (const char* config :
       {R"({"size": 8, "memory_backed": true, "discard": true, "power": true})",
        R"({"size": 8, "memory_backed": true, "discard": true, "irqmode": 2, "power": true,
            "completion_nsec": 1000, "cache_size": 1, "badblocks": ["16000-16001"],
            "badblocks_once": true})",
        R"({"size": 8, "power": true})"}) {
    const uint64_t device = kernel_.MakeDevice("d", config);
    const uint64_t inode = kernel_.Find(device, "disk");
    Starve("open", [&] {
      const FuseReply opened = kernel_.Open(inode, O_RDWR);
      // Also the close is made with too little memory.
      if (opened.error == 0) kernel_.Release({inode, opened.As<fuse_open_out>().fh});
      return opened.error;
    });
    const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDWR);
    Starve("write", [&] { return kernel_.Write(disk, 4000, std::string(9000, 'x')).error; });
    Starve("read", [&] { return kernel_.Read(disk, 0, 65536).error; });
    Starve("fsync", [&] { return kernel_.Sync(disk).error; });
    Starve("allocate", [&] { return kernel_.Allocate(disk, 0, 1 << 20, 1 << 20).error; });
    if (std::string(config).find("discard") != std::string::npos) {
      Starve("discard", [&] {
        return kernel_.Allocate(disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20).error;
      });
    }
    Starve("seek", [&] { return kernel_.Seek(disk, 0, SEEK_HOLE).error; });
    kernel_.Close(disk);
    // Nothing is counted as open, or as under way, that is not.
    EXPECT_EQ(kernel_.WriteFile(device, "power", "0"), 0) << config;
    EXPECT_EQ(kernel_.RemoveDirectory(kRoot, "d").error, 0);
  }
}

TEST_F(OutOfMemoryTest, TheEnd) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"size": 8, "power": true})");
  const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDWR);
  supply_->left = 0;
  supply_->limited = true;
  session_.Signal(SIGTERM);
  usleep(100'000);
  EXPECT_TRUE(session_.Running()) << session_.Log();
  supply_->limited = false;
  kernel_.Release(disk);
  EXPECT_EQ(session_.Wait(), 0) << session_.Log();
}

}  // namespace
}  // namespace rnullfs
