#include <gtest/gtest.h>

#include <random>

#include "config/json.h"
#include "config/status_matchers.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

using namespace std::string_literals;

struct Refusal {
  std::string text;
  std::string sentence;
};

void ExpectRefused(const Refusal& c) {
  EXPECT_THAT(ApplyJson(c.text, DeviceConfig()).status(), Einval(c.sentence)) << c.text;
}

TEST(ShowJson, ShowsEveryAttributeWithItsType) {
  EXPECT_EQ(ShowJson(DeviceConfig()), R"({
  "power": false,
  "blocksize": 4096,
  "size": 4096,
  "rotational": false,
  "irqmode": 0,
  "completion_nsec": 10000,
  "memory_backed": false,
  "datapath": "auto"
}
)");
}

TEST(ApplyJson, ChangesWhatIsNamedAndNothingElse) {
  const DeviceConfig start{.blocksize = 512, .completion_nsec = 5, .memory_backed = true};
  const auto applied =
      ApplyJson(" {\"size\" : 8,\r\n\t\"power\":true, \"memory_backed\": false }\n", start);
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(*applied,
            (DeviceConfig{.power = true, .blocksize = 512, .size = 8, .completion_nsec = 5}));
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
    const auto applied = ApplyJson("{\"size\":" + value + "}", DeviceConfig());
    ASSERT_TRUE(applied.ok()) << applied.status();
    EXPECT_EQ(applied->size, mib) << value;
  }
}

TEST(ApplyJson, RoundTripsWhatIsShown) {
  std::mt19937_64 random(1);  // NOLINT: the same configurations each time
  for (int i = 0; i < 1000; ++i) {
    DeviceConfig config;
    for (const Attribute& row : Attributes()) {
      // Of values of every magnitude one soon fits the row.
      while (!SetValue(row, (uint64_t{1} << random() % 64) - random() % 2, config).ok()) continue;
    }
    const auto applied = ApplyJson(ShowJson(config), DeviceConfig());
    ASSERT_TRUE(applied.ok()) << applied.status();
    EXPECT_EQ(*applied, config);
  }
}

TEST(ApplyJson, NamesKeyAndTypeOfAWrongValue) {
  const std::string size =
      " is not accepted; it takes a whole number (MiB), or text with the suffix K, M, G or T";
  const std::string blocksize =
      " is not accepted; it takes a power of two from 512 to 4096 (bytes), as a JSON number";
  const Refusal cases[] = {
      {R"({"power": 1})", "power: the number 1 is not accepted; it takes true or false"},
      {R"({"power": "on"})", "power: the text \"on\" is not accepted; it takes true or false"},
      {R"({"power": null})", "power: null is not accepted; it takes true or false"},
      {R"({"power": -1})", "power: the number -1 is not accepted; it takes true or false"},
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
    if (std::holds_alternative<bool DeviceConfig::*>(row.field) || !row.words.empty()) continue;
    DeviceConfig config;
    const uint64_t value = row.valid != nullptr || row.name == "irqmode" ? UINT64_MAX : 0;
    const absl::Status expected = SetValue(row, value, config);
    const auto applied = ApplyJson(
        "{\""s + std::string(row.name) + "\":" + std::to_string(value) + "}", DeviceConfig());
    EXPECT_EQ(applied.status(), expected) << row.name;
  }
}

