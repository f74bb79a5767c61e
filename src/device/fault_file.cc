#include "device/fault_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr char kZeros[4096] = {};

absl::Status NoMemory(int error) {
  return Error(error, "faults: there is no memory for what a rule counts");
}

}  // namespace

absl::StatusOr<std::unique_ptr<FaultFile>> FaultFile::Create(std::string_view name,
                                                             MemfdKeeper& keeper) {
  absl::StatusOr<UniqueFd> memfd = CreateMemfd(name);
  if (!memfd.ok()) return ErrnoOf(memfd.status()) == EMFILE ? NoDescriptorLeft() : memfd.status();
  std::unique_ptr<FaultFile> file(new FaultFile(keeper, *std::move(memfd)));
  const Header header = {.magic = kMagic, .serial = 0};
  int error = file->arena_.Resize(kBits + (kSerialMax + 1) * kBitBytes);
  if (error == 0) error = file->arena_.Write(0, kPageSize, kZeros);
  if (error == 0) {
    error = file->arena_.Write(0, sizeof header, reinterpret_cast<const char*>(&header));
  }
  if (error != 0) return NoMemory(error);
  if (file->arena_.At(0) == nullptr) return NoMemory(ENOMEM);
  if (absl::Status kept = KeepElsewhere(keeper, file->arena_.fd()); !kept.ok()) return kept;
  return file;
}

absl::StatusOr<std::unique_ptr<FaultFile>> FaultFile::Adopt(MemfdKeeper& keeper, UniqueFd memfd) {
  std::unique_ptr<FaultFile> file(new FaultFile(keeper, std::move(memfd)));
  const bool there = file->arena_.NextData(0, kPageSize) == 0 && file->arena_.At(0) != nullptr;
  if (!there || file->header().magic != kMagic) {
    return Error(EINVAL, "what was left as the counts of a disk's fault rules is none");
  }
  return file;
}

std::vector<std::pair<std::string, uint32_t>> FaultFile::Rules() const {
  std::vector<std::pair<std::string, uint32_t>> rules;
  const uint64_t end = PlaceOf(std::min<uint64_t>(header().serial, kSerialMax) + 1);
  for (uint64_t at = arena_.NextData(kPageSize, end); at < end;
       at = arena_.NextData(at + kPageSize, end)) {
    if (arena_.At(at) == nullptr) continue;
    const auto serial = static_cast<uint32_t>(at / kPageSize);
    const char* const name = page(serial).name;
    rules.emplace_back(std::string(name, strnlen(name, sizeof page(serial).name)), serial);
  }
  return rules;
}

void FaultFile::GiveBack() {
  keeper_.Drop(arena_.fd());
  arena_.Resize(0);
}

absl::StatusOr<uint32_t> FaultFile::Make(std::string_view rule) {
  const uint64_t serial = header().serial + 1;
  if (serial > kSerialMax) {
    return Error(ENOSPC, absl::StrCat("faults: the disk has had ", kSerialMax,
                                      " rules, and can have no more; make another one"));
  }
  Page anew = {};
  rule.copy(anew.name, sizeof anew.name - 1);
  int error = arena_.Write(PlaceOf(serial), kPageSize, kZeros);
  if (error == 0) error = arena_.Write(PlaceOf(serial), sizeof anew.name, anew.name);
  if (error != 0) return NoMemory(error);
  if (arena_.At(PlaceOf(serial)) == nullptr) return NoMemory(ENOMEM);
  KillPoint("rule-page-made");
  header().serial = serial;
  return static_cast<uint32_t>(serial);
}

void FaultFile::Free(uint32_t serial) {
  arena_.Punch(PlaceOf(serial), kPageSize);
  arena_.Punch(kBits + serial * kBitBytes, kBitBytes);
}

void FaultFile::Restart(uint32_t serial) {
  Page& rule = page(serial);
  for (Counts* const counts : {&rule.counts, &rule.pending}) {
    for (std::atomic<uint64_t>* const count :
         {&counts->seen, &counts->passed, &counts->asked, &counts->hits}) {
      count->store(0, std::memory_order_relaxed);
    }
  }
  rule.noted.store(0, std::memory_order_relaxed);
  rule.intact.store(0, std::memory_order_relaxed);
  rule.begun.store(0, std::memory_order_relaxed);
  arena_.Punch(kBits + serial * kBitBytes, kBitBytes);
}

// What there is no memory to note is as if it had not been marked.  Whether one has changed.
bool FaultFile::SetMarks(uint32_t serial, uint64_t first, uint64_t last, bool set) {
  constexpr uint64_t kSectorMax = kBitBytes * 8 - 1;
  constexpr uint64_t kAtOnce = 1024;  // bytes
  first = std::min(first, kSectorMax);
  last = std::min({last, kSectorMax, first + kMarkedMax - 1});
  const uint64_t bits_at = kBits + serial * kBitBytes;
  bool any = false;
  for (uint64_t begin = first / 8; begin <= last / 8; begin += kAtOnce) {
    const uint64_t count = std::min(kAtOnce, last / 8 + 1 - begin);
    char bytes[kAtOnce] = {};
    arena_.Read(bits_at + begin, count, bytes);
    bool changed = false;
    for (uint64_t byte = begin; byte < begin + count; ++byte) {
      const uint64_t from = std::max(first, byte * 8) % 8;
      const uint64_t to = std::min(last, byte * 8 + 7) % 8;
      const auto wanted = static_cast<unsigned char>(0xff >> (7 - to) & 0xff << from);
      const auto bits = static_cast<unsigned char>(bytes[byte - begin]);
      const unsigned next = set ? bits | wanted : bits & ~wanted;
      bytes[byte - begin] = static_cast<char>(next);
      changed = changed || static_cast<unsigned char>(next) != bits;
    }
    if (changed) arena_.Write(bits_at + begin, count, bytes);
    any = any || changed;
  }
  return any;
}

void FaultFile::TakeBackPending(uint32_t serial) {
  Page& rule = page(serial);
  const uint64_t noted = rule.noted;
  const uint64_t pending = std::min<uint64_t>(rule.pending.hits, noted);
  const uint64_t oldest = noted - std::min(noted, Page::kEvents);
  for (uint64_t at = std::max(noted - pending, oldest); at < noted; ++at) {
    const Event& event = rule.events[at % Page::kEvents];
    if (event.sectors > 0) SetMarks(serial, event.sector, event.sector + event.sectors - 1, false);
  }
  rule.noted = noted - pending;
  rule.intact = std::min(std::max<uint64_t>(rule.intact, oldest), noted - pending);
  for (const auto& [count, back] : {std::pair(&rule.counts.seen, &rule.pending.seen),
                                    {&rule.counts.passed, &rule.pending.passed},
                                    {&rule.counts.asked, &rule.pending.asked},
                                    {&rule.counts.hits, &rule.pending.hits}}) {
    *count -= std::min<uint64_t>(*count, back->exchange(0));
  }
}

}  // namespace rnullfs
