#include "fuse/parking.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "fuse/turns.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kDevice = 7;
constexpr milliseconds kPatience(30);
constexpr milliseconds kMuchLater(300);

// Of two threads, and of a kernel that a test plays.
class ParkingTest : public testing::Test {
 protected:
  ParkingTest() {
    std::array<int, 2> ends = {-1, -1};
    EXPECT_EQ(pipe(ends.data()), 0);
    fuse_ = UniqueFd(ends[0]);
    kernel_ = UniqueFd(ends[1]);
    EXPECT_TRUE(parking_.Start(turns_, fuse_.get()).ok());
  }

  void Park() {
    parking_.Park(kDevice, kPatience, [this](IfOpen if_open) {
      refused_ = !closed_ && if_open == IfOpen::kRefuse;
      done_ = closed_ || refused_;
      return done_.load();
    });
  }
  void Close() {
    closed_ = true;
    parking_.NoteClose(kDevice);
  }
  void AwaitDone() {
    while (!done_) std::this_thread::sleep_for(milliseconds(1));
  }

  Turns turns_{2};
  Parking parking_;
  UniqueFd fuse_;
  UniqueFd kernel_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> done_{false};
  std::atomic<bool> refused_{false};
};

TEST_F(ParkingTest, IsRefusedWhenItsPatienceEnds) {
  Park();
  AwaitDone();
  EXPECT_TRUE(refused_);
}

TEST_F(ParkingTest, IsDoneWhenTheCloseIsHeardOf) {
  Park();
  Close();
  AwaitDone();
  EXPECT_FALSE(refused_);
}

TEST_F(ParkingTest, WaitsForWhoHasTheCloseInHand) {
  std::optional<Turns::Turn> turn(std::in_place, turns_, 1);
  Park();
  std::this_thread::sleep_for(kMuchLater);
  EXPECT_FALSE(done_);
  Close();
  turn.reset();
  AwaitDone();
  EXPECT_FALSE(refused_);
}

TEST_F(ParkingTest, DoesNotWaitForWhatIsReceivedAfterItsPatience) {
  std::optional<Turns::Turn> before(std::in_place, turns_, 0);
  Park();
  std::this_thread::sleep_for(kMuchLater);
  const Turns::Turn behind(turns_, 1);
  EXPECT_FALSE(done_);
  before.reset();
  AwaitDone();
  EXPECT_TRUE(refused_);
}

TEST_F(ParkingTest, WaitsUntilTheKernelHasNothingThatNobodyHasRead) {
  char release = 'r';
  ASSERT_EQ(write(kernel_.get(), &release, 1), 1);
  Park();
  std::this_thread::sleep_for(kMuchLater);
  EXPECT_FALSE(done_);
  std::optional<Turns::Turn> turn(std::in_place, turns_, 0);
  ASSERT_EQ(read(fuse_.get(), &release, 1), 1);
  std::this_thread::sleep_for(kMuchLater);
  EXPECT_FALSE(done_) << "it has been read, and is in hand";
  Close();
  turn.reset();
  AwaitDone();
  EXPECT_FALSE(refused_);
}

// It may wait for something itself.
TEST_F(ParkingTest, DoesNotWaitForEver) {
  const Turns::Turn turn(turns_, 0);
  Park();
  AwaitDone();
  EXPECT_TRUE(refused_);
}

TEST_F(ParkingTest, IsRefusedAtTheEnd) {
  const Turns::Turn turn(turns_, 0);
  Park();
  parking_.Stop();
  EXPECT_TRUE(refused_);
}

}  // namespace
}  // namespace rnullfs
