// Cuts of short random logs against a model that is plainly right (crash_model.h): the states that
// there are are all that may have been, and no other.
//
// The seed is printed; RNULLFS_TEST_SEED runs one again, RNULLFS_TEST_STEPS says how many logs.

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crash_model.h"
#include "crash_util.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

using Kind = CrashModel::Kind;
using Request = CrashModel::Request;

constexpr uint64_t kPages = 3;
constexpr uint64_t kSize = kPages * kPage;
constexpr uint64_t kSector = 512;
constexpr size_t kStatesMax = 300;  // of a cut, that all are looked at

class CutRandom : public testing::TestWithParam<uint32_t> {
 protected:
  CutRandom()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t count) { return Below(count) == 0; }
  Past& past() { return disk_->past(); }

  // --- A log ---

  // A few neighbouring units, so that requests meet.
  void ChooseRange(uint64_t& offset, uint64_t& length) {
    const uint64_t alignment = OneIn(3) ? kSector : OneIn(20) ? 100 : unit_bytes_;
    const uint64_t area = std::min<uint64_t>(kSize, 4 * unit_bytes_);
    offset = first_ + Below(area / alignment) * alignment;
    length = std::min(first_ + area - offset, (1 + Below(3)) * alignment);
  }

  void Send(Request request, Asked asked, const std::string& contents = {}) {
    request.number = asked.number();
    under_way_.push_back({model_->Send(request, contents), asked});
    told_ +=
        absl::StrCat(" ", asked.number(), request.kind == Kind::kFlush ? "F" : "C",
                     request.fua ? "!" : "", "[", request.offset, "+", request.length, "=",
                     contents.empty() || contents[0] == '\0' ? "." : contents.substr(0, 1), "]");
  }

  void Change() {
    Request change = {.number = 0, .kind = Kind::kChange};
    ChooseRange(change.offset, change.length);
    if (OneIn(4)) {
      const std::string zeros(change.length, '\0');
      Send(change,
           OneIn(3) ? disk_->AskToZero(change.offset, change.length)
                    : disk_->AskToDiscard(change.offset, change.length),
           zeros);
      return;
    }
    change.fua = OneIn(5);
    const std::string data(change.length, "ab"[Below(2)]);  // few, so that some are the same
    Send(change, disk_->AskToWrite(change.offset, data, change.fua), data);
  }

  void AnswerOne(size_t which) {
    auto [index, asked] = under_way_[which];
    const int error = OneIn(12) ? EIO : 0;
    asked.Answer(error);
    model_->Answer(index, error == 0);
    under_way_.erase(under_way_.begin() + static_cast<int64_t>(which));
    told_ += absl::StrCat(" ", asked.number(), error == 0 ? "ok" : "err");
  }

  // Some of those that are under way, in their order.
  void AnswerSome(uint64_t one_in) {
    for (size_t i = 0; i < under_way_.size();) {
      if (Below(one_in) == 0) {
        AnswerOne(i);
      } else {
        ++i;
      }
    }
  }

  void Mark() { Send({.number = 0, .kind = Kind::kNothing}, disk_->AskToMark()); }

  // While nothing is under way.
  void Jump() {
    Mark();
    AnswerSome(1);
    if (OneIn(2)) {
      ASSERT_EQ(past().LoseUnflushed({.keeps = CutKeeps::kTorn, .seed = random_()}), 0);
    } else {
      const uint64_t oldest =
          model_->requests().empty() ? past().sequence() : model_->requests()[0].number - 1;
      ASSERT_EQ(past().RollBack(oldest + Below(past().sequence() - oldest + 1)), 0);
    }
    model_->Jump(past().sequence(), Read(past(), 0, kSize));
    told_ += absl::StrCat(" ", past().sequence(), "J");
  }

  void MakeLog() {
    const bool is_new = disk_ == nullptr || OneIn(20);
    if (is_new) disk_ = std::make_unique<LoggedDisk>(kPages, 16 * kMiB);
    if (!is_new) disk_->FlushNow();
    first_ =
        Below((kSize - std::min<uint64_t>(kSize, 4 * unit_bytes_)) / unit_bytes_ + 1) * unit_bytes_;
    model_ = std::make_unique<CrashModel>(Read(past(), 0, kSize), unit_bytes_);
    told_.clear();
    for (uint64_t steps = 1 + Below(12); steps > 0; --steps) {
      AnswerSome(3);
      const uint64_t what = Below(20);
      if (what < 12) {
        Change();
      } else if (what < 17) {
        Send({.number = 0, .kind = Kind::kFlush}, disk_->AskToFlush());
      } else if (what < 18) {
        Mark();
      } else if (what < 19 || OneIn(2)) {
        ASSERT_EQ(past().FlushFalsely(), 0);
        model_->Send({.number = past().sequence(), .kind = Kind::kNothing});
      } else {
        ASSERT_NO_FATAL_FAILURE(Jump());
      }
    }
    AnswerSome(3);
  }

  // --- A cut ---

  void Check(uint64_t number) {
    const uint64_t at = model_->TimeOf(number);
    const auto cut = disk_->Cut(number, unit_bytes_);
    ASSERT_NE(cut, nullptr);
    ASSERT_NO_FATAL_FAILURE(CheckRequests(*cut, at));
    const std::set<std::string> legal = model_->States(at);
    ASSERT_NEAR(std::log2(legal.size()), cut->states_log2(), 1e-6);
    if (legal.size() <= kStatesMax) {
      const std::vector<std::string> all = disk_->AllBytes(cut);
      ASSERT_EQ(all.size(), legal.size());
      ASSERT_TRUE(std::set<std::string>(all.begin(), all.end()) == legal);
      ++looked_at_;
    }
    const auto is = [&](std::string_view name, auto is_there) {
      const std::optional<CrashChoice> choice = CrashChoice::Parse(name);
      ASSERT_TRUE(choice && choice->Fits(*cut)) << name;
      const std::string bytes = disk_->BytesOf(cut, *choice);
      ASSERT_TRUE(legal.contains(bytes)) << name;
      ASSERT_TRUE(bytes == model_->StateWith(at, is_there)) << name;
    };
    is("none", [](uint64_t, uint64_t) { return false; });
    is("all", [](uint64_t, uint64_t) { return true; });
    for (const LogEntry& request : cut->requests()) {
      const uint64_t it = request.number;
      is(absl::StrCat("before-", it), [it](uint64_t change, uint64_t) { return change < it; });
      is(absl::StrCat("without-", it), [it](uint64_t change, uint64_t) { return change != it; });
      is(absl::StrCat("only-", it), [it](uint64_t change, uint64_t) { return change == it; });
      ASSERT_NO_FATAL_FAILURE(CheckTears(*cut, request, is));
    }
    for (int i = 0; i < 3; ++i) {
      const std::string name = absl::StrCat(random_());
      const std::string bytes = disk_->BytesOf(cut, *CrashChoice::Parse(name));
      ASSERT_TRUE(legal.contains(bytes)) << name;
      ASSERT_TRUE(bytes == disk_->BytesOf(cut, *CrashChoice::Parse(name))) << name;
    }
  }

  void CheckRequests(const CrashCut& cut, uint64_t at) {
    std::vector<uint64_t> numbers;
    for (const LogEntry& request : cut.requests()) numbers.push_back(request.number);
    std::vector<uint64_t> wanted;
    for (const Request& request : model_->MayBeLost(at)) wanted.push_back(request.number);
    ASSERT_EQ(numbers, wanted);
    ASSERT_TRUE(!wanted.empty() || cut.units().empty());
  }

  // Between two units, and with something on both sides.
  template <typename Is>
  void CheckTears(const CrashCut& cut, const LogEntry& request, Is is) {
    const uint64_t first = request.offset / kSector;
    const uint64_t end = (request.offset + request.length + kSector - 1) / kSector;
    for (uint64_t sectors = 0; sectors <= end - first + 1; ++sectors) {
      const std::string name = absl::StrCat("torn-", request.number, "-", sectors);
      const uint64_t tear = (first + sectors) * kSector;
      const bool fits = sectors > 0 && sectors < end - first && tear % unit_bytes_ == 0;
      ASSERT_EQ(CrashChoice::Parse(name)->Fits(cut), fits) << name;
      if (!fits) continue;
      ++tears_;
      is(name, [&](uint64_t change, uint64_t unit) {
        return change < request.number || (change == request.number && unit * unit_bytes_ < tear);
      });
      if (HasFatalFailure()) return;
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const uint32_t unit_bytes_ = GetParam();
  uint64_t first_ = 0;  // of the area in which changes are
  std::unique_ptr<LoggedDisk> disk_;
  std::unique_ptr<CrashModel> model_;
  struct UnderWay {
    size_t index;
    Asked asked;
  };
  std::vector<UnderWay> under_way_;
  std::string told_;
  uint64_t looked_at_ = 0;
  uint64_t tears_ = 0;
};

TEST_P(CutRandom, HasAllStatesThatMayHaveBeenAndNoOther) {
  const uint64_t logs = FromEnvironment("RNULLFS_TEST_STEPS", Repetitions(1000));
  for (uint64_t log = 0; log < logs && !HasFatalFailure(); ++log) {
    ASSERT_NO_FATAL_FAILURE(MakeLog());
    SCOPED_TRACE(absl::StrCat("log ", log, ":", told_));
    const uint64_t first =
        model_->requests().empty() ? past().sequence() + 1 : model_->requests()[0].number;
    for (uint64_t number = first; number <= past().sequence() + 1; ++number) {
      SCOPED_TRACE(absl::StrCat("the cut ", number));
      Check(number);
      if (HasFatalFailure()) break;
    }
    AnswerSome(1);
  }
  std::printf("%llu cuts, %llu torn requests\n", static_cast<unsigned long long>(looked_at_),
              static_cast<unsigned long long>(tears_));
  EXPECT_TRUE(HasFatalFailure() || looked_at_ > logs);
}

INSTANTIATE_TEST_SUITE_P(Units, CutRandom, testing::Values(512, 1024, 2048, 4096),
                         [](const auto& unit) { return absl::StrCat("Of", unit.param); });

}  // namespace
}  // namespace rnullfs
