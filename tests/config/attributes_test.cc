#include "rnullfs/attributes.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <set>

#include "config/attribute_values.h"
#include "config/status_matchers.h"
#include "from_environment.h"
#include "rnullfs/error.h"

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

TEST(Attributes, AreTheSeedsThenTheKernelsThenOurs) {
  EXPECT_EQ(FeaturesLine(),
            "blocksize,size,rotational,irqmode,completion_nsec,memory_backed,submit_queues,"
            "use_per_node_hctx,discard,blocking,shared_tags,shared_tag_bitmap,no_sched,"
            "virt_boundary,poll_queues,home_node,hw_queue_depth,max_sectors,badblocks,"
            "badblocks_once,badblocks_partial_io,cache_size,cache_size_mib,fua,mbps,zoned,index,"
            "queue_mode,timeout_inject,requeue_inject,init_hctx_fault_inject,datapath,iops,seed,"
            "io_timeout,history,store_limit,origin,faults,cut_keeps,log_reads,"
            "log_fua,atomic\n");
  EXPECT_EQ(Attributes().front().name, "power");
}

TEST(Attributes, ShowTheirDefaults) {
  const Case cases[] = {
      {"power", "", "0\n"},
      {"blocksize", "", "4096\n"},
      {"size", "", "4096\n"},
      {"rotational", "", "0\n"},
      {"irqmode", "", "0\n"},
      {"completion_nsec", "", "10000\n"},
      {"memory_backed", "", "0\n"},
      {"datapath", "", "auto\n"},
      {"submit_queues", "", "1\n"},
      {"use_per_node_hctx", "", "0\n"},
      {"discard", "", "0\n"},
      {"blocking", "", "0\n"},
      {"shared_tags", "", "0\n"},
      {"shared_tag_bitmap", "", "0\n"},
      {"no_sched", "", "0\n"},
      {"virt_boundary", "", "0\n"},
      {"poll_queues", "", "0\n"},
      {"home_node", "", "-1\n"},
      {"hw_queue_depth", "", "64\n"},
      {"max_sectors", "", "0\n"},
      {"badblocks", "", ""},
      {"badblocks_once", "", "0\n"},
      {"badblocks_partial_io", "", "0\n"},
      {"cache_size", "", "0\n"},
      {"cache_size_mib", "", "0\n"},
      {"fua", "", "1\n"},
      {"mbps", "", "0\n"},
      {"zoned", "", "0\n"},
      {"index", "", "0\n"},
      {"queue_mode", "", "2\n"},
      {"timeout_inject/probability", "", "0\n"},
      {"requeue_inject/interval", "", "1\n"},
      {"init_hctx_fault_inject/times", "", "1\n"},
      {"timeout_inject/space", "", "0\n"},
      {"timeout_inject/verbose", "", "2\n"},
      {"iops", "", "0\n"},
      {"seed", "", "0\n"},
      {"io_timeout", "", "30000\n"},
      {"history", "", "0\n"},
      {"store_limit", "", "0\n"},
      {"origin", "", "\n"},
      {"faults", "", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(ShowAttribute(Row(c.name), {}), c.shown) << c.name;
}

TEST(Attributes, RowsKeepTheTablesPromises) {
  std::set<std::string_view> names;
  for (const Attribute& row : Attributes()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.alias.empty() || names.insert(row.alias).second) << row.alias;
    EXPECT_EQ(FindAttribute(row.name), &row);
    EXPECT_FALSE(row.type->Accepts().empty()) << row.name;
    EXPECT_FALSE(row.summary.empty()) << row.name;
    const std::set<std::string_view> live = {"power",           "datapath",
                                             "badblocks",       "submit_queues",
                                             "poll_queues",     "history",
                                             "store_limit",     "origin",
                                             "faults",          "size",
                                             "irqmode",         "iops",
                                             "completion_nsec", "hw_queue_depth",
                                             "badblocks_once",  "mbps",
                                             "io_timeout",      "badblocks_partial_io",
                                             "cut_keeps",       "log_reads",
                                             "log_fua",         "atomic"};
    EXPECT_EQ(row.only_larger, row.name == "size");
    EXPECT_EQ(row.live, live.contains(row.name) || !DirectoryOf(row).empty()) << row.name;
    const bool late = row.inert() || row.takes_effect == TakesEffect::kPowerOn;
    EXPECT_TRUE(row.live || late) << row.name;
    if (row.read_only || ValueText(row, Settings()).empty()) continue;
    Settings settings;
    EXPECT_TRUE(StoreAttribute(row, ValueText(row, settings), settings).ok()) << row.name;
    EXPECT_EQ(settings, Settings()) << row.name;
  }
}

TEST(Attributes, AreFoundByNameOnly) {
  for (const std::string_view name :
       {"", "gb", "bs", "Power", "power ", "siz", "features", "timeout_inject", "times"}) {
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
      {"submit_queues", "1", "1\n"},
      {"home_node", "-2147483648", "-2147483648\n"},
      {"home_node", " 0x10\n", "16\n"},
      {"hw_queue_depth", "4294967295", "4294967295\n"},
      {"max_sectors", "8", "8\n"},
      {"badblocks", "+8-15\n", "8 8\n"},
      {"badblocks", "+0-511\n+512-512\n", "0 512\n512 1\n"},
      {"cache_size", "0x10", "16\n"},
      {"cache_size_mib", "3", "3\n"},
      {"fua", "n", "0\n"},
      {"mbps", "100\n", "100\n"},
      {"mbps", " 100:50 \n", "100:50\n"},
      {"mbps", "0:50", "0:50\n"},
      {"mbps", "0:0", "0\n"},
      {"iops", "4294967295", "4294967295\n"},
      {"queue_mode", "0", "0\n"},
      {"timeout_inject/probability", "100\n", "100\n"},
      {"timeout_inject/times", "-1\n", "-1\n"},
      {"requeue_inject/times", "2147483647\n", "2147483647\n"},
      {"init_hctx_fault_inject/verbose", "0\n", "0\n"},
      {"seed", "18446744073709551615", "18446744073709551615\n"},
      {"io_timeout", "1", "1\n"},
      {"io_timeout", "1s", "1000\n"},
      {"size", "8G\n", "8192\n"},
      {"size", "+64", "64\n"},
      {"blocksize", "4k\n", "4096\n"},
      {"completion_nsec", "50ms\n", "50000000\n"},
      {"completion_nsec", "10us", "10000\n"},
      {"mbps", "1G:512M", "1024:512\n"},
      {"timeout_inject/probability", "50%", "50\n"},
  };
  for (const Case& c : cases) {
    Settings settings;
    EXPECT_TRUE(StoreAttribute(Row(c.name), c.text, settings).ok()) << c.name << c.text;
    EXPECT_EQ(ShowAttribute(Row(c.name), settings), c.shown) << c.name << c.text;
  }
}

TEST(Attributes, RefuseTextWithASentence) {
  const Refusal cases[] = {
      {"blocksize", "513\n",
       "blocksize: 513 is not accepted; it takes a power of two from 512 to 4096 (bytes), or "
       "one with the suffix K"},
      {"blocksize", "-1",
       "blocksize: -1 is not accepted; it takes a power of two from 512 to 4096 (bytes), or "
       "one with the suffix K"},
      {"blocksize", "\n",
       "blocksize: \"\" is not accepted; it takes a power of two from 512 to 4096 (bytes), or "
       "one with the suffix K"},
      {"blocksize", "0x201",
       "blocksize: 0x201 is not accepted; it takes a power of two from 512 to 4096 (bytes), or "
       "one with the suffix K"},
      {"size", "8GB\n",
       "size: 8GB is not accepted; it takes a whole number (MiB), or one with the suffix K, M, G "
       "or T"},
      {"size", "1 2",
       "size: \"1 2\" is not accepted; it takes a whole number (MiB), or one with the suffix K, M, "
       "G or T"},
      {"irqmode", "3", "irqmode: 3 is not accepted; it takes 0 (none), 1 (soft) or 2 (timer)"},
      {"completion_nsec", "3600000000001",
       "completion_nsec: 3600000000001 is not accepted; it takes 0 to 3600000000000 (ns), or "
       "one with the suffix ns, us, ms or s"},
      {"submit_queues", "0",
       "submit_queues: 0 is not accepted; it takes 1 to the number of processors"},
      {"mbps", "1:2:3",
       "mbps: \"1:2:3\" is not accepted; it takes a number, 0 for no limit, or READ:WRITE for a "
       "limit of each (MiB/s), or one with the suffix K, M, G or T"},
      {"timeout_inject/probability", "101\n",
       "timeout_inject/probability: 101 is not accepted; it takes 0 to 100 (percent), or one "
       "with the suffix %"},
      {"power", " 1\n", "power: \" 1\" is not accepted; it takes 1 or 0, also y/n, t/f, on/off"},
      {"power", "\x01\"\\\xff",
       "power: \"\\x01\\\"\\\\\\xff\" is not accepted; it takes 1 or 0, also y/n, t/f, on/off"},
  };
  for (const Refusal& c : cases) {
    Settings settings;
    EXPECT_THAT(StoreAttribute(Row(c.name), c.text, settings), Einval(c.sentence));
    EXPECT_EQ(settings, Settings()) << c.name;
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
      {"submit_queues", "1000000", ""},
      {"home_node", "2147483648", ""},
      {"home_node", "- 1", ""},
      {"home_node", "--1", ""},
      {"hw_queue_depth", "0", ""},
      {"badblocks", "8-15", ""},
      {"badblocks", "+15-8", ""},
      {"badblocks", "", ""},
      {"mbps", "4294967296", ""},
      {"mbps", ":", ""},
      {"mbps", "-1", ""},
      {"queue_mode", "3", ""},
      {"requeue_inject/probability", "-1", ""},
      {"requeue_inject/times", "-2", ""},
      {"requeue_inject/times", "2147483648", ""},
      {"io_timeout", "0", ""},
      {"io_timeout", "3600001", ""},
  };
  for (const Refusal& c : cases) {
    Settings settings;
    EXPECT_THAT(StoreAttribute(Row(c.name), c.text, settings),
                EinvalWith(std::string(c.name) + ": "));
    EXPECT_EQ(settings, Settings()) << c.name << c.text;
  }
}

// The member that a row leads to is as wide as what its type takes.
TEST(Attributes, HoldWhatTheyTake) {
  for (const Attribute& row : Attributes()) {
    if (row.read_only) continue;
    for (const char* text :
         {"255", "256", "2147483647", "2147483648", "4294967295", "4294967296",
          "18446744073709551615", "-1", "-2147483648", "-2147483649", "-9223372036854775808"}) {
      Settings settings;
      if (!StoreAttribute(row, text, settings).ok() || row.type->Alone() == "1") continue;
      EXPECT_EQ(ValueText(row, settings), text) << row.name;
    }
  }
}

TEST(Attributes, CutALongValueInTheSentence) {
  Settings settings;
  const std::string text(4095, '9');
  EXPECT_THAT(StoreAttribute(Row("size"), text, settings),
              Einval("size: \"" + std::string(40, '9') +
                     "...\" is not accepted; it takes a whole number (MiB), or one with the "
                     "suffix K, M, G or T"));
}

TEST(Attributes, AreNotWrittenWhereTheyAreGiven) {
  Settings settings;
  EXPECT_EQ(ErrnoOf(StoreAttribute(Row("index"), "1", settings)), EACCES);
  EXPECT_EQ(settings, Settings());
}

TEST(Attributes, DifferWhereOneValueDoes) {
  for (const Attribute& changed : Attributes()) {
    if (changed.read_only) continue;
    Settings settings;
    ASSERT_TRUE(StoreAttribute(changed, OtherText(changed), settings).ok()) << changed.name;
    for (const Attribute& row : Attributes()) {
      EXPECT_EQ(Differs(row, settings, Settings()), &row == &changed) << row.name;
    }
  }
}

TEST(Attributes, MakeTheSameOfTheirValuesText) {
  std::mt19937_64 random(1);  // NOLINT: the same values each time
  for (uint64_t i = 0; i < Repetitions(1000); ++i) {
    for (const Attribute& row : Attributes()) {
      if (row.read_only) continue;
      Settings settings;
      ASSERT_TRUE(StoreAttribute(row, RandomText(row, random), settings).ok());
      const std::string text = ValueText(row, settings);
      Settings again;
      if (!text.empty()) {
        ASSERT_TRUE(StoreAttribute(row, text, again).ok()) << row.name << text;
      }
      EXPECT_EQ(again, settings) << row.name << ": " << text;
    }
  }
}

}  // namespace
}  // namespace rnullfs
