#include "store/record_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/fnv.h"
#include "base/kill_point.h"
#include "base/memfd_name.h"
#include "rnullfs/counters.h"
#include "rnullfs/error.h"
#include "store/arena.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMagic = 0x31474f4c4c554e52;  // "RNULLOG1"
constexpr uint64_t kRegionSize = uint64_t{1} << 40;
constexpr uint64_t kCounters = 2 * kRegionSize;
constexpr uint64_t kMoreCounters = uint64_t{1} << 59;
constexpr uint64_t kMoreBytes = CounterTable::kBytesMax - RecordLog::kPageSize;  // of a key
// Versions before map no counters behind it.
constexpr uint64_t kFileSize = uint64_t{1} << 60;
static_assert(kCounters + (RecordLog::kKeyMax + 1) * RecordLog::kPageSize <= kMoreCounters);
static_assert(RecordLog::kKeyMax < (uint64_t{INT64_MAX} - kMoreCounters) / kMoreBytes);

constexpr uint64_t kWindowBytes = uint64_t{64} << 20;  // 16,384 pages

// So much history is not worth a copy.
constexpr uint64_t kHistoryMax = uint64_t{1} << 20;
constexpr uint32_t kTextMax = uint32_t{64} << 20;

struct RecordHeader {
  uint64_t key;
  uint32_t length;
  uint32_t erased;
  uint64_t check;  // of the text and of the fields above
};

uint64_t RegionOffset(uint64_t region) { return region == 0 ? RecordLog::kPageSize : kRegionSize; }

// Tells a damaged record from a whole one; nobody forges them.
uint64_t Check(const RecordHeader& header, std::string_view text) {
  const uint64_t fields[] = {header.key, header.length, header.erased};
  return Fnv1a(Fnv1a(kFnvBasis, fields, sizeof fields), text.data(), text.size());
}

// The record as it is appended.
void AppendRecord(std::string& to, uint64_t key, std::string_view text, bool erased) {
  RecordHeader header = {.key = key,
                         .length = static_cast<uint32_t>(text.size()),
                         .erased = erased ? 1U : 0U,
                         .check = 0};
  header.check = Check(header, text);
  to.append(reinterpret_cast<const char*>(&header), sizeof header).append(text);
}

absl::StatusOr<std::string> ReadRange(const Arena& file, uint64_t offset, uint64_t length) {
  std::string text(length, '\0');
  if (file.Read(offset, length, text.data()) != 0) {
    return Error(EINVAL, "the saved state ends too soon");
  }
  return text;
}

}  // namespace

// Written whole, and so never seen half by whoever comes after a SIGKILL.
struct RecordLog::Header {
  uint64_t magic;
  uint64_t region;
  uint64_t end;
};

absl::StatusOr<std::unique_ptr<RecordLog>> RecordLog::Create() {
  absl::StatusOr<UniqueFd> memfd = CreateMemfd(kStateMemfdName);
  if (!memfd.ok()) return memfd.status();
  if (ftruncate(memfd->get(), kFileSize) != 0) return SystemError(errno, "the state's memfd");
  std::unique_ptr<RecordLog> log(new RecordLog(*std::move(memfd)));
  const LockGuard lock(log->mutex_);
  if (const int error = log->Commit(0, 0); error != 0) {
    return SystemError(error, "the state's memfd");
  }
  return log;
}

absl::StatusOr<std::unique_ptr<RecordLog>> RecordLog::Open(UniqueFd memfd) {
  std::unique_ptr<RecordLog> log(new RecordLog(std::move(memfd)));
  if (absl::Status status = log->Read(); !status.ok()) return status;
  return log;
}

RecordLog::~RecordLog() {
  for (const auto& [window, start] : windows_) munmap(start, kWindowBytes);
}

// Its writer may still be alive, and make the other region the log while this one is read, which is
// empty then.  What is damaged is so each time.
absl::Status RecordLog::Read() {
  constexpr int kTries = 20;
  const LockGuard lock(mutex_);
  absl::Status read;
  for (int tries = 0; tries < kTries; ++tries) {
    const Header before = ReadHeader();
    read = ReadAs(before);
    const Header after = ReadHeader();
    if (read.ok() && after.region == before.region && after.end >= before.end) return read;
  }
  return read.ok() ? Error(EINVAL, "the saved state changes too fast to be read") : read;
}

// Zeros where there is none.
RecordLog::Header RecordLog::ReadHeader() const {
  Header header = {};
  const absl::StatusOr<std::string> bytes = ReadRange(file_, 0, sizeof header);
  if (bytes.ok()) std::memcpy(&header, bytes->data(), sizeof header);
  return header;
}

