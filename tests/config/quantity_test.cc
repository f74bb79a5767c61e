#include "config/quantity.h"

#include <gtest/gtest.h>

#include <string>

namespace rnullfs {
namespace {

struct Case {
  std::string_view unit;
  std::string_view text;
  uint64_t value;
};

TEST(ParseQuantity, ReadsSizes) {
  const std::pair<std::string_view, uint64_t> cases[] = {
      {"0", 0},
      {"1536", 1536},
      {"1536M", 1536},
      {"1536m", 1536},
      {"8G", 8192},
      {"8g", 8192},
      {"8GiB", 8192},
      {"+8G", 8192},
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
  for (const auto& [text, mib] : cases) EXPECT_EQ(ParseQuantity(text, "MiB"), mib) << text;
}

TEST(ParseQuantity, ReadsTimesRatesAndTheRest) {
  const Case cases[] = {
      {"ns", "5", 5},
      {"ns", "5ns", 5},
      {"ns", "10us", 10'000},
      {"ns", "50ms", 50'000'000},
      {"ns", "1s", 1000000000},
      {"ns", "1 s\n", 1000000000},
      {"ms", "30s", 30'000},
      {"ms", "50ms", 50},
      {"ms", "2000us", 2},
      {"MiB/s", "1G", 1024},
      {"MiB/s", "2048K", 2},
      {"bytes", "4k", 4096},
      {"bytes", "4KiB", 4096},
      {"bytes", "0x200", 512},
      {"percent", "50%", 50},
      {"sectors of 512 bytes", "64K", 128},
      {"", "7", 7},
      {"requests/s", "7", 7},
  };
  for (const Case& c : cases) EXPECT_EQ(ParseQuantity(c.text, c.unit), c.value) << c.text;
}

TEST(ParseQuantity, RefusesFractionsUnknownSuffixesAndOverflow) {
  for (const std::string_view text : {"",
                                      "G",
                                      " ",
                                      "1.5G",
                                      "1G5",
                                      "8GG",
                                      "8GB",
                                      "8iB",
                                      "8P",
                                      "8B",
                                      "-8G",
                                      "++8G",
                                      "1023K",
                                      "1K",
                                      "iB",
                                      "GiB",
                                      "8GiBiB",
                                      "18014398509481984G",
                                      "17592186044416T",
                                      "18446744073709551616",
                                      "99999999999999999999T"}) {
    EXPECT_EQ(ParseQuantity(text, "MiB"), std::nullopt) << text;
  }
  const Case cases[] = {{"ns", "1m", 0},    {"ns", "1.5s", 0},       {"ns", "1S", 0},
                        {"ns", "s", 0},     {"ms", "1us", 0},        {"ms", "5ns", 0},
                        {"", "1s", 0},      {"requests/s", "1k", 0}, {"ns", "20000000000s", 0},
                        {"percent", "%", 0}};
  for (const Case& c : cases) EXPECT_EQ(ParseQuantity(c.text, c.unit), std::nullopt) << c.text;
}

}  // namespace
}  // namespace rnullfs