TEST(ApplyJson, RefusesKeysThatAreUnknownOrStandTwice) {
  const std::string keys =
      " The keys are power, blocksize, size, rotational, irqmode, completion_nsec, memory_backed, "
      "datapath";
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

TEST(ApplyJson, SaysWhereTextIsNotJsonAndWhatItTakesThere) {
  const std::string key = " is not accepted; it takes a key in double quotes, or }";
  const std::string value =
      " is not accepted; it takes a value: a number, true, false, or text in double quotes";
  const std::string comma = " is not accepted; it takes a comma or }";
  const std::string one = " is not accepted; it takes one object, {...}";
  const std::string more = " is not accepted; it takes nothing more than one object";
  const Refusal cases[] = {
      {"5", "config.json: line 1, column 1: \"5\"" + one},
      {"\n [1]", "config.json: line 2, column 2: \"[1]\"" + one},
      {"\xef\xbb\xbf{}", "config.json: line 1, column 1: \"\\xef\\xbb\\xbf{}\"" + one},
      {"{} {}", "config.json: line 1, column 4: \"{}\"" + more},
      {"{} // all", "config.json: line 1, column 4: \"// all\"" + more},
      {"{}\0"s, "config.json: line 1, column 3: \"\\x00\"" + more},
      {"{size:8}", "config.json: line 1, column 2: \"size:8}\"" + key},
      {"{\n\n'size':8}", "config.json: line 3, column 1: \"'size':8}\"" + key},
      {"{\"size\":8,}",
       "config.json: line 1, column 11: \"}\" is not accepted; it takes a key in double quotes"},
      {"{\"a\" 1}", "config.json: line 1, column 6: \"1}\" is not accepted; it takes a colon"},
      {"{\"power\":\n True}", "config.json: line 2, column 2: \"True}\"" + value},
      {"{\"size\":+1}", "config.json: line 1, column 9: \"+1}\"" + value},
      {"{\"size\":\0}"s, "config.json: line 1, column 9: \"\\x00}\"" + value},
      {"{\"power\":tru}",
       "config.json: line 1, column 13: \"}\" is not accepted; it takes true, false or null"},
      {"{\"size\":010}", "config.json: line 1, column 10: \"10}\"" + comma},
      {"{\"size\":0x10}", "config.json: line 1, column 10: \"x10}\"" + comma},
      {"{\"size\":[1}",
       "config.json: line 1, column 11: \"}\" is not accepted; it takes a comma or ]"},
      {"{\"size\":-}", "config.json: line 1, column 10: \"}\" is not accepted; it takes a digit"},
      {"{\"size\":\"\xff\"}",
       "config.json: line 1, column 10: \"\\xff\\\"}\" is not accepted; it takes UTF-8 text "
       "without "
       "control characters, up to a double quote"},
      {"{\"\\x\"}",
       "config.json: line 1, column 4: \"x\\\"}\" is not accepted; it takes one of \" \\ / b f n r "
       "t "
       "u after a backslash"},
      {"{\"\\ud800\"}",
       "config.json: line 1, column 9: \"\\\"}\" is not accepted; it takes four hexadecimal digits "
       "after \\u, surrogates in pairs"},
  };
  for (const Refusal& c : cases) ExpectRefused(c);
}

TEST(ApplyJson, SaysWhatATextLacksThatEndsTooSoon) {
  const Refusal cases[] = {
      {"", "config.json: the text ends too soon; it takes one object, {...}"},
      {"{", "config.json: the text ends too soon; it takes a key in double quotes, or }"},
      {"{\"size\":8", "config.json: the text ends too soon; it takes a comma or }"},
      {"{\"size\":[[8]", "config.json: the text ends too soon; it takes a comma or ]"},
  };
  for (const Refusal& c : cases) ExpectRefused(c);
}

TEST(ApplyJson, PutsGrammarBeforeValues) {
  EXPECT_THAT(ApplyJson(R"({"x": 1, "blocksize": 513, "size": })", DeviceConfig()).status(),
              EinvalWith("line 1, column 36"));
}

TEST(ApplyJson, KeepsSentencesShort) {
  constexpr size_t kLongest = 300;
  const std::string name(60'000, 'x');
  const std::string digits(60'000, '7');
  for (const std::string& text :
       {"{\"" + name + "\":1}", "{\"size\":\"" + name + "\"}", "{\"size\":" + digits + "}",
        "{\"size\":" + digits.substr(0, 300) + "}", "{\"size\":\"" + name + "\"]"}) {
    const absl::Status status = ApplyJson(text, DeviceConfig()).status();
    EXPECT_EQ(ErrnoOf(status), EINVAL);
    EXPECT_LT(status.message().size(), kLongest);
  }
}

}  // namespace
}  // namespace rnullfs
