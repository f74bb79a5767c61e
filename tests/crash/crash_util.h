// What the tests of src/crash share: a small disk whose requests are answered when a test wants it.
#ifndef RNULLFS_TESTS_CRASH_CRASH_UTIL_H_
#define RNULLFS_TESTS_CRASH_CRASH_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crash/choice.h"
#include "crash/cut.h"
#include "crash/state.h"
#include "past/past_util.h"

namespace rnullfs {

// `count` bytes for each letter; a dot is zeros.
inline std::string Bytes(std::string_view letters, uint64_t count) {
  std::string bytes;
  for (const char letter : letters) bytes += std::string(count, letter == '.' ? '\0' : letter);
  return bytes;
}

// A request that has been counted, and is under way until it is answered.
class Asked {
 public:
  template <typename Ask>
  Asked(Past& past, Ask ask) : past_(&past), counted_(/*began_nsec=*/1) {
    const CountedRequest::Scope scope(&counted_);
    EXPECT_EQ(ask(), 0);
  }
  uint64_t number() const { return counted_.first(); }
  uint64_t Answer(int error = 0) {
    past_->log().End(counted_, error, counted_.began_nsec());
    return number();
  }

 private:
  Past* past_;
  CountedRequest counted_;
};

class LoggedDisk : public DiskWithPast {
 public:
  explicit LoggedDisk(uint64_t pages = 4, uint64_t history_bytes = kMiB) : DiskWithPast(pages) {
    past().SetHistory(history_bytes);
  }

  Asked AskToWrite(uint64_t offset, std::string_view bytes, bool fua = false) {
    return Asked(past(), [&] {
      return fua ? past().WriteThrough(offset, bytes.size(), bytes.data())
                 : past().Write(offset, bytes.size(), bytes.data());
    });
  }
  Asked AskToDiscard(uint64_t offset, uint64_t length) {
    return Asked(past(), [&] { return past().Discard(offset, length); });
  }
  Asked AskToZero(uint64_t offset, uint64_t length) {
    return Asked(past(), [&] { return past().WriteZeroes(offset, length); });
  }
  Asked AskToFlush() {
    return Asked(past(), [&] { return past().Flush(); });
  }
  Asked AskToMark() {
    return Asked(past(), [&] {
      past().Count({.kind = LogEntry::Kind::kMark});
      return 0;
    });
  }

  // In whole pages, answered at once; their numbers.
  uint64_t WritePages(uint64_t page, std::string_view letters, bool fua = false) {
    return AskToWrite(page * kPage, Pages(letters), fua).Answer();
  }
  uint64_t DiscardPages(uint64_t page, uint64_t count) {
    return AskToDiscard(page * kPage, count * kPage).Answer();
  }
  uint64_t FlushNow() { return AskToFlush().Answer(); }

  // The cut; null when there is none.
  std::shared_ptr<const CrashCut> Cut(uint64_t number, uint32_t unit_bytes = kPage) {
    std::shared_ptr<const CrashCut> cut;
    cut_error_ = CrashCut::Make(past(), number, unit_bytes, memory(), cut);
    return cut;
  }
  std::shared_ptr<const CrashCut> CutNow(uint32_t unit_bytes = kPage) {
    return Cut(past().sequence() + 1, unit_bytes);
  }
  int cut_error() const { return cut_error_; }

  std::unique_ptr<CrashState> State(const std::shared_ptr<const CrashCut>& cut,
                                    const CrashChoice& choice) {
    return std::make_unique<CrashState>(past(), cut, choice, memory());
  }
  std::unique_ptr<CrashState> State(const std::shared_ptr<const CrashCut>& cut,
                                    std::string_view name) {
    return State(cut, *CrashChoice::Parse(name));
  }
  std::string BytesOf(const std::shared_ptr<const CrashCut>& cut, const CrashChoice& choice) {
    return Read(*State(cut, choice), 0, past().size_bytes());
  }

  // The whole disk in each combination of its units' versions.
  std::vector<std::string> AllBytes(const std::shared_ptr<const CrashCut>& cut) {
    std::vector<std::string> all;
    CrashChoice choice = {.kind = CrashChoice::Kind::kUnits};
    for (const CrashUnit& unit : cut->units()) choice.units[unit.index] = 0;
    for (;;) {
      all.push_back(BytesOf(cut, choice));
      auto unit = cut->units().begin();
      for (; unit != cut->units().end(); ++unit) {
        uint32_t& version = choice.units[unit->index];
        if (++version < unit->versions.size()) break;
        version = 0;
      }
      if (unit == cut->units().end()) return all;
    }
  }
  // The same with a letter for each unit; a '!' where one has several.
  std::set<std::string> States(uint64_t number, uint32_t unit_bytes = kPage) {
    const std::shared_ptr<const CrashCut> cut = Cut(number, unit_bytes);
    std::set<std::string> states;
    if (cut == nullptr) return states;
    const std::vector<std::string> all = AllBytes(cut);
    for (const std::string& bytes : all) states.insert(LettersOf(bytes, unit_bytes));
    EXPECT_EQ(states.size(), all.size()) << "some are the same";
    return states;
  }
  std::set<std::string> StatesNow(uint32_t unit_bytes = kPage) {
    return States(past().sequence() + 1, unit_bytes);
  }

  static std::string LettersOf(const std::string& bytes, uint64_t unit_bytes) {
    std::string letters;
    for (uint64_t at = 0; at < bytes.size(); at += unit_bytes) {
      const std::string unit = bytes.substr(at, unit_bytes);
      const bool same = unit == std::string(unit_bytes, unit[0]);
      letters += !same ? '!' : unit[0] == '\0' ? '.' : unit[0];
    }
    return letters;
  }

 private:
  int cut_error_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_CRASH_CRASH_UTIL_H_
