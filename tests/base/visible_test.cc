#include "base/visible.h"

#include <gtest/gtest.h>

namespace rnullfs {
namespace {

TEST(Visible, LeavesTextAsItIs) {
  for (const std::string_view text : {"", "losetup", "two words", "hütte", "\u65e5\u672c",
                                      "\U0001f4be", "back\\slash", "a\u200db"}) {
    EXPECT_EQ(Visible(text), text);
    EXPECT_FALSE(HasControls(text)) << text;
  }
}

TEST(Visible, ShowsControlCharactersByTheirBytes) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"x\x1b[2J", "x\\x1b[2J"},
      {"a\nb", "a\\x0ab"},
      {"\x7f", "\\x7f"},
      {"\u009b31m", "\\xc2\\x9b31m"},
      {"\u0080", "\\xc2\\x80"},
      {"\u061c", "\\xd8\\x9c"},
      {"\u200e\u200f", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f"},
      {"a\u2028", "a\\xe2\\x80\\xa8"},
      {"\u202e", "\\xe2\\x80\\xae"},
      {"\u2066", "\\xe2\\x81\\xa6"},
      {"\u2069", "\\xe2\\x81\\xa9"},
  };
  for (const auto& [text, shown] : cases) {
    EXPECT_EQ(Visible(text), shown);
    EXPECT_TRUE(HasControls(text)) << shown;
  }
  EXPECT_FALSE(HasControls("\u00a0\u2027\u202f\u2065\u206a"));
}

TEST(Visible, ShowsBytesThatAreNoUtf8) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\xff", "\\xff"},
      {"\x9b"
       "1m",
       "\\x9b1m"},
      {"\xc3", "\\xc3"},
      {"\xc0\x80", "\\xc0\\x80"},           // an overlong NUL
      {"\xe0\x82\x9b", "\\xe0\\x82\\x9b"},  // an overlong CSI
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
      {"\xe2\x80", "\\xe2\\x80"},
      {"\xc3x", "\\xc3x"},
  };
  for (const auto& [text, shown] : cases) {
    EXPECT_EQ(Visible(text), shown);
    EXPECT_FALSE(HasControls(text)) << shown;
  }
}

TEST(VisibleInto, TakesWhatThereIsRoomForAndNoPartOfACharacter) {
  char room[9];
  const auto into = [&](std::string_view text) {
    return std::string_view(room, VisibleInto(text, room, sizeof room));
  };
  EXPECT_EQ(into("a\nb"), "a\\x0ab");
  EXPECT_EQ(into("123456789"), "123456789");
  EXPECT_EQ(into("1234567890"), "123456789");
  EXPECT_EQ(into("123456\n7"), "123456");
}

}  // namespace
}  // namespace rnullfs
