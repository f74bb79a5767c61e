// A process that dies between any two stores of its disk's past, again and again, in the middle of
// anything: who takes over finds each snapshot as it was, and the disk as it was before the request
// or after it, page by page; the request comes again.  The log of requests has no gap then, and a
// mark is there or not.
//
// The program is built with src/past as builds with kill points have it, and says itself who dies.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/kill_point.h"
#include "from_environment.h"
#include "past/snapshots.h"
#include "past_util.h"

namespace rnullfs {
namespace {

// How many points a process still passes; 0: it passes all.
int points_left = 0;
// Shared: where processes have died.
struct Deaths {
  char last[64];
  std::atomic<uint64_t> done;  // operations of the process that is there
};
Deaths* deaths = nullptr;

}  // namespace

void KillPoint(const char* name) {
  if (points_left == 0 || --points_left > 0) return;
  std::strncpy(deaths->last, name, sizeof deaths->last - 1);
  kill(getpid(), SIGKILL);
}

namespace {

constexpr uint64_t kPagesOfDisk = 12;
constexpr uint64_t kLinesMin = 4096;  // of the log
constexpr uint64_t kOperations = 24;  // of a process, at most

struct Operation {
  enum Kind {
    kWrite,
    kDiscard,
    kZero,
    kFlush,
    kMark,
    kTake,
    kRemove,
    kRename,
    kRollBack
  } kind = kWrite;
  uint64_t page = 0;
  std::string letters;
  std::string name;
  std::string to;
  uint64_t number = 0;
};

// What the disk is, and was, by letters.
struct Model {
  std::string now = std::string(kPagesOfDisk, '.');
  std::map<std::string, std::string> snapshots;
  std::vector<std::string> marks;

  void Do(const Operation& operation) {
    switch (operation.kind) {
      case Operation::kWrite:
      case Operation::kDiscard:
      case Operation::kZero:
        now.replace(operation.page, operation.letters.size(), operation.letters);
        break;
      case Operation::kFlush:
        break;
      case Operation::kMark:
        marks.push_back(operation.name);
        break;
      case Operation::kTake:
        snapshots[operation.name] = now;
        break;
      case Operation::kRemove:
        snapshots.erase(operation.name);
        break;
      case Operation::kRename: {
        auto node = snapshots.extract(operation.name);
        node.key() = operation.to;
        snapshots.insert(std::move(node));
        break;
      }
      case Operation::kRollBack:
        now = snapshots.at(operation.name);
        break;
    }
  }
};

class PastDeathTest : public testing::Test {
 protected:
  PastDeathTest()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    deaths = new (mmap(nullptr, sizeof(Deaths), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)) Deaths();
    snapshots_ = std::make_unique<Snapshots>(*past_);
  }
  ~PastDeathTest() override { munmap(deaths, sizeof(Deaths)); }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // One that makes sense for what is there.
  Operation Any(const Model& model) {
    Operation operation;
    operation.kind = static_cast<Operation::Kind>(Below(9));
    // With history there are more marks.
    if (operation.kind == Operation::kFlush && Below(2) == 0) operation.kind = Operation::kMark;
    if (operation.kind == Operation::kMark && history_ == 0) operation.kind = Operation::kWrite;
    const bool names = operation.kind >= Operation::kRemove;
    if (names && model.snapshots.empty()) operation.kind = Operation::kWrite;
    if (operation.kind >= Operation::kRemove) {
      auto it = model.snapshots.begin();
      std::advance(it, Below(model.snapshots.size()));
      operation.name = it->first;
    }
    operation.number = ++number_;
    if (operation.kind == Operation::kTake || operation.kind == Operation::kMark) {
      operation.name = std::to_string(number_);
    }
    if (operation.kind == Operation::kRename) operation.to = std::to_string(number_);
    operation.page = Below(kPagesOfDisk);
    const uint64_t length = 1 + Below(kPagesOfDisk - operation.page);
    const char letter =
        operation.kind == Operation::kWrite ? static_cast<char>('a' + Below(26)) : '.';
    operation.letters = std::string(length, letter);
    return operation;
  }

  bool Do(const Operation& operation) {
    const std::string bytes = Pages(operation.letters);
    const uint64_t offset = operation.page * kPage;
    const auto number = [&](const std::string& name) { return snapshots_->Find(name)->number; };
    switch (operation.kind) {
      case Operation::kWrite:
        return past_->Write(offset, bytes.size(), bytes.data()) == 0;
      case Operation::kDiscard:
        return past_->Discard(offset, bytes.size()) == 0;
      case Operation::kZero:
        return past_->WriteZeroes(offset, bytes.size()) == 0;
      case Operation::kFlush:
        return past_->Flush() == 0;
      case Operation::kMark: {
        uint64_t counted = 0;
        return past_->SetMark(operation.name, operation.number, counted) == 0;
      }
      case Operation::kTake:
        return snapshots_->Take(operation.name, 0, operation.number).ok();
      case Operation::kRemove:  // it may have been done
        return !snapshots_->Find(operation.name) || snapshots_->Remove(number(operation.name)).ok();
      case Operation::kRename:
        return !snapshots_->Find(operation.name) ||
               snapshots_->Rename(number(operation.name), operation.to).ok();
      case Operation::kRollBack:
        return past_->RollBack(snapshots_->Find(operation.name)->moment) == 0;
    }
    return false;
  }

