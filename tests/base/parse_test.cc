#include "base/parse.h"

#include <gtest/gtest.h>

#include <string>

namespace rnullfs {
namespace {

using namespace std::string_view_literals;

TEST(ParseBool, TellsByTheFirstCharacters) {
  for (const std::string_view text : {"1", "y", "Y", "t", "T", "on", "ON", "oN", "On", "1\n", "yes",
                                      "true", "10", "1 0", "once", "y?"}) {
    EXPECT_EQ(ParseBool(text), true) << text;
  }
  for (const std::string_view text : {"0", "n", "N", "f", "F", "of", "OF", "off", "oFF", "0\n",
                                      "no", "false", "01", "often", "f1"}) {
    EXPECT_EQ(ParseBool(text), false) << text;
  }
}

TEST(ParseBool, RefusesTheRest) {
  const std::string_view texts[] = {"",  "\n", " ",   " 1", "\t0", "2", "-1",
                                    "o", "O",  "o\n", "ok", "x",   "a", "\0"sv};
  for (const std::string_view text : texts) {
    EXPECT_EQ(ParseBool(text), std::nullopt) << text;
  }
}

// Every first character, and every second one after an "o": as lib/kstrtox.c lists them.
TEST(ParseBool, AcceptsNothingElse) {
  for (int c = 0; c < 256; ++c) {
    const auto ch = static_cast<char>(c);
    const bool listed = ch != '\0' && "yYtT1nNfF0"sv.find(ch) != std::string_view::npos;
    EXPECT_EQ(ParseBool(std::string(1, ch)).has_value(), listed) << c;
    const bool second = ch != '\0' && "nNfF"sv.find(ch) != std::string_view::npos;
    EXPECT_EQ(ParseBool(std::string("o") + ch).has_value(), second) << c;
  }
}

TEST(ParseUnsigned, ReadsDecimalAndHexadecimal) {
  const std::pair<std::string_view, uint64_t> cases[] = {
      {"0", 0},
      {"512\n", 512},
      {" \t4096 \r\n\v\f", 4096},
      {"010", 10},
      {"0x10", 16},
      {"0XfF", 255},
      {" 0x0 ", 0},
      {"4294967296", 4294967296},
      {"18446744073709551615", UINT64_MAX},
      {"0xffffffffffffffff", UINT64_MAX},
      {"00000000000000000000000000000001", 1},
      {"+64", 64},
      {" +0x10\n", 16},
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(ParseUnsigned(text), value) << text;
}

TEST(ParseUnsigned, RefusesSignsAndGarbage) {
  const std::string_view texts[] = {"",     " ",    "\n",    "-1",    "-0",    "+",   "0x",
                                    "x1",   "0x-1", "0x+1",  "0x 1",  "0x0x1", "ff",  "0xg",
                                    "1.0",  "1e3",  "1,000", "1\0"sv, "\0"sv,  "1 2", "12a",
                                    "\xff", "++1",  "+-1",   "+ 1",   "-+1"};
  for (const std::string_view text : texts) {
    EXPECT_EQ(ParseUnsigned(text), std::nullopt) << text;
  }
}

TEST(ParseUnsigned, RefusesWhatNeedsMoreThan64Bits) {
  const std::string_view texts[] = {"18446744073709551616", "0x10000000000000000",
                                    "99999999999999999999999999"};
  for (const std::string_view text : texts) {
    EXPECT_EQ(ParseUnsigned(text), std::nullopt) << text;
  }
}

TEST(ParseSigned, TakesOneSign) {
  EXPECT_EQ(ParseSigned("-5"), -5);
  EXPECT_EQ(ParseSigned("+5"), 5);
  for (const std::string_view text : {"-+5", "+-5", "--5", "++5", "- 5", "+ 5"}) {
    EXPECT_EQ(ParseSigned(text), std::nullopt) << text;
  }
}

TEST(UpToNul, EndsWhereACProgramMeansIt) {
  EXPECT_EQ(UpToNul("512\0"sv), "512");
  EXPECT_EQ(UpToNul("1\0 2\0"sv), "1");
  EXPECT_EQ(UpToNul("\0"sv), "");
  EXPECT_EQ(UpToNul("512"), "512");
}

TEST(TrimSpace, TakesAsciiWhiteSpaceOff) {
  EXPECT_EQ(TrimSpace(" \t\n\v\f\ra b\r\n"), "a b");
  EXPECT_EQ(TrimSpace("\n \t"), "");
  EXPECT_EQ(TrimSpace(""), "");
  EXPECT_EQ(TrimSpace("\xc2\xa0x"), "\xc2\xa0x");
}

}  // namespace
}  // namespace rnullfs
