// A disk of one's own: made as config.json says, written, read, and broken, without a mount.
//
//     c++ -std=c++20 library.cc $(pkg-config --cflags --libs rnullfs) -o library && ./library

#include <rnullfs/disk.h>
#include <rnullfs/disk_host.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::exit(1);
}

}  // namespace

int main() {
  rnullfs::DiskHost host;
  rnullfs::Disk::Services services = host.services();
  services.complain = [](const std::string& why) {
    std::printf("the disk says: %s\n", why.c_str());
  };
  rnullfs::Disk disk(1, "example", services);

  // What a mount's config.json takes, then what its files take.
  Must(disk.WriteJson(
      R"({"size": "1G", "blocksize": 512, "memory_backed": true, "discard": true})"));
  Must(disk.Write("badblocks", "+2048-2055"));
  Must(disk.Write("power", "1"));

  char block[512] = "written without FUSE";
  char back[512] = "";
  using rnullfs::Op;
  int error = disk.Do(
      {.op = Op::kWrite, .offset = 4096, .length = sizeof(block), .data = block, .fua = true});
  if (error == 0) error = disk.Do({.op = Op::kRead, .offset = 4096, .length = sizeof(back)}, back);
  std::printf("read back: %s, %s\n", back, std::strerror(error));

  const rnullfs::Command read_bad = {
      .op = Op::kRead, .offset = uint64_t{2048} * 512, .length = sizeof(back)};
  error = disk.Do(read_bad, back);
  std::printf("sector 2048: %s\n", std::strerror(error));
  Must(disk.Write("badblocks", "-2048-2055"));
  error = disk.Do(read_bad, back);
  std::printf("when it has been made good: %s\n", std::strerror(error));

  if (!disk.Write("blocksize", "4096").ok()) std::printf("refused: %s", disk.last_error().c_str());
  std::printf("data from %llu to %llu\n",
              static_cast<unsigned long long>(disk.device()->NextData(0)),
              static_cast<unsigned long long>(disk.device()->NextHole(4096)));
}
