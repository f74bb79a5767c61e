// What a device is told to be: one value per attribute of null_blk and rnull.
//
// Names and defaults are rnull's (drivers/block/rnull/configfs.rs); attributes.h says what each
// accepts.  Thread safety: a plain value.
#ifndef RNULLFS_DEVICE_CONFIG_H_
#define RNULLFS_DEVICE_CONFIG_H_

#include <cstdint>

namespace rnullfs {

// When a request completes (the kernel's irqmode).
enum class IrqMode : uint8_t {
  kNone = 0,   // inline, by the thread that brought it
  kSoft = 1,   // at once, from another context
  kTimer = 2,  // completion_nsec after it was submitted
};

// Who serves reads and writes of the disk (ours; the kernel's drivers have nothing like it).
enum class DataPath : uint8_t {
  kAuto = 0,         // passthrough where it is possible, else the daemon
  kPassthrough = 1,  // the kernel, by itself, from the disk's memfd
  kDaemon = 2,       // this process
};

struct DeviceConfig {
  bool power = false;
  uint32_t blocksize = 4096;  // bytes, a power of two in 512..4096
  uint64_t size = 4096;       // MiB
  bool rotational = false;
  IrqMode irqmode = IrqMode::kNone;
  uint64_t completion_nsec = 10'000;
  bool memory_backed = false;
  DataPath datapath = DataPath::kAuto;

  bool operator==(const DeviceConfig&) const = default;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_CONFIG_H_
