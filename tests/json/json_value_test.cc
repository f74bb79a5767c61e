// Pieces of JSON that are no objects, or are.

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "config/status_matchers.h"
#include "json/json.h"

namespace rnullfs {
namespace {

using namespace std::string_literals;
using Kind = JsonValue::Kind;

JsonValue Value(std::string_view text) {
  const auto value = ReadJsonValue(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : JsonValue();
}

TEST(ReadJsonValue, TakesEachKind) {
  struct Case {
    std::string text;
    Kind kind;
    std::string shown;
  };
  const Case cases[] = {
      {"null", Kind::kNull, ""},
      {"true", Kind::kBoolean, "true"},
      {"false", Kind::kBoolean, "false"},
      {"0", Kind::kNumber, "0"},
      {"18446744073709551615", Kind::kNumber, "18446744073709551615"},
      {"-12", Kind::kNumber, "-12"},
      {"12.5", Kind::kNumber, "12.5"},
      {"\"\"", Kind::kText, ""},
      {"\"a\\n\\u00e4}, \\\"it\\\": 1\"", Kind::kText, "a\n\xc3\xa4}, \"it\": 1"},
      {"[]", Kind::kList, ""},
      {"{}", Kind::kObject, ""},
  };
  for (const Case& c : cases) {
    for (const std::string& text : {c.text, " \t\r\n" + c.text + "\n"}) {
      const JsonValue value = Value(text);
      EXPECT_EQ(value.kind, c.kind) << text;
      EXPECT_EQ(value.key, "") << text;
      EXPECT_TRUE(value.parts.empty()) << text;
      EXPECT_EQ(value.text, c.shown) << text;
    }
  }
}

TEST(ReadJsonValue, KeepsWhatIsInIt) {
  const JsonValue list = Value(R"([{"unit":4,"versions":[1,9]}, {"it": {"it": null}}, "x"])");
  ASSERT_EQ(list.parts.size(), 3U);
  const JsonValue& unit = list.parts[0];
  EXPECT_EQ(unit.kind, Kind::kObject);
  ASSERT_EQ(unit.parts.size(), 2U);
  EXPECT_EQ(unit.parts[0].key, "unit");
  EXPECT_EQ(unit.parts[0].text, "4");
  EXPECT_EQ(unit.parts[1].key, "versions");
  ASSERT_EQ(unit.parts[1].parts.size(), 2U);
  EXPECT_EQ(unit.parts[1].parts[1].text, "9");
  EXPECT_EQ(list.parts[1].parts[0].key, "it");
  EXPECT_EQ(list.parts[1].parts[0].parts[0].key, "it");
  EXPECT_EQ(list.parts[2].text, "x");
}

TEST(ReadJsonValue, RefusesWhatIsNone) {
  const std::string texts[] = {
      "",
      " ",
      "\n",
      "tru",
      "nul",
      "True",
      "01",
      "+1",
      "-",
      "1.",
      ".5",
      "0x10",
      "1e400",
      "NaN",
      "'a'",
      "\"a",
      "\"\n\"",
      "\"\xff\"",
      "[",
      "]",
      "[1",
      "[1,]",
      "[,1]",
      "{",
      "}",
      "{]",
      "[}",
      "{\"a\"}",
      "{\"a\":}",
      "{a: 1}",
      "{\"a\": 1,}",
      "1 // one",
      "/* one */ 1",
      "\xef\xbb\xbf[]",
  };
  for (const std::string& text : texts) {
    EXPECT_EQ(ErrnoOf(ReadJsonValue(text).status()), EINVAL) << text;
  }
}

// It is read as a member of an object, which it must not get out of.
TEST(ReadJsonValue, RefusesWhatGoesOnBehindIt) {
  const std::string texts[] = {
      "1 2",
      "{} {}",
      "[] []",
      "[]]",
      "{}}",
      "1}",
      "1} ",
      "1,",
      "1, 2",
      "1, \"a\": 2",
      "1, \"it\": 2",
      "1}{\"it\": 2",
      "1}, {\"it\": 2",
      "null,",
      "\"a\": 1",
      "\"a\" \"b\"",
      "1\0"s,
      "1\0}"s,
      "\0"s,
      "[]\0[]"s,
  };
  for (const std::string& text : texts) {
    EXPECT_EQ(ErrnoOf(ReadJsonValue(text).status()), EINVAL) << text;
  }
}

TEST(ReadJsonValue, OfEveryTextThatIsCutOffOnlyTheWholeIsOne) {
  const std::string text = R"([{"unit":4,"versions":[1,9],"newest":1},{"a":"\u00e4","b":false}])";
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(ReadJsonValue(text.substr(0, length)).ok()) << text.substr(0, length);
  }
  EXPECT_TRUE(ReadJsonValue(text).ok());
}

// However deep it is, it does not end the program.
TEST(ReadJsonValue, RefusesWhatLiesTooDeep) {
  const auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_TRUE(ReadJsonValue(nested(kJsonLevelsMax - 1)).ok());
  EXPECT_FALSE(ReadJsonValue(nested(kJsonLevelsMax)).ok());
  EXPECT_FALSE(ReadJsonValue(nested(100000)).ok());
}

}  // namespace
}  // namespace rnullfs
