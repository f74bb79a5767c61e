#include "past/written_log.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/parse.h"
#include "base/visible.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = VersionFile::Layout::kPageSize;
constexpr uint64_t kSectorsMax = uint64_t{INT64_MAX} / kPageSize;  // nothing overflows below
constexpr uint64_t kTextAt = offsetof(WrittenRecord, text);
// A longer change is counted in pieces of that anyway (Past::Write()).
constexpr uint64_t kPieceBytes = uint64_t{64} << 20;

// What a history takes for a page that changes, and for a line of the log, of which there are for a
// quarter of its bytes.
constexpr uint64_t kChangeBytes = kPageSize + 64;
constexpr uint64_t kLineBytes = 4 * uint64_t{64};
constexpr std::string_view kTooMany = "of more requests than a history has a place for";

// A mark's text as a name that a mark can have here: without characters that are not seen, and no
// longer than that, at the end of a character of UTF-8.
std::string MarkName(std::string_view text) {
  std::string name = Visible(text);
  std::replace(name.begin(), name.end(), '/', '_');
  const bool means_something =
      name.empty() || name == "." || name == ".." || name == "now" || ParseNumber(name).has_value();
  if (means_something) name.insert(0, "mark-");
  size_t end = std::min(name.size(), Marks::kNameMax);
  const auto within = [&] { return (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80; };
  while (end < name.size() && within()) --end;
  return name.substr(0, end);
}

std::string_view TextOf(const WrittenRecord& record) {
  return {record.text, std::min<uint64_t>(record.text_length, sizeof record.text)};
}

}  // namespace

bool WrittenLog::IsOne(FileView& file) {
  uint64_t magic = 0;
  return file.size_bytes() >= sizeof(WrittenRecord) &&
         file.CopyOut(0, sizeof magic, reinterpret_cast<char*>(&magic)) == 0 &&
         magic == WrittenHead::kMagic;
}

absl::Status WrittenLog::Wrong(std::string_view what) const {
  return Error(EINVAL, absl::StrCat("origin: ", Visible(name_), " is a log of dm-log-writes ",
                                    std::string(what)));
}

absl::Status WrittenLog::Read(uint64_t offset, uint64_t length, View::Sink sink) const {
  const int error = file_->Read(offset, length, sink);
  if (error == 0) return absl::OkStatus();
  return Error(error, absl::StrCat("origin: ", Visible(name_),
                                   file_->changed() ? " is not what it was when it was written to "
                                                      "origin; write nothing there, then it again"
                                                    : " cannot be read"));
}

template <typename T>
absl::Status WrittenLog::ReadAs(uint64_t offset, T& to) const {
  return Read(offset, sizeof to, [&](absl::Span<const iovec> blocks) {
    std::memcpy(&to, blocks.front().iov_base, sizeof to);
  });
}

absl::StatusOr<WrittenHead> WrittenLog::ReadHead() const {
  WrittenHead head;
  if (absl::Status read = ReadAs(0, head); !read.ok()) return read;
  if (head.version != 1) return Wrong(absl::StrCat("of version ", head.version, "; 1 is known"));
  if (!std::has_single_bit(head.sector_bytes) || head.sector_bytes < sizeof(WrittenRecord) ||
      head.sector_bytes > kPageSize) {
    return Wrong(absl::StrCat("with sectors of ", head.sector_bytes,
                              " bytes; those of a disk have 512, 1024, 2048 or 4096"));
  }
  if (head.records > RequestLog::kLinesMax) return Wrong(kTooMany);
  if (head.records > 0) return head;
  return Wrong("without a record; end it (dmsetup remove) before it is read");
}

absl::Status WrittenLog::CheckRecord(const Place& place, const WrittenRecord& record) const {
  const auto wrong = [&](std::string_view what) {
    return Wrong(absl::StrCat("whose record ", place.number, " ", std::string(what)));
  };
  if ((record.flags & ~WrittenRecord::kKnown) != 0) {
    return wrong(absl::StrCat("has flags that are not known: ", record.flags));
  }
  if (record.sector > kSectorsMax || record.sectors > kSectorsMax - record.sector) {
    return wrong("lies where no disk is");
  }
  if ((record.flags & WrittenRecord::kMark) != 0 &&
      record.text_length > place.sector_bytes - kTextAt) {
    return wrong("is a mark whose text is too long");
  }
  const uint64_t data = record.has_data() ? record.sectors * place.sector_bytes : 0;
  if (data <= file_->size_bytes() - place.data()) return absl::OkStatus();
  return wrong("ends behind the end of the file, which is not all of the log");
}

