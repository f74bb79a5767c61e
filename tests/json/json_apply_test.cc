#include <gtest/gtest.h>

#include <random>

#include "config/attribute_values.h"
#include "config/status_matchers.h"
#include "from_environment.h"
#include "json/json.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

using namespace std::string_literals;

struct Refusal {
  std::string text;
  std::string sentence;
};

void ExpectRefused(const Refusal& c) {
  EXPECT_THAT(ApplyJson(c.text, Settings()).status(), Einval(c.sentence)) << c.text;
}

TEST(ShowJson, ShowsEveryAttributeWithItsType) {
  EXPECT_EQ(ShowJson(Settings()), R"({
  "power": false,
  "blocksize": 4096,
  "size": 4096,
  "rotational": false,
  "irqmode": 0,
  "completion_nsec": 10000,
  "memory_backed": false,
  "datapath": "auto",
  "submit_queues": 1,
  "use_per_node_hctx": false,
  "discard": false,
  "blocking": false,
  "shared_tags": false,
  "shared_tag_bitmap": false,
  "no_sched": false,
  "virt_boundary": false,
  "poll_queues": 0,
  "home_node": -1,
  "hw_queue_depth": 64,
  "max_sectors": 0,
  "badblocks": [],
  "badblocks_once": false,
  "badblocks_partial_io": false,
  "cache_size": 0,
  "fua": true,
  "mbps": 0,
  "zoned": false,
  "queue_mode": 2,
  "iops": 0,
  "seed": 0,
  "io_timeout": 30000,
  "history": 0,
  "store_limit": 0,
  "origin": "",
  "faults": {},
  "cut_keeps": "none",
  "log_reads": false,
  "log_fua": false,
  "atomic": 0,
  "timeout_inject": {
    "probability": 0,
    "interval": 1,
    "times": 1,
    "space": 0,
    "verbose": 2
  },
  "requeue_inject": {
    "probability": 0,
    "interval": 1,
    "times": 1,
    "space": 0,
    "verbose": 2
  },
  "init_hctx_fault_inject": {
    "probability": 0,
    "interval": 1,
    "times": 1,
    "space": 0,
    "verbose": 2
  }
}
)");
}

TEST(ShowJson, ShowsPartsWhereThereAreSome) {
  Settings settings;
  settings.config.mbps = {.read = 0, .write = 50};
  ASSERT_TRUE(settings.state.badblocks.Edit("+8-15 +100-100").ok());
  const std::string shown = ShowJson(settings);
  EXPECT_NE(shown.find("\"mbps\": {\n    \"read\": 0,\n    \"write\": 50\n  }"), std::string::npos);
  EXPECT_NE(shown.find("\"badblocks\": [\n    \"8-15\",\n    \"100-100\"\n  ]"), std::string::npos);
}

TEST(ApplyJson, ChangesWhatIsNamedAndNothingElse) {
  const Settings start{.config = {.blocksize = 512, .completion_nsec = 5, .memory_backed = true}};
  const auto applied =
      ApplyJson(" {\"size\" : 8,\r\n\t\"power\":true, \"memory_backed\": false }\n", start);
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(
      *applied,
      (Settings{.config = {.power = true, .blocksize = 512, .size = 8, .completion_nsec = 5}}));
  const auto unchanged = ApplyJson("{}", start);
  ASSERT_TRUE(unchanged.ok());
  EXPECT_EQ(*unchanged, start);
}

TEST(ApplyJson, TakesASizeAsTextToo) {
  const std::pair<std::string, uint64_t> cases[] = {
      {"8192", 8192},      {"\"8G\"", 8192},       {"\"1536M\"", 1536},
      {"\"2t\"", 2097152}, {"\"1024K\"", 1},       {"\"512\"", 512},
      {"-0", 0},           {"\"8\\u0047\"", 8192}, {"18446744073709551615", UINT64_MAX},
  };
  for (const auto& [value, mib] : cases) {
    const auto applied = ApplyJson("{\"size\":" + value + "}", Settings());
    ASSERT_TRUE(applied.ok()) << applied.status();
    EXPECT_EQ(applied->config.size, mib) << value;
  }
}