absl::Status RecordLog::ReadAs(const Header& header) {
  const bool sound = header.magic == kMagic && header.region <= 1 &&
                     header.end <= kRegionSize - kPageSize && header.end <= file_.AllocatedBytes();
  if (!sound) return Error(EINVAL, "the saved state's header is damaged");
  const absl::StatusOr<std::string> log = ReadRange(file_, RegionOffset(header.region), header.end);
  if (!log.ok()) return log.status();
  const std::string_view text = *log;
  records_.clear();
  for (size_t at = 0; at < text.size();) {
    RecordHeader record = {};
    const size_t left = text.size() - at;
    if (left >= sizeof record) std::memcpy(&record, text.data() + at, sizeof record);
    const bool whole = left >= sizeof record && record.length <= left - sizeof record;
    const std::string_view body =
        whole ? text.substr(at + sizeof record, record.length) : std::string_view();
    if (!whole || record.key > kKeyMax || record.check != Check(record, body)) {
      return Error(EINVAL, absl::StrCat("the saved state is damaged at byte ", at));
    }
    if (record.erased != 0) {
      records_.erase(record.key);
    } else {
      records_[record.key] = body;
    }
    at += sizeof record + record.length;
  }
  region_ = header.region;
  end_ = header.end;
  live_ = 0;
  for (const auto& [key, body] : records_) live_ += sizeof(RecordHeader) + body.size();
  return absl::OkStatus();
}

RecordLog::Records RecordLog::All() const {
  const LockGuard lock(mutex_);
  return records_;
}

int RecordLog::Put(uint64_t key, std::string_view text) {
  if (key > kKeyMax || text.size() > kTextMax) return EINVAL;
  const LockGuard lock(mutex_);
  const auto it = records_.find(key);
  if (it != records_.end() && it->second == text) return 0;
  Records kept;  // what may throw comes before what may not be done by half
  kept.emplace(key, text);
  if (const int error = Append(key, text, false); error != 0) return error;
  if (it != records_.end()) {
    live_ -= sizeof(RecordHeader) + it->second.size();
    records_.erase(it);
  }
  live_ += sizeof(RecordHeader) + text.size();
  records_.merge(kept);
  CompactIfWorthwhile();
  return 0;
}

void RecordLog::Erase(uint64_t key) {
  const LockGuard lock(mutex_);
  const auto it = records_.find(key);
  if (it == records_.end()) return;
  // Without memory for the note it will be there again after a death of the process: the lesser
  // evil.
  Append(key, {}, true);
  live_ -= sizeof(RecordHeader) + it->second.size();
  records_.erase(it);
  file_.Punch(kCounters + key * kPageSize, kPageSize);
  file_.Punch(kMoreCounters + key * kMoreBytes, kMoreBytes);
  CompactIfWorthwhile();
}

int RecordLog::Append(uint64_t key, std::string_view text, bool erased) {
  std::string record;
  try {
    AppendRecord(record, key, text, erased);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  const uint64_t offset = RegionOffset(region_) + end_;
  if (const int error = file_.Write(offset, record.size(), record.data()); error != 0) return error;
  KillPoint("record-appended");
  return Commit(region_, end_ + record.size());
}

int RecordLog::Commit(uint64_t region, uint64_t end) {
  const Header header = {.magic = kMagic, .region = region, .end = end};
  const int error = file_.Write(0, sizeof header, reinterpret_cast<const char*>(&header));
  if (error != 0) return error;
  KillPoint("record-committed");
  region_ = region;
  end_ = end;
  return 0;
}

void RecordLog::CompactIfWorthwhile() {
  if (end_ < 2 * live_ + kHistoryMax) return;
  std::string copy;
  try {
    for (const auto& [key, text] : records_) AppendRecord(copy, key, text, /*erased=*/false);
  } catch (const std::bad_alloc&) {
    return;  // the next change tries again
  }
  const uint64_t old_region = region_;
  const uint64_t old_end = end_;
  region_ = 1 - old_region;
  end_ = 0;
  int error = file_.Write(RegionOffset(region_), copy.size(), copy.data());
  KillPoint("log-copied");
  if (error == 0) error = Commit(region_, copy.size());
  KillPoint("log-switched");
  if (error != 0) {
    region_ = old_region;
    end_ = old_end;
    return;
  }
  file_.Punch(RegionOffset(old_region), old_end);
}

void* RecordLog::MapCounters(uint64_t key, uint64_t at, uint64_t bytes) {
  const bool first_page = at < kPageSize;
  const uint64_t end = first_page ? kPageSize : kPageSize + kMoreBytes;
  if (key > kKeyMax || at > end || bytes > end - at) return nullptr;
  const uint64_t offset = first_page ? kCounters + key * kPageSize + at
                                     : kMoreCounters + key * kMoreBytes + at - kPageSize;
  // Taken by a system call: it returns an errno where a page fault would end the process.
  if (fallocate(fd(), 0, static_cast<off_t>(offset), static_cast<off_t>(bytes)) != 0) {
    return nullptr;
  }
  const LockGuard lock(mutex_);
  char* const window = Window(offset / kWindowBytes);
  return window == nullptr ? nullptr : window + offset % kWindowBytes;
}

char* RecordLog::Window(uint64_t number) {
  if (const auto it = windows_.find(number); it != windows_.end()) return it->second;
  void* const start =
      mmap(nullptr, kWindowBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd(),
           static_cast<off_t>(number * kWindowBytes));
  if (start == MAP_FAILED) return nullptr;
  return windows_[number] = static_cast<char*>(start);
}

}  // namespace rnullfs
