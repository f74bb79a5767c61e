#include "config/wording.h"

#include <gtest/gtest.h>

#include "config/status_matchers.h"

namespace rnullfs {
namespace {

TEST(Wording, ShowsPlainWordsBareAndTheRestQuoted) {
  EXPECT_EQ(Shown("8G"), "8G");
  EXPECT_EQ(Shown("-1.5"), "-1.5");
  EXPECT_EQ(Shown(""), "\"\"");
  EXPECT_EQ(Shown("a b"), "\"a b\"");
  EXPECT_EQ(Shown(std::string(40, 'x')), std::string(40, 'x'));
  EXPECT_EQ(Shown(std::string(41, 'x')), "\"" + std::string(40, 'x') + "...\"");
}

TEST(Wording, EscapesWhatCannotBePrinted) {
  EXPECT_EQ(Quoted(std::string_view("a\0b\n\t\x7f\"\\'\xc3", 10)),
            "\"a\\x00b\\n\\x09\\x7f\\\"\\\\'\\xc3\"");
}

TEST(Wording, SuggestsTheNearestName) {
  const std::vector<std::string_view> names = {"blocksize", "size", "memory_backed", "bs", "ro"};
  EXPECT_EQ(DidYouMean("blocksze", names), " Did you mean blocksize?");
  EXPECT_EQ(DidYouMean("sizze", names), " Did you mean size?");
  EXPECT_EQ(DidYouMean("memory", names), " Did you mean memory_backed?");
  EXPECT_EQ(DidYouMean("roo", names), " Did you mean ro?");
  EXPECT_EQ(DidYouMean("", names), "");
  EXPECT_EQ(DidYouMean("x", names), "");
  EXPECT_EQ(DidYouMean("xyz", names), "");
  EXPECT_EQ(DidYouMean("completely_other", names), "");
  EXPECT_EQ(DidYouMean(std::string(1000, 's'), names), "");
}

TEST(Wording, WrapsBetweenWords) {
  EXPECT_EQ(Wrapped("one two three", 2, 9), "  one two\n  three\n");
  EXPECT_EQ(Wrapped("exactly ten", 0, 11), "exactly ten\n");
  EXPECT_EQ(Wrapped("exactly ten", 0, 10), "exactly\nten\n");
  EXPECT_EQ(Wrapped("unbreakable", 2, 4), "  unbreakable\n");
}

TEST(Wording, RejectsWithNameValueAndWhatIsAccepted) {
  EXPECT_THAT(Rejected("x", "5", "6"), Einval("x: 5 is not accepted; it takes 6"));
}

}  // namespace
}  // namespace rnullfs
