#include "ctl/crash_directory.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/parse.h"
#include "ctl/files.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

std::optional<uint64_t> LinkedNumber(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = readlink(path.c_str(), target, sizeof target);
  if (length < 0) return std::nullopt;
  return ParseNumber(std::string_view(target, static_cast<size_t>(length)));
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (directory == nullptr) return SystemError(errno, path);
  errno = 0;
  while (const dirent* const entry = readdir(directory.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  if (errno != 0) return SystemError(errno, path);
  return names;
}

std::vector<uint64_t> NumbersOf(const JsonValue& list) {
  std::vector<uint64_t> numbers;
  for (const JsonValue& part : list.parts) {
    numbers.push_back(ParseNumber(part.text).value_or(0));
  }
  return numbers;
}

void AddRequests(const JsonValue* list, std::vector<LostRequest>& to) {
  if (list == nullptr) return;
  for (const JsonValue& part : list->parts) {
    to.push_back({.sequence = NumberIn(part, "sequence"),
                  .op = TextIn(part, "op"),
                  .sector = NumberIn(part, "sector"),
                  .sectors = NumberIn(part, "sectors"),
                  .lost_sectors = NumberIn(part, "lost_sectors"),
                  .first_lost_sector = NumberIn(part, "first_lost_sector")});
  }
}

absl::StatusOr<StateInfo> InfoIn(const std::string& state) {
  const absl::StatusOr<JsonValue> json = ReadJsonFile(state + "/state.json");
  if (!json.ok()) return json.status();
  StateInfo info = {.moment = NumberIn(*json, "moment"),
                    .unit_bytes = NumberIn(*json, "atomic"),
                    .states_log2 = 0,
                    .forgotten = TextIn(*json, "forgotten") == "true",
                    .identity = TextIn(*json, "identity"),
                    .requests = {},
                    .written = {}};
  if (info.unit_bytes == 0) return Error(EINVAL, absl::StrCat(state, "/state.json: has no atomic"));
  if (!absl::SimpleAtod(TextIn(*json, "states_log2"), &info.states_log2)) info.states_log2 = 0;
  AddRequests(FindMember(*json, "kept"), info.requests);
  AddRequests(FindMember(*json, "lost"), info.requests);
  std::sort(info.requests.begin(), info.requests.end(),
            [](const LostRequest& a, const LostRequest& b) { return a.sequence < b.sequence; });
  if (const JsonValue* const written = FindMember(*json, "written")) {
    info.written = NumbersOf(*written);
  }
  return info;
}

}  // namespace

// --- States --------------------------------------------------------------------------------------

// What a command has left behind may have it open for a moment.
MadeState::~MadeState() { RemovePatiently(path_); }

absl::Status MadeState::ChooseNamed(const std::string& name) const {
  return WriteFile(path_ + "/choices", absl::StrCat("\"", name, "\""));
}

absl::Status MadeState::Choose(const Assignment& units, bool newest) const {
  std::string text = newest ? R"({"others":"newest")" : "{";
  for (const auto& [unit, version] : units) {
    absl::StrAppend(&text, text == "{" ? "" : ",", "\"", unit, "\":", version);
  }
  return WriteFile(path_ + "/choices", text + "}");
}

absl::Status MadeState::LoseRequests(const std::vector<uint64_t>& requests) const {
  return WriteFile(path_ + "/without", absl::StrCat("[", absl::StrJoin(requests, ","), "]"));
}

absl::StatusOr<std::vector<ConsultedUnit>> MadeState::Consulted() const {
  const absl::StatusOr<JsonValue> json = ReadJsonFile(path_ + "/consulted");
  if (!json.ok()) return json.status();
  std::vector<ConsultedUnit> units;
  for (const JsonValue& part : json->parts) {
    units.push_back({.unit = NumberIn(part, "unit"),
                     .version = static_cast<uint32_t>(NumberIn(part, "version"))});
  }
  return units;
}

absl::StatusOr<StateInfo> MadeState::Info() const { return InfoIn(path_); }

// --- The directory -------------------------------------------------------------------------------

std::string CrashDirectory::PathOf(uint64_t cut, const std::string& state) const {
  return absl::StrCat(device_, "/crash/", cut, "/", state);
}

absl::Status CrashDirectory::Check() const {
  if (access((device_ + "/crash/now").c_str(), F_OK) == 0) return absl::OkStatus();
  if (access((device_ + "/config.json").c_str(), F_OK) != 0) {
    return Error(ENOENT, absl::StrCat(device_,
                                      ": is no disk of rnullfs; --disk takes a directory "
                                      "below a mount, /mnt/d"));
  }
  return Error(ENOENT, absl::StrCat(device_,
                                    ": has no history: before what is to be searched, echo "
                                    "64 >",
                                    device_,
                                    "/history (MiB), with memory_backed "
                                    "1, and power on"));
}

absl::StatusOr<uint64_t> CrashDirectory::NumberOf(const std::string& moment) const {
  if (const std::optional<uint64_t> number = ParseNumber(moment)) return *number;
  const bool is_name = !moment.empty() && moment.find('/') == std::string::npos;
  const std::optional<uint64_t> linked =
      is_name ? LinkedNumber(device_ + "/crash/" + moment) : std::nullopt;
  if (linked) return *linked;
  return Error(ENOENT, absl::StrCat(moment, ": is no mark of ", device_,
                                    ", or one that its history has forgotten; ls ", device_,
                                    "/crash shows them"));
}

absl::StatusOr<std::vector<uint64_t>> CrashDirectory::Cuts(uint64_t from, uint64_t to) const {
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(device_ + "/crash");
  if (!names.ok()) return names.status();
  std::vector<uint64_t> cuts;
  for (const std::string& name : *names) {
    const std::optional<uint64_t> number = ParseNumber(name);
    if (number && from <= *number && *number < to) cuts.push_back(*number);
  }
  cuts.push_back(to);
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

std::map<uint64_t, std::string> CrashDirectory::Marks() const {
  std::map<uint64_t, std::string> marks;
  for (const std::string& name : NamesIn(device_ + "/crash").value_or(std::vector<std::string>())) {
    if (name == "now" || ParseNumber(name)) continue;
    const std::optional<uint64_t> number = LinkedNumber(device_ + "/crash/" + name);
    if (number) marks[*number] = name;
  }
  return marks;
}

absl::StatusOr<std::vector<UncertainUnit>> CrashDirectory::Units(uint64_t cut) const {
  const absl::StatusOr<JsonValue> json = ReadJsonFile(PathOf(cut, "units.json"));
  if (ErrnoOf(json.status()) == ENOENT) {
    return Error(ENOENT, absl::StrCat(device_, " has no cut ", cut,
                                      ", or its history has forgotten it; ls ", device_, "/crash"));
  }
  if (!json.ok()) return WithLastError(json.status(), device_);
  std::vector<UncertainUnit> units;
  for (const JsonValue& part : json->parts) {
    const JsonValue* const versions = FindMember(part, "versions");
    units.push_back(
        {.unit = NumberIn(part, "unit"),
         .versions = versions == nullptr ? std::vector<uint64_t>() : NumbersOf(*versions),
         .newest = static_cast<uint32_t>(NumberIn(part, "newest"))});
  }
  return units;
}

absl::StatusOr<StateInfo> CrashDirectory::Info(uint64_t cut, const std::string& state) const {
  absl::StatusOr<StateInfo> info = InfoIn(PathOf(cut, state));
  return info.ok() ? info : WithLastError(info.status(), device_);
}

absl::StatusOr<MadeState> CrashDirectory::Make(uint64_t cut, const std::string& name) const {
  const std::string path = PathOf(cut, name);
  absl::Status made = MakeDirectory(path);
  if (ErrnoOf(made) == EEXIST && RemoveDirectory(path).ok()) made = MakeDirectory(path);
  if (!made.ok()) return WithLastError(made, device_);
  return MadeState(path);
}

}  // namespace rnullfs
