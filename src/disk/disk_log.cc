// The log of what a disk has been asked to do, and the names of its moments.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "base/visible.h"
#include "disk/wall_time.h"
#include "past/log_files.h"
#include "past/past.h"
#include "rnullfs/disk_past.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// As it has been said before, so that a line says the same to all who read it; but for a clock that
// has been set.
int64_t AsSaidBefore(int64_t now, std::atomic<int64_t>& said) {
  int64_t nsec = said;
  if (nsec == 0 || std::abs(nsec - now) > kSecond) said = nsec = now;
  return nsec;
}

std::unique_ptr<View> LogAs(LogKind kind, Past& past, const LogFormat& format) {
  switch (kind) {
    case LogKind::kIolog:
      return LogAsIolog(past, format);
    case LogKind::kWrites:
      return LogAsWrites(past, format);
    case LogKind::kText:
      break;
  }
  return LogAsText(past, format);
}

}  // namespace

LogFormat DiskPast::FormatOf(bool finds_fua, const std::string& disk) const {
  const int64_t wall_nsec =
      AsSaidBefore(WallNsec(clock_) - clock_.NowNsec(), medium_->past()->file().header().wall_nsec);
  return {.finds_fua = finds_fua, .wall_nsec = wall_nsec, .disk = disk};
}

absl::StatusOr<std::shared_ptr<View>> DiskPast::OpenLog(LogKind kind, bool finds_fua,
                                                        const std::string& disk,
                                                        const std::string& who) {
  if (!moments()) return Error(ESTALE, "log: the disk has no history any more");
  Sized& sized = logs_.at(static_cast<size_t>(kind));
  std::shared_ptr<View> view =
      Watched(LogAs(kind, *medium_->past(), FormatOf(finds_fua, disk)), who);
  std::erase_if(sized.opened, [](const auto& each) { return each.expired(); });
  sized.opened.push_back(view);
  return view;
}

uint64_t DiskPast::LogSize(LogKind kind, bool finds_fua, const std::string& disk) {
  if (!moments()) return 0;
  Sized& sized = logs_.at(static_cast<size_t>(kind));
  // Who reads on compares how far he has come with how long it is.
  for (auto each = sized.opened.rbegin(); each != sized.opened.rend(); ++each) {
    if (const std::shared_ptr<View> opened = each->lock()) return opened->size_bytes();
  }
  Past& past = *medium_->past();
  const uint64_t first = kind == LogKind::kWrites ? BeginOfWrites(past) : past.log().first();
  const uint64_t last = kind == LogKind::kIolog ? past.log().last() : 0;
  if (sized.view == nullptr || sized.first != first || sized.last != last ||
      sized.finds_fua != finds_fua) {
    sized.view = LogAs(kind, past, FormatOf(finds_fua, disk));
    sized.first = first;
    sized.last = last;
    sized.finds_fua = finds_fua;
  }
  return sized.view->size_bytes();
}

std::optional<LogFigures> DiskPast::log() const {
  if (!moments()) return std::nullopt;
  const Past& past = *medium_->past();
  const uint64_t first = past.log().first();
  return LogFigures{.first = first, .last = past.log().last(), .writes_begin = BeginOfWrites(past)};
}

absl::StatusOr<uint64_t> DiskPast::SetMark(std::string_view name, uint64_t request) {
  if (!moments()) {
    return Error(EINVAL,
                 "mark: a moment is remembered as far as the history goes; write how many "
                 "MiB of it are to be kept to history first");
  }
  if (ParseNumber(name) || name == "now") {
    return Error(EINVAL, absl::StrCat("mark: ", Visible(name),
                                      " means a moment already; take a name that is no number, "
                                      "and not now"));
  }
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) {
    return Error(EINVAL,
                 absl::StrCat("mark: ", Visible(name), " cannot be the name of a file in at/"));
  }
  CountedRequest counted(clock_.NowNsec());
  uint64_t number = 0;
  {
    const CountedRequest::Scope scope(&counted);
    if (medium_->past()->SetMark(name, request, number) != 0) {
      return Error(ENOSPC, "mark: there is no memory to remember it");
    }
  }
  medium_->past()->log().End(counted, 0, clock_.NowNsec());
  return number;
}

std::vector<uint64_t> DiskPast::Flushes(uint64_t from, size_t at_most) const {
  std::vector<uint64_t> flushes;
  if (!moments()) return flushes;
  const RequestLog& log = medium_->past()->log();
  for (uint64_t number = std::max(from, log.first());
       number <= log.last() && flushes.size() < at_most; ++number) {
    const std::optional<LogEntry> entry = log.At(number);
    if (entry && entry->makes_durable()) flushes.push_back(number);
  }
  return flushes;
}

std::optional<uint64_t> DiskPast::FindMark(std::string_view name) const {
  return moments() ? medium_->past()->marks().Find(name) : std::nullopt;
}

std::vector<NamedMoment> DiskPast::Marks() const {
  std::vector<NamedMoment> named;
  if (!moments()) return named;
  for (Mark& mark : medium_->past()->marks().List()) {
    named.push_back({mark.number, std::move(mark.name)});
  }
  return named;
}

}  // namespace rnullfs