TEST(ApplyJson, TakesUnitsAndBooleansAsTheFilesDo) {
  const auto applied = ApplyJson(
      R"({"power": 1, "fua": 0, "blocksize": "1K", "completion_nsec": "50ms", "io_timeout": "2s",
          "cache_size": "1G", "mbps": "1G", "max_sectors": "64K",
          "timeout_inject": {"probability": "50%"}})",
      Settings());
  ASSERT_TRUE(applied.ok()) << applied.status();
  Settings expected = {.config = {.power = true,
                                  .blocksize = 1024,
                                  .completion_nsec = 50'000'000,
                                  .max_sectors = 128,
                                  .cache_size = 1024,
                                  .fua = false,
                                  .mbps = {.both = 1024},
                                  .io_timeout = 2'000}};
  expected.config.timeout_inject.probability = 50;
  EXPECT_EQ(*applied, expected);
  const auto rates = ApplyJson(R"({"mbps": {"read": "1G", "write": 5}, "power": 0})", Settings());
  ASSERT_TRUE(rates.ok()) << rates.status();
  EXPECT_EQ(rates->config.mbps, (RateLimit{.read = 1024, .write = 5}));
  EXPECT_EQ(ApplyJson(R"({"mbps": "1G:512M"})", Settings())->config.mbps,
            (RateLimit{.read = 1024, .write = 512}));
}

TEST(ApplyJson, RoundTripsWhatIsShown) {
  std::mt19937_64 random(1);  // NOLINT: the same configurations each time
  for (uint64_t i = 0; i < Repetitions(1000); ++i) {
    Settings settings;
    for (const Attribute& row : Attributes()) {
      if (row.read_only) continue;
      ASSERT_TRUE(StoreAttribute(row, RandomText(row, random), settings).ok()) << row.name;
    }
    const auto applied = ApplyJson(ShowJson(settings), Settings());
    ASSERT_TRUE(applied.ok()) << applied.status();
    EXPECT_EQ(*applied, settings);
  }
}

TEST(ApplyJson, NamesKeyAndTypeOfAWrongValue) {
  const std::string size =
      " is not accepted; it takes a whole number (MiB), as a JSON number, or text with the "
      "suffix K, M, G or T";
  const std::string blocksize =
      " is not accepted; it takes a power of two from 512 to 4096 (bytes), as a JSON number, or "
      "text with the suffix K";
  const Refusal cases[] = {
      {R"({"power": 2})", "power: the number 2 is not accepted; it takes true or false, or 1 or 0"},
      {R"({"power": "on"})",
       "power: the text \"on\" is not accepted; it takes true or false, or 1 or 0"},
      {R"({"power": null})", "power: null is not accepted; it takes true or false, or 1 or 0"},
      {R"({"power": -1})",
       "power: the number -1 is not accepted; it takes true or false, or 1 or 0"},
      {R"({"blocksize": true})", "blocksize: true" + blocksize},
      {R"({"blocksize": "512"})", "blocksize: the text \"512\"" + blocksize},
      {R"({"blocksize": 512.0})", "blocksize: the number 512.0" + blocksize},
      {R"({"blocksize": [512]})", "blocksize: an array" + blocksize},
      {R"({"blocksize": {"size": 1}})", "blocksize: an object" + blocksize},
      {R"({"size": 1e3})", "size: the number 1e3" + size},
      {R"({"size": -1})", "size: the number -1" + size},
      {R"({"size": 18446744073709551616})", "size: the number 18446744073709551616" + size},
      {R"({"size": 1e999})", "size: the number 1e999" + size},
      {R"({"size": [1e999]})", "size: an array" + size},
      {R"({"size": -9223372036854775809})", "size: the number -9223372036854775809" + size},
      {R"({"size": "1.5G"})", "size: the text \"1.5G\"" + size},
      {R"({"size": "8\u0000G"})", "size: the text \"8\\x00G\"" + size},
  };
  for (const Refusal& c : cases) ExpectRefused(c);
}

TEST(ApplyJson, SaysTheSameOfANumberAsTheFile) {
  for (const Attribute& row : Attributes()) {
    const JsonValue::Kind kind = row.type->ToJson(row.field.get({})).kind;
    const bool rate = std::holds_alternative<RateLimit>(row.field.get({}));
    if (kind != JsonValue::Kind::kNumber || rate || row.read_only || !DirectoryOf(row).empty()) {
      continue;
    }
    for (const std::string value : {"0", "18446744073709551615"}) {
      Settings settings;
      const absl::Status expected = StoreAttribute(row, value, settings);
      const auto applied =
          ApplyJson("{\""s + std::string(row.name) + "\":" + value + "}", Settings());
      EXPECT_EQ(applied.status(), expected) << row.name;
    }
  }
}

TEST(ApplyJson, TakesWhatHasParts) {
  const auto applied = ApplyJson(
      R"({"mbps": {"write": 50, "read": 100}, "iops": 7, "badblocks": ["8-15", "0x20-32"],
          "home_node": -1, "cache_size": "1G", "timeout_inject": {"times": -1, "probability": 5}})",
      Settings());
  ASSERT_TRUE(applied.ok()) << applied.status();
  Settings expected;
  expected.config.mbps = {.read = 100, .write = 50};
  expected.config.iops = {.both = 7};
  ASSERT_TRUE(expected.state.badblocks.Edit("+8-15 +32-32").ok());
  expected.config.cache_size = 1024;
  expected.state.timeout_inject.times = -1;
  expected.config.timeout_inject.probability = 5;
  EXPECT_EQ(*applied, expected);

  const auto changed = ApplyJson(
      R"({"mbps": 3, "iops": {"read": 1}, "badblocks": [], "timeout_inject": {}})", *applied);
  ASSERT_TRUE(changed.ok()) << changed.status();
  expected.config.mbps = {.both = 3};
  expected.config.iops = {.read = 1};
  expected.state.badblocks = {};
  EXPECT_EQ(*changed, expected);
}