  // A process that does them all, or dies.
  void Die(const std::vector<Operation>& operations) {
    deaths->done = 0;
    deaths->last[0] = '\0';
    const pid_t child = fork();
    if (child == 0) {
      points_left = 1 + static_cast<int>(Below(80));
      for (const Operation& operation : operations) {
        if (!Do(operation)) _exit(1);
        ++deaths->done;
      }
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(status == 0 || WIFSIGNALED(status)) << "an operation failed";
    if (status != 0) ++died_[deaths->last];
  }

  void TakeOver() {
    UniqueFd disk(fcntl(store_->fd(), F_DUPFD_CLOEXEC, 3));
    UniqueFd past(fcntl(past_->file().fd(), F_DUPFD_CLOEXEC, 3));
    snapshots_.reset();
    past_.reset();
    store_.reset();
    store_ =
        *PageStore::Adopt("test", test_memory, MemfdKeeper::None(), std::move(disk), UniqueFd());
    past_ = *Past::Adopt(test_memory, MemfdKeeper::None(), std::move(past), history_, *store_);
    snapshots_ = std::make_unique<Snapshots>(*past_);
  }

  std::map<std::string, std::string> Found() {
    std::map<std::string, std::string> found;
    for (std::optional<Snapshot> next = snapshots_->Next(0); next;
         next = snapshots_->Next(next->number + 1)) {
      const auto view = past_->ViewAt(next->moment, next->size_bytes, true);
      found[next->name] = Letters(Read(*view, 0, next->size_bytes));
    }
    return found;
  }

  // Where no process has died yet.
  std::vector<std::string> PointsNotMet() const {
    std::vector<std::string> points = {
        "counted",   "mark-counted",  "mark-stored",    "version-kept",   "version-recorded",
        "past-kept", "version-freed", "snapshot-begun", "snapshot-taken", "snapshot-removed"};
    std::erase_if(points, [this](const std::string& point) { return died_.contains(point); });
    return points;
  }

  // It goes as far back as it did, or as it can.
  void ExpectWholeLog(uint64_t first) {
    const RequestLog& log = past_->log();
    EXPECT_TRUE(log.first() == first || log.last() - log.first() >= kLinesMin) << log.first();
    for (uint64_t number = log.first(); number <= log.last(); ++number) {
      const std::optional<LogEntry> entry = log.At(number);
      ASSERT_TRUE(entry && entry->answered > number) << number;
    }
  }

  // Their oldest may have gone with the log's.
  bool HasMarks(const std::vector<std::string>& all) {
    const std::vector<Mark> found = past_->marks().List();
    if (found.size() > all.size() || found.empty() != all.empty()) return false;
    return std::equal(found.rbegin(), found.rend(), all.rbegin(),
                      [](const Mark& mark, const std::string& name) { return mark.name == name; });
  }

  void ExpectEitherOr(const Model& before, const Model& after) {
    EXPECT_TRUE(HasMarks(before.marks) || HasMarks(after.marks));
    const auto found = Found();
    EXPECT_TRUE(found == before.snapshots || found == after.snapshots);
    const std::string now = Letters(Read(*past_, 0, kPagesOfDisk * kPage));
    for (uint64_t page = 0; page < kPagesOfDisk; ++page) {
      EXPECT_TRUE(now[page] == before.now[page] || now[page] == after.now[page]) << page;
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  std::unique_ptr<PageStore> store_ = NewStore(kPagesOfDisk * kPage);
  std::unique_ptr<Past> past_ = *Past::Create("past", test_memory, MemfdKeeper::None(), *store_);
  std::unique_ptr<Snapshots> snapshots_;
  uint64_t history_ = 0;
  uint64_t number_ = 0;
  std::map<std::string, int> died_;  // where, how often
};

TEST_F(PastDeathTest, LosesNothingThatWasAnswered) {
  const uint64_t rounds = FromEnvironment("RNULLFS_TEST_STEPS", 300);
  Model model;
  // Chance has them all in a hundred rounds or so, as a rule.
  const auto go_on = [&](uint64_t round) {
    return round < rounds || (round < 20 * rounds && !PointsNotMet().empty());
  };
  for (uint64_t round = 0; go_on(round) && !HasFailure(); ++round) {
    if (Below(8) == 0) {
      history_ = Below(4) == 0 ? 0 : (1 + Below(40)) * kPage;
      past_->SetHistory(history_);
      if (history_ == 0) model.marks.clear();
    }
    const uint64_t first = past_->log().first();
    std::vector<Operation> operations;
    std::vector<Model> models = {model};
    for (uint64_t i = 0; i < kOperations; ++i) {
      operations.push_back(Any(models.back()));
      models.push_back(models.back());
      models.back().Do(operations.back());
    }
    Die(operations);
    if (HasFatalFailure()) return;
    const uint64_t done = deaths->done;
    SCOPED_TRACE(testing::Message()
                 << "round " << round << " died at " << deaths->last << " in " << done);
    TakeOver();
    if (history_ > 0) ExpectWholeLog(first);
    ExpectEitherOr(models[done], models[std::min(done + 1, kOperations)]);
    if (done < kOperations) {
      ASSERT_TRUE(Do(operations[done])) << "it comes again";
    }
    model = models[std::min(done + 1, kOperations)];
    ExpectEitherOr(model, model);
  }
  EXPECT_THAT(PointsNotMet(), testing::IsEmpty());
  for (const auto& [name, was] : model.snapshots) {
    EXPECT_TRUE(snapshots_->Remove(snapshots_->Find(name)->number).ok());
  }
  past_->SetHistory(0);
  past_->file().ForEach([](Version version) { ADD_FAILURE() << version << " is left"; });
}

}  // namespace
}  // namespace rnullfs
