// What a power cut may leave, straight from the definition: a list of what happened, in order, and
// for each unit the contents that it had after each request that touched it.
//
// It knows when each request was sent and when it was answered; of two that were answered between
// the same two requests, which no log can tell apart, it is told in the order of their numbers.
#ifndef RNULLFS_TESTS_CRASH_CRASH_MODEL_H_
#define RNULLFS_TESTS_CRASH_CRASH_MODEL_H_

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rnullfs {

class CrashModel {
 public:
  enum class Kind { kChange, kFlush, kNothing, kJump };
  struct Request {
    uint64_t number;
    Kind kind;
    bool fua = false;  // of a change
    uint64_t offset = 0;
    uint64_t length = 0;
    std::string after = {};  // the disk
    uint64_t sent = 0;       // when
    uint64_t answered = UINT64_MAX;
    bool well = false;  // answered without an error
  };

  CrashModel(std::string contents, uint64_t unit_bytes)
      : before_(std::move(contents)), unit_bytes_(unit_bytes) {}

  const std::string& Now() const { return requests_.empty() ? before_ : requests_.back().after; }
  const std::vector<Request>& requests() const { return requests_; }

  // Of a change what it makes of [offset, offset + length).
  size_t Send(Request request, const std::string& contents = {}) {
    request.sent = ++time_;
    request.after = Now();
    request.after.replace(request.offset, contents.size(), contents);
    requests_.push_back(std::move(request));
    return requests_.size() - 1;
  }
  void Jump(uint64_t number, std::string after) {
    requests_.push_back(
        {.number = number, .kind = Kind::kJump, .after = std::move(after), .sent = ++time_});
  }
  void Answer(size_t which, bool well) {
    requests_[which].answered = ++time_;
    requests_[which].well = well;
  }

  // When the power goes in the cut with that number.
  uint64_t TimeOf(uint64_t number) const {
    for (const Request& request : requests_) {
      if (request.number != number) continue;
      if (request.kind != Kind::kFlush && !request.fua) return request.sent;
      return request.answered == UINT64_MAX ? time_ : request.answered - 1;
    }
    return time_;  // yet to come
  }

  bool IsDurable(const Request& change, uint64_t at) const {
    if (change.kind == Kind::kJump) return true;
    if (change.fua && change.well && change.answered <= at) return true;
    for (const Request& other : requests_) {
      if (other.kind == Kind::kJump && other.sent > change.sent && other.sent <= at) return true;
      const bool flushed = other.kind == Kind::kFlush && other.well && other.answered <= at;
      if (flushed && other.sent > change.answered) return true;
    }
    return false;
  }

  // What the unit may be: the durable version, and those behind it; of which change (0: of none).
  struct Version {
    uint64_t number;
    std::string contents;
  };
  std::vector<Version> VersionsOf(uint64_t unit, uint64_t at) const {
    std::vector<Version> versions = {{0, UnitOf(before_, unit)}};
    for (const Request& request : requests_) {
      if (request.sent > at || !Touches(request, unit)) continue;
      if (IsDurable(request, at)) versions.clear();
      versions.push_back({request.number, UnitOf(request.after, unit)});
    }
    return versions;
  }

  // All that the disk may be.
  std::set<std::string> States(uint64_t at) const {
    std::set<std::string> states = {""};
    for (uint64_t unit = 0; unit < units(); ++unit) {
      std::set<std::string> longer;
      for (const Version& version : VersionsOf(unit, at)) {
        for (const std::string& state : states) longer.insert(state + version.contents);
      }
      states = std::move(longer);
    }
    return states;
  }

  // That in which of what may be lost just this is there: what `is_there` says of a change and a
  // unit.
  std::string StateWith(uint64_t at,
                        const std::function<bool(uint64_t number, uint64_t unit)>& is_there) const {
    std::string state;
    for (uint64_t unit = 0; unit < units(); ++unit) {
      const std::vector<Version> versions = VersionsOf(unit, at);
      std::string contents = versions[0].contents;
      for (size_t i = 1; i < versions.size(); ++i) {
        if (is_there(versions[i].number, unit)) contents = versions[i].contents;
      }
      state += contents;
    }
    return state;
  }

  // The requests that may be lost.
  std::vector<Request> MayBeLost(uint64_t at) const {
    std::vector<Request> lost;
    for (const Request& request : requests_) {
      const bool sent = request.kind == Kind::kChange && request.sent <= at;
      if (sent && !IsDurable(request, at)) lost.push_back(request);
    }
    return lost;
  }

  uint64_t units() const { return before_.size() / unit_bytes_; }

 private:
  bool Touches(const Request& request, uint64_t unit) const {
    if (request.kind == Kind::kJump) return true;
    const uint64_t begin = unit * unit_bytes_;
    return request.kind == Kind::kChange && request.length > 0 &&
           request.offset < begin + unit_bytes_ && begin < request.offset + request.length;
  }
  std::string UnitOf(const std::string& disk, uint64_t unit) const {
    return disk.substr(unit * unit_bytes_, unit_bytes_);
  }

  const std::string before_;
  const uint64_t unit_bytes_;
  std::vector<Request> requests_;
  uint64_t time_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_CRASH_CRASH_MODEL_H_