TEST(ApplyJson, NamesTheWrongPart) {
  const std::string rate =
      " is not accepted; it takes a JSON number (MiB/s), or an object with a number for \"read\" "
      "and one for \"write\", or text with the suffix K, M, G or T";
  const std::string ranges =
      " is not accepted; it takes a JSON array of \"FIRST-LAST\", in 512-byte sectors";
  const Refusal cases[] = {
      {R"({"mbps": "100:50"})", "mbps: the text \"100:50\"" + rate},
      {R"({"mbps": {"read": -1}})", "mbps: the number -1" + rate},
      {R"({"mbps": {"red": 1}})", "mbps: the key red" + rate},
      {R"({"mbps": {"read": 1, "read": 2}})", "mbps: the key read" + rate},
      {R"({"mbps": {"read": {"read": 2}}})", "mbps: an object" + rate},
      {R"({"mbps": {"read": true}})", "mbps: true" + rate},
      {R"({"mbps": 4294967296})",
       "mbps: 4294967296 is not accepted; it takes a number, 0 for no limit, or READ:WRITE for a "
       "limit of each (MiB/s), or one with the suffix K, M, G or T"},
      {R"({"badblocks": "8-15"})", "badblocks: the text \"8-15\"" + ranges},
      {R"({"badblocks": ["+8-15"]})", "badblocks: the text \"+8-15\"" + ranges},
      {R"({"badblocks": ["15-8"]})", "badblocks: the text \"15-8\"" + ranges},
      {R"({"badblocks": [8]})", "badblocks: the number 8" + ranges},
      {R"({"badblocks": [["8-15"]]})", "badblocks: an array" + ranges},
      {R"({"badblocks": [null]})", "badblocks: null" + ranges},
      {R"({"timeout_inject": 5})",
       "timeout_inject: the number 5 is not accepted; it takes a JSON object with the names of its "
       "files"},
      {R"({"timeout_inject": {"probability": "5"}})",
       "timeout_inject/probability: the text \"5\" is not accepted; it takes 0 to 100 (percent), "
       "as a JSON number, or text with the suffix %"},
      {R"({"timeout_inject": {"probability": 101}})",
       "timeout_inject/probability: 101 is not accepted; it takes 0 to 100 (percent), or one "
       "with the suffix %"},
      {R"({"timeout_inject": {"tims": 1}})",
       "timeout_inject: tims: there is no such key. Did you mean times?"},
      {R"({"timeout_inject": {}, "timeout_inject": {}})",
       "timeout_inject: the key stands twice in the object"},
      {R"({"timeout_inject/times": 1})", "timeout_inject/times: there is no such key."},
      {R"({"index": 1})", "index: there is no such key."},
  };
  for (const Refusal& c : cases) {
    EXPECT_THAT(ApplyJson(c.text, Settings()).status(), EinvalWith(c.sentence)) << c.text;
  }
}

TEST(ApplyJson, RefusesKeysThatAreUnknownOrStandTwice) {
  const std::string keys = " config.json shows those there are";
  const Refusal cases[] = {
      {R"({"sise": 8})", "sise: there is no such key. Did you mean size?" + keys},
      {R"({"gb": 4})", "gb: there is no such key." + keys},
      {R"({"": 4})", "\"\": there is no such key." + keys},
      {R"({"x": [1, {"size": 5}], "y": 1})", "x: there is no such key." + keys},
      {R"({"x": 1e999})", "x: there is no such key." + keys},
      {R"({"size": 1, "size": 1})", "size: the key stands twice in the object"},
      {R"({"size": 1, "power": true, "si\u007ae": 2})", "size: the key stands twice in the object"},
  };
  for (const Refusal& c : cases) ExpectRefused(c);
}

TEST(ApplyJson, PutsGrammarBeforeValues) {
  EXPECT_THAT(ApplyJson(R"({"x": 1, "blocksize": 513, "size": })", Settings()).status(),
              EinvalWith("line 1, column 36"));
}

TEST(ApplyJson, KeepsSentencesShort) {
  constexpr size_t kLongest = 300;
  const std::string name(60'000, 'x');
  const std::string digits(60'000, '7');
  for (const std::string& text :
       {"{\"" + name + "\":1}", "{\"size\":\"" + name + "\"}", "{\"size\":" + digits + "}",
        "{\"size\":" + digits.substr(0, 300) + "}", "{\"size\":\"" + name + "\"]"}) {
    EXPECT_LT(ApplyJson(text, Settings()).status().message().size(), kLongest);
  }
}

}  // namespace
}  // namespace rnullfs
