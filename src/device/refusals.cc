#include "device/refusals.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

constexpr uint32_t kSectorBytes = 512;

// Cuts a request at the end of the disk, as of a file that keeps its size.  A write fits or fails,
// and so does what would make a file grow.
int FitToDisk(uint64_t size_bytes, Command& command) {
  const uint64_t left = size_bytes - std::min(command.offset, size_bytes);
  const bool fits = command.offset <= size_bytes && command.length <= left;
  if (!fits && (command.op == Op::kWrite || !command.keep_size)) return ENOSPC;
  if (!fits) command.offset = std::min(command.offset, size_bytes);
  command.length = std::min(command.length, left);
  return 0;
}

}  // namespace

// A flood of one kind costs one sentence.
template <typename Sentence>
void Refusals::Explain(Complaint kind, Sentence sentence) {
  if (complain_ == nullptr || complaint_.load(std::memory_order_relaxed) == kind) return;
  complain_(sentence());
  complaint_.store(kind, std::memory_order_relaxed);
}

int Refusals::Check(Command& command) {
  const uint64_t size_bytes = live_.size_bytes();
  if (const int error = FitToDisk(size_bytes, command); error != 0) {
    Explain(Complaint::kPastEnd, [&] {
      return absl::StrCat("disk: ", command.length, " bytes at ", command.offset,
                          " do not lie within its ", size_bytes, "; write a larger size (MiB)");
    });
    return error;
  }
  if (command.op == Op::kDiscard && !command.truncates && !TakesDiscards(config_)) {
    Explain(Complaint::kNoDiscard, [] {
      return "disk: a discard was refused; write 1 to discard (and to memory_backed) while the "
             "device is off for a disk that takes them";
    });
    return EOPNOTSUPP;
  }
  // Who did not open it with O_DIRECT sees it as through a page cache, by the byte.
  if (!command.direct || IsWhole(config_, command) || command.length == 0) return 0;
  if (command.sectors && ((command.offset | command.length) & (kSectorBytes - 1)) == 0) {
    emulates_sectors_.store(true, std::memory_order_relaxed);
    return 0;
  }
  Explain(Complaint::kMisaligned, [&] {
    return absl::StrCat("disk: ", command.length, " bytes at ", command.offset,
                        " are no multiple of blocksize, ", config_.blocksize,
                        "; who opens it with O_DIRECT has to use whole blocks of it, or write 512 "
                        "to blocksize while the device is off");
  });
  return EINVAL;
}

// What the medium says no to.
void Refusals::ExplainError(int error, const Command& command) {
  if (error != ENOSPC) return;
  Explain(Complaint::kNoMemory, [&] {
    return absl::StrCat("disk: there is no memory for ", command.length, " bytes at ",
                        command.offset,
                        ": a disk may have store_limit, all together memory_limit (stats.json and "
                        "status.json say how much they have), and 64 MiB are left to the "
                        "machine; discard or remove something, or set a larger limit");
  });
}

void Refusals::ExplainBadSector(const Command& command) {
  Explain(Complaint::kBadSector, [&] {
    return absl::StrCat("disk: ", command.length, " bytes at ", command.offset,
                        " have a bad sector; badblocks lists them, and -FIRST-LAST written there "
                        "makes them good");
  });
}

void Refusals::ExplainBusy(uint64_t waiting) {
  Explain(Complaint::kBusy, [&] {
    return absl::StrCat(
        "disk: ", waiting,
        " requests wait for their answers, as many as it may have beside the other "
        "disks of the mount, so that the next ones are EBUSY; shorten what delays "
        "them (completion_nsec, mbps, iops, io_timeout, faults), or send fewer at once");
  });
}

void Refusals::ExplainFault(const FaultVerdict& verdict, const Command& command) {
  Explain(Complaint::kFault, [&] {
    return absl::StrCat("disk: ", command.length, " bytes at ", command.offset,
                        " failed as the fault rule ", verdict.rule, " has it: faults/",
                        verdict.rule,
                        "/last has the latest, and 0 written to enabled beside it "
                        "ends that");
  });
}

}  // namespace rnullfs