absl::Status WrittenLog::ForEach(Each each) const {
  const absl::StatusOr<WrittenHead> head = ReadHead();
  if (!head.ok()) return head.status();
  Place place = {.number = 0, .at = head->sector_bytes, .sector_bytes = head->sector_bytes};
  for (; place.number < head->records; ++place.number) {
    if (place.at > file_->size_bytes() || file_->size_bytes() - place.at < place.sector_bytes) {
      return Wrong(
          absl::StrCat("of ", head->records, " records, of which the file has ", place.number));
    }
    WrittenRecord record;
    absl::Status good = ReadAs(place.at, record);
    if (good.ok()) good = CheckRecord(place, record);
    if (good.ok()) good = each(place, record);
    if (!good.ok()) return good;
    place.at = place.data() + (record.has_data() ? record.sectors * place.sector_bytes : 0);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<WrittenLog>> WrittenLog::Open(std::string name,
                                                             std::shared_ptr<FileView> file) {
  auto log = std::make_shared<WrittenLog>(std::move(name), std::move(file));
  if (absl::Status whole = log->Look(); !whole.ok()) return whole;
  return log;
}

// A write with FLUSH is two requests.  A page that is written may be discarded, and no other.
absl::Status WrittenLog::Look() {
  Needs needs;
  uint64_t lines = 0;
  uint64_t changes = 0;
  absl::Status whole =
      ForEach([&](const Place& place, const WrittenRecord& record) -> absl::Status {
        const uint64_t begin = record.sector * place.sector_bytes;
        const uint64_t length = record.sectors * place.sector_bytes;
        needs.block_bytes = place.sector_bytes;
        lines += 2 + length / kPieceBytes;
        if (lines > RequestLog::kLinesMax) return Wrong(kTooMany);
        if (length == 0) return absl::OkStatus();
        needs.size_bytes = std::max(needs.size_bytes, begin + length);
        const uint64_t pages = (begin + length - 1) / kPageSize - begin / kPageSize + 1;
        if (record.has_data()) changes += 2 * pages;
        return absl::OkStatus();
      });
  needs.history_bytes = changes * kChangeBytes + lines * kLineBytes;
  if (whole.ok()) needs_ = needs;
  return whole;
}

absl::Status WrittenLog::Done(int error) const {
  if (error == 0) return absl::OkStatus();
  return Error(error, absl::StrCat("origin: there is no memory for all that ", Visible(name_),
                                   " has written; raise memory_limit or store_limit"));
}

absl::Status WrittenLog::Write(const Place& place, const WrittenRecord& record, Past& past) const {
  const bool fua = (record.flags & WrittenRecord::kFua) != 0;
  const uint64_t begin = record.sector * place.sector_bytes;
  const uint64_t length = record.sectors * place.sector_bytes;
  for (uint64_t done = 0; done < length;) {
    const uint64_t part = std::min(length - done, kPieceBytes - (begin + done) % kPieceBytes);
    int error = 0;
    absl::Status read = Read(place.data() + done, part, [&](absl::Span<const iovec> blocks) {
      const void* const data = blocks.front().iov_base;
      error =
          fua ? past.WriteThrough(begin + done, part, data) : past.Write(begin + done, part, data);
    });
    if (!read.ok() || error != 0) return read.ok() ? Done(error) : read;
    done += part;
  }
  return absl::OkStatus();
}

absl::Status WrittenLog::Replay(const Place& place, const WrittenRecord& record, Past& past,
                                const Clock& clock) const {
  const uint64_t begin = record.sector * place.sector_bytes;
  const uint64_t length = record.sectors * place.sector_bytes;
  if (length > 0 && begin + length > past.size_bytes()) {
    return Wrong(absl::StrCat("whose record ", place.number, " is about byte ", begin + length,
                              "; the disk ends before: write more MiB to size"));
  }
  // As a request, which has been answered when it returns.
  const auto request = [&](auto change) {
    CountedRequest counted(clock.NowNsec());
    absl::Status done;
    {
      const CountedRequest::Scope scope(&counted);
      done = change();
    }
    past.log().End(counted, ErrnoOf(done), clock.NowNsec());
    return done;
  };
  if ((record.flags & WrittenRecord::kMark) != 0) {
    uint64_t number = 0;
    const std::string name = MarkName(TextOf(record));
    return request([&] { return Done(past.SetMark(name, /*request=*/0, number)); });
  }
  if ((record.flags & WrittenRecord::kFlush) != 0) {
    absl::Status flushed = request([&] { return Done(past.Flush()); });
    if (!flushed.ok()) return flushed;
  }
  if (length == 0) return absl::OkStatus();
  if ((record.flags & WrittenRecord::kDiscard) != 0) {
    return request([&] { return Done(past.Discard(begin, length)); });
  }
  return request([&] { return Write(place, record, past); });
}

absl::Status WrittenLog::ReplayTo(Past& past, const Clock& clock) const {
  return ForEach([&](const Place& place, const WrittenRecord& record) {
    absl::Status done = Replay(place, record, past, clock);
    KillPoint("log-replayed");
    return done;
  });
}

}  // namespace rnullfs
