#include "config/size_text.h"

#include <gtest/gtest.h>

namespace rnullfs {
namespace {

TEST(ParseSizeMib, ReadsSuffixes) {
  const std::pair<std::string_view, uint64_t> cases[] = {
      {"0", 0},
      {"1536", 1536},
      {"1536M", 1536},
      {"1536m", 1536},
      {"8G", 8192},
      {"8g", 8192},
      {"2T", 2 * 1024 * 1024},
      {"2t", 2 * 1024 * 1024},
      {"1024K", 1},
      {"0k", 0},
      {"0x10G", 16384},
      {" 8G\n", 8192},
      {"18446744073709551615", UINT64_MAX},
      {"18446744073709551615M", UINT64_MAX},
      {"18014398509481983G", 18446744073709550592U},
      {"17592186044415T", 18446744073708503040U},
  };
  for (const auto& [text, mib] : cases) EXPECT_EQ(ParseSizeMib(text), mib) << text;
}

TEST(ParseSizeMib, RefusesFractionsUnknownSuffixesAndOverflow) {
  for (const std::string_view text :
       {"", "G", " ", "1.5G", "1G5", "8GG", "8GB", "8GiB", "8P", "8B", "-8G", "+8G", "1023K", "1K",
        "18014398509481984G", "17592186044416T", "18446744073709551616", "99999999999999999999T"}) {
    EXPECT_EQ(ParseSizeMib(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace rnullfs
