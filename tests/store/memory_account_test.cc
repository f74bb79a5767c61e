#include "store/memory_account.h"

#include <gtest/gtest.h>

#include <memory>

namespace rnullfs {
namespace {

class AccountTest : public testing::Test {
 protected:
  void Settle(uint64_t taken, uint64_t stored) {
    account_->Settle(taken, [stored] { return stored; });
  }
  void EndReservation(uint64_t stored) {
    account_->EndReservation([stored] { return stored; });
  }

  MemoryLimit memory_{1000, +[] { return UINT64_MAX; }};
  std::unique_ptr<MemoryAccount> account_ = std::make_unique<MemoryAccount>(memory_);
};

TEST_F(AccountTest, ChargesWhatIsStoredAndWhatIsOnItsWay) {
  ASSERT_TRUE(account_->Take(100));
  ASSERT_TRUE(account_->Take(50));
  EXPECT_EQ(memory_.used_bytes(), 150);
  Settle(100, 100);
  EXPECT_EQ(memory_.used_bytes(), 150);
  Settle(50, 100);  // it came to nothing
  EXPECT_EQ(memory_.used_bytes(), 100);
  Settle(0, 30);  // discarded
  EXPECT_EQ(memory_.used_bytes(), 30);
}

TEST_F(AccountTest, ChargesAHugePageWhole) {
  ASSERT_TRUE(account_->Take(10));
  Settle(10, 512);
  EXPECT_EQ(memory_.used_bytes(), 512);
  EXPECT_FALSE(account_->Take(489));
}

TEST_F(AccountTest, AReservationIsChargedWholeAndAsksNoMore) {
  ASSERT_TRUE(account_->Take(100));
  Settle(100, 100);
  EXPECT_FALSE(account_->CouldReserve(1001));
  EXPECT_FALSE(account_->Reserve(1001));
  EXPECT_EQ(memory_.used_bytes(), 100);
  ASSERT_TRUE(account_->CouldReserve(1000));
  ASSERT_TRUE(account_->Reserve(1000));
  EXPECT_EQ(memory_.used_bytes(), 1000);
  EXPECT_TRUE(account_->Has(900));
  EXPECT_TRUE(account_->Take(900));
  Settle(900, 1000);
  EXPECT_EQ(memory_.used_bytes(), 1000);
  Settle(0, 300);
  EXPECT_EQ(memory_.used_bytes(), 1000);
  EndReservation(300);
  EXPECT_EQ(memory_.used_bytes(), 300);
  EXPECT_FALSE(account_->Has(701));
}

TEST_F(AccountTest, GivesAllBackInTheEnd) {
  ASSERT_TRUE(account_->Take(100));
  Settle(100, 100);
  account_.reset();
  EXPECT_EQ(memory_.used_bytes(), 0);
}

}  // namespace
}  // namespace rnullfs
