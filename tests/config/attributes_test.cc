#include "rnullfs/attributes.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "config/status_matchers.h"

namespace rnullfs {
namespace {

struct Case {
  std::string_view name;
  std::string_view text;
  std::string_view shown;  // what the file shows afterwards
};

struct Refusal {
  std::string_view name;
  std::string_view text;
  std::string_view sentence;
};

const Attribute& Row(std::string_view name) {
  const Attribute* row = FindAttribute(name);
  EXPECT_NE(row, nullptr) << name;
  return *row;
}

TEST(Attributes, AreTheSeedsAndOurs) {
  EXPECT_EQ(FeaturesLine(),
            "blocksize,size,rotational,irqmode,completion_nsec,memory_backed,datapath\n");
  EXPECT_EQ(Attributes().front().name, "power");
  EXPECT_EQ(Attributes().size(), 8U);
}

TEST(Attributes, ShowTheirDefaults) {
  const Case cases[] = {
      {"power", "", "0\n"},         {"blocksize", "", "4096\n"}, {"size", "", "4096\n"},
      {"rotational", "", "0\n"},    {"irqmode", "", "0\n"},      {"completion_nsec", "", "10000\n"},
      {"memory_backed", "", "0\n"}, {"datapath", "", "auto\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(ShowAttribute(Row(c.name), {}), c.shown) << c.name;
}

TEST(Attributes, RowsKeepTheTablesPromises) {
  std::set<std::string_view> names;
  for (const Attribute& row : Attributes()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.alias.empty() || names.insert(row.alias).second) << row.alias;
    EXPECT_EQ(FindAttribute(row.name), &row);
    EXPECT_FALSE(row.accepts.empty()) << row.name;
    EXPECT_FALSE(row.summary.empty()) << row.name;
    EXPECT_EQ(row.feature, row.name != "power");
    EXPECT_EQ(row.live, row.name == "power" || row.name == "datapath");
    DeviceConfig config;
    EXPECT_TRUE(SetValue(row, GetValue(row, config), config).ok()) << row.name;
    EXPECT_EQ(config, DeviceConfig()) << row.name;
  }
}

TEST(Attributes, AreFoundByNameOnly) {
  for (const std::string_view name : {"", "gb", "bs", "Power", "power ", "siz", "features"}) {
    EXPECT_EQ(FindAttribute(name), nullptr) << name;
  }
}

TEST(Attributes, TakeText) {
  const Case cases[] = {
      {"power", "1\n", "1\n"},
      {"power", "on", "1\n"},
      {"rotational", "Y", "1\n"},
      {"memory_backed", "true\n", "1\n"},
      {"memory_backed", "off\n", "0\n"},
      {"datapath", "passthrough\n", "passthrough\n"},
      {"datapath", " daemon ", "daemon\n"},
      {"blocksize", "512\n", "512\n"},
      {"blocksize", " 0x400 ", "1024\n"},
      {"blocksize", "2048", "2048\n"},
      {"blocksize", "4096", "4096\n"},
      {"size", "0", "0\n"},
      {"size", "18446744073709551615", "18446744073709551615\n"},
      {"irqmode", "0", "0\n"},
      {"irqmode", "1", "1\n"},
      {"irqmode", "2\n", "2\n"},
      {"completion_nsec", "0", "0\n"},
      {"completion_nsec", "3600000000000", "3600000000000\n"},
  };
  for (const Case& c : cases) {
    DeviceConfig config;
    EXPECT_TRUE(StoreAttribute(Row(c.name), c.text, config).ok()) << c.name << c.text;
    EXPECT_EQ(ShowAttribute(Row(c.name), config), c.shown) << c.name << c.text;
  }
}

TEST(Attributes, RefuseTextWithASentence) {
  const Refusal cases[] = {
      {"blocksize", "513\n",
       "blocksize: 513 is not accepted; it takes a power of two from 512 to 4096 (bytes)"},
      {"blocksize", "-1",
       "blocksize: -1 is not accepted; it takes a power of two from 512 to 4096 (bytes)"},
      {"blocksize", "\n",
       "blocksize: \"\" is not accepted; it takes a power of two from 512 to 4096 (bytes)"},
      {"blocksize", "0x201",
       "blocksize: 0x201 is not accepted; it takes a power of two from 512 to 4096 (bytes)"},
      {"size", "8G\n", "size: 8G is not accepted; it takes a whole number (MiB)"},
      {"size", "1 2", "size: \"1 2\" is not accepted; it takes a whole number (MiB)"},
      {"irqmode", "3", "irqmode: 3 is not accepted; it takes 0 (none), 1 (soft) or 2 (timer)"},
      {"completion_nsec", "3600000000001",
       "completion_nsec: 3600000000001 is not accepted; it takes 0 to 3600000000000 (ns)"},
      {"power", " 1\n", "power: \" 1\" is not accepted; it takes 1 or 0, also y/n, t/f, on/off"},
      {"power", "\x01\"\\\xff",
       "power: \"\\x01\\\"\\\\\\xff\" is not accepted; it takes 1 or 0, also y/n, t/f, on/off"},
  };
  for (const Refusal& c : cases) {
    DeviceConfig config;
    EXPECT_THAT(StoreAttribute(Row(c.name), c.text, config), Einval(c.sentence));
    EXPECT_EQ(config, DeviceConfig()) << c.name;
  }
}

TEST(Attributes, RefuseWhatTheirTypesCannotHold) {
  const Refusal cases[] = {
      {"blocksize", "0", ""},
      {"blocksize", "256", ""},
      {"blocksize", "8192", ""},
      {"blocksize", "4294967808", ""},  // 2^32 + 512
      {"blocksize", "4096x", ""},
      {"size", "18446744073709551616", ""},
      {"size", "", ""},
      {"size", "1.5", ""},
      {"irqmode", "256", ""},
      {"irqmode", "timer", ""},
      {"completion_nsec", "-1", ""},
      {"completion_nsec", "18446744073709551615", ""},
      {"power", "2", ""},
      {"power", "", ""},
      {"memory_backed", "maybe", ""},
      {"datapath", "Auto", "auto, passthrough or daemon"},
      {"datapath", "1", "auto, passthrough or daemon"},
  };
  for (const Refusal& c : cases) {
    DeviceConfig config;
    EXPECT_THAT(StoreAttribute(Row(c.name), c.text, config),
                EinvalWith(std::string(c.name) + ": "));
    EXPECT_EQ(config, DeviceConfig()) << c.name << c.text;
  }
}

TEST(Attributes, CutALongValueInTheSentence) {
  DeviceConfig config;
  const std::string text(4095, '9');
  EXPECT_THAT(StoreAttribute(Row("size"), text, config),
              Einval("size: \"" + std::string(40, '9') +
                     "...\" is not accepted; it takes a whole number (MiB)"));
}

TEST(Attributes, SetValueChecksTheRange) {
  DeviceConfig config;
  EXPECT_THAT(SetValue(Row("power"), 2, config),
              Einval("power: 2 is not accepted; it takes 1 or 0, also y/n, t/f, on/off"));
  EXPECT_FALSE(SetValue(Row("irqmode"), 3, config).ok());
  EXPECT_FALSE(SetValue(Row("blocksize"), uint64_t{1} << 32, config).ok());
  EXPECT_EQ(config, DeviceConfig());
  EXPECT_TRUE(SetValue(Row("size"), std::numeric_limits<uint64_t>::max(), config).ok());
  EXPECT_TRUE(SetValue(Row("irqmode"), 2, config).ok());
  EXPECT_EQ(config.irqmode, IrqMode::kTimer);
  EXPECT_EQ(config.size, std::numeric_limits<uint64_t>::max());
}

TEST(Attributes, DifferWhereOneValueDoes) {
  for (const Attribute& changed : Attributes()) {
    DeviceConfig config;
    const uint64_t other = changed.name == "blocksize" ? 512 : 1;
    ASSERT_TRUE(SetValue(changed, other, config).ok()) << changed.name;
    for (const Attribute& row : Attributes()) {
      EXPECT_EQ(Differs(row, config, DeviceConfig()), &row == &changed) << row.name;
    }
  }
}

}  // namespace
}  // namespace rnullfs
