// The log as text: for people, and for fio.

#include <string.h>  // NOLINT(modernize-deprecated-headers): strerrorname_np() is not in <cstring>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "past/log_files.h"
#include "past/log_stream.h"
#include "store/page_sectors.h"

namespace rnullfs {
namespace {

using Kind = LogEntry::Kind;

// By their kinds.
constexpr std::array<std::string_view, 9> kNames = {"-",    "read", "write",    "flush", "discard",
                                                    "zero", "mark", "rollback", "cut"};

class TextStream : public LogStream {
 public:
  using LogStream::LogStream;

 private:
  virtual std::string TextOf(const LogEntry& entry) const = 0;
  uint64_t LengthOf(const LogEntry& entry) const final { return TextOf(entry).size(); }
  int Copy(const LogEntry& entry, uint64_t begin, uint64_t end, char* to) const final {
    TextOf(entry).copy(to, end - begin, begin);
    return 0;
  }
};

// A line stays as long as it is: also when it is answered, and when the marks have forgotten it.
class Entries final : public TextStream {
 public:
  Entries(Past& past, LogFormat format)
      : TextStream(past, past.log().first(), format.finds_fua), format_(std::move(format)) {}

 private:
  std::string Head(uint64_t /*records*/) const override { return {}; }
  std::string TextOf(const LogEntry& entry) const override {
    const int64_t nsec = entry.began_nsec == 0 ? 0 : entry.began_nsec + format_.wall_nsec;
    const bool waits = entry.answered == 0;
    const uint64_t first = entry.offset / kSectorSize;
    const uint64_t end = (entry.offset + entry.length + kSectorSize - 1) / kSectorSize;
    const bool mark = entry.kind == Kind::kMark;
    std::string line = absl::StrFormat(
        "%d %d.%09d %s %d %d %s %3d %10s", entry.number, nsec / 1'000'000'000, nsec % 1'000'000'000,
        kNames[std::min<size_t>(static_cast<size_t>(entry.kind), 8)], first, mark ? 0 : end - first,
        FlagsOf(entry), entry.error, waits ? "-" : absl::StrCat(entry.usec));
    if (mark) {
      std::string name = past().marks().NameOf(entry.number);
      name.resize(entry.length, ' ');
      absl::StrAppend(&line, " ", name);
    }
    return line + "\n";
  }
  static std::string_view FlagsOf(const LogEntry& entry) {
    if ((entry.flags & LogEntry::kLost) != 0) return "L";
    return (entry.flags & LogEntry::kFua) != 0 ? "F" : "-";
  }

  const LogFormat format_;
};

// Names are taken by fio as far as the next space.
std::string WithoutSpaces(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) <= ' '; }, '_');
  return name;
}

class Iolog final : public TextStream {
 public:
  Iolog(Past& past, const LogFormat& format)
      : TextStream(past, past.log().first(), /*finds_fua=*/false, past.log().last()),
        disk_(WithoutSpaces(format.disk)),
        first_nsec_(FirstNsec(past.log())),
        last_nsec_(LastNsec(past.log())) {}

 private:
  static int64_t FirstNsec(const RequestLog& log) {
    LogCursor cursor(log, log.first(), /*finds_fua=*/false);
    std::optional<LogEntry> entry = cursor.Next();
    while (entry && entry->began_nsec == 0) entry = cursor.Next();  // nobody's has no time
    return entry ? entry->began_nsec : 0;
  }
  static int64_t LastNsec(const RequestLog& log) {
    for (uint64_t number = log.last(); number >= log.first() && number > 0; --number) {
      const std::optional<LogEntry> entry = log.At(number);
      if (entry && entry->began_nsec != 0) return entry->began_nsec;
    }
    return 0;
  }

  std::string Head(uint64_t /*records*/) const override {
    return absl::StrCat("fio version 3 iolog\n0 ", disk_, " add\n0 ", disk_, " open\n");
  }
  std::string Tail() const override {
    return absl::StrFormat("%d %s close\n", TimeOf(last_nsec_), disk_);
  }
  std::string TextOf(const LogEntry& entry) const override {
    const std::string_view action = ActionOf(entry.kind);
    if (action.empty() || (entry.flags & LogEntry::kRefused) != 0) return {};
    std::string line = LineOf(entry, action);
    const bool flushes = entry.kind == Kind::kWrite && (entry.flags & LogEntry::kFua) != 0;
    if (!flushes) return line;
    LogEntry sync = entry;
    sync.offset = sync.length = 0;  // with a length fio waits for so many bytes
    return line + LineOf(sync, "sync");
  }
  static std::string_view ActionOf(Kind kind) {
    switch (kind) {
      case Kind::kRead:
        return "read";
      case Kind::kWrite:
      case Kind::kWriteZeroes:
        return "write";
      case Kind::kDiscard:
        return "trim";
      case Kind::kFlush:
        return "sync";
      default:
        return {};
    }
  }
  std::string LineOf(const LogEntry& entry, std::string_view action) const {
    return absl::StrFormat("%d %s %s %d %d\n", TimeOf(entry.began_nsec), disk_, action,
                           entry.offset, entry.length);
  }
  int64_t TimeOf(int64_t nsec) const { return std::max<int64_t>(0, nsec - first_nsec_) / 1000; }

  const std::string disk_;
  const int64_t first_nsec_;
  const int64_t last_nsec_;
};

}  // namespace

std::unique_ptr<View> LogAsText(Past& past, const LogFormat& format) {
  return std::make_unique<Entries>(past, format);
}

std::unique_ptr<View> LogAsIolog(Past& past, const LogFormat& format) {
  return std::make_unique<Iolog>(past, format);
}

}  // namespace rnullfs
