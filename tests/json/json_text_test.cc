#include <gtest/gtest.h>

#include <string>

#include "config/status_matchers.h"
#include "json/json.h"

namespace rnullfs {
namespace {

using namespace std::string_literals;

const std::string kObjects[] = {
    "{}",
    " \t\r\n{ \n} \t",
    R"({"power": true, "size": "8G"})",
    R"({"a": false, "b": null, "c": [], "d": {}, "e": [1, [2], {"f": [{}]}]})",
    R"({"n": [0, -0, 1, -12, 1.5, -0.25, 1e5, 1E+5, 2.5e-30, 42]})",
    R"({"\"\\\/\b\f\n\r\t": "\u0041\u00e9\ud83d\ude00\uFFFF"})",
    "{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\": \"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"}",
    R"({"unknown": 1, "unknown": 2, "blocksize": 513})",
    "{\n  \"power\": false,\n  \"blocksize\": 4096\n}\n",
};

// Where the object's last brace ends.
size_t EndOf(const std::string& object) { return object.rfind('}') + 1; }

TEST(ClassifyJson, KnowsEveryPrefixOfAnObject) {
  for (const std::string& object : kObjects) {
    for (size_t length = 0; length <= object.size(); ++length) {
      const std::string prefix = object.substr(0, length);
      const bool blank = prefix.find('{') == std::string::npos;
      const JsonText expected = blank                    ? JsonText::kBlank
                                : length < EndOf(object) ? JsonText::kIncomplete
                                                         : JsonText::kComplete;
      EXPECT_EQ(ClassifyJson(prefix), expected) << prefix;
    }
  }
}

TEST(ClassifyJson, TakesOnlyWhiteSpaceAfterAnObject) {
  for (const std::string& object : kObjects) {
    for (int c = 0; c < 256; ++c) {
      const auto ch = static_cast<char>(c);
      const bool space = " \t\r\n"s.find(ch) != std::string::npos;
      EXPECT_EQ(ClassifyJson(object + ch), space ? JsonText::kComplete : JsonText::kInvalid)
          << object << " and byte " << c;
    }
  }
}

TEST(ClassifyJson, TakesOnlyWhiteSpaceBeforeAnObject) {
  for (int c = 0; c < 256; ++c) {
    const auto ch = static_cast<char>(c);
    JsonText expected = JsonText::kInvalid;
    if (" \t\r\n"s.find(ch) != std::string::npos) expected = JsonText::kBlank;
    if (ch == '{') expected = JsonText::kIncomplete;
    EXPECT_EQ(ClassifyJson(std::string(1, ch)), expected) << c;
  }
}

// Each is invalid from its last byte on, and not before.
TEST(ClassifyJson, SeesWhatCannotBecomeAnObjectAtTheByteThatShowsIt) {
  const std::string texts[] = {
      "[",
      "5",
      "\"",
      "t",
      "\v",
      "\xef",
      "{]",
      "{,",
      "{1 ",
      "{a",
      "{'",
      "{/",
      "{}{",
      "{},",
      "{}\0"s,
      "{\"a\",",
      "{\"a\" 1 ",
      "{\"a\":,",
      "{\"a\":}",
      "{\"a\":]",
      "{\"a\"::",
      "{\"a\":1]",
      "{\"a\":1:",
      "{\"a\":1 1 ",
      "{\"a\":1,}",
      "{\"a\":1,,",
      "{\"a\":1,1 ",
      "{\"a\":[,",
      "{\"a\":[1,]",
      "{\"a\":[1}",
      "{\"a\":[1:",
      "{\"a\":{1 ",
      "{\"a\":{]",
      "{\"a\":\0"s,
      "{\"a\":tru]",
      "{\"a\":tx",
      "{\"a\":T",
      "{\"a\":truee",
      "{\"a\":nuL",
      "{\"a\":fals}",
      "{\"a\":N",
      "{\"a\":+",
      "{\"a\":.",
      "{\"a\":01 ",
      "{\"a\":-a",
      "{\"a\":--",
      "{\"a\":1.}",
      "{\"a\":1.e",
      "{\"a\":1e}",
      "{\"a\":1ee",
      "{\"a\":1e+}",
      "{\"a\":1e+-",
      "{\"a\":0x",
      "{\"a\":1_",
      "{\"a\n",
      "{\"a\x1f",
      "{\"a\0"s,
      "{\"\\x",
      "{\"\\0",
      "{\"\\u00g",
      "{\"\\uD800\"",
      "{\"\\ud800x",
      "{\"\\ud800\\n",
      "{\"\\ud800\\u0041",
      "{\"\\ud800\\ud800",
      "{\"\\udc00",
      "{\"\x80",
      "{\"\xc0",
      "{\"\xc1",
      "{\"\xc3\x28",
      "{\"\xe0\x80",
      "{\"\xed\xa0",
      "{\"\xf0\x80",
      "{\"\xf4\x90",
      "{\"\xf5",
      "{\"\xff",
  };
  for (const std::string& text : texts) {
    EXPECT_EQ(ClassifyJson(text), JsonText::kInvalid) << text;
    const JsonText before = ClassifyJson(text.substr(0, text.size() - 1));
    EXPECT_NE(before, JsonText::kInvalid) << text;
    EXPECT_EQ(ClassifyJson(text + "}"), JsonText::kInvalid) << text;
  }
}

// All texts over a small alphabet: an invalid one stays so whatever follows, one that is not can go
// on, and what a longer text is agrees with what its beginning was.
TEST(ClassifyJson, HasNoDeadEndsAndNoWayBack) {
  const std::string kAlphabet = "{}[]\":,1 ";
  constexpr size_t kMaxBytes = 6;
  const auto explore = [&](const auto& self, const std::string& text) -> void {
    const JsonText state = ClassifyJson(text);
    bool goes_on = false;
    for (const char c : kAlphabet) {
      const JsonText next = ClassifyJson(text + c);
      goes_on |= next != JsonText::kInvalid;
      if (state == JsonText::kInvalid) {
        ASSERT_EQ(next, JsonText::kInvalid) << text << c;
      }
      if (state == JsonText::kComplete) {
        ASSERT_EQ(next == JsonText::kComplete, c == ' ') << text << c;
      }
      if (next == JsonText::kComplete && state != next) {
        ASSERT_EQ(c, '}') << text << c;
      }
    }
    ASSERT_EQ(goes_on, state != JsonText::kInvalid) << text;
    if (text.size() == kMaxBytes || state == JsonText::kInvalid) return;
    for (const char c : kAlphabet) self(self, text + c);
  };
  explore(explore, "");
}

// A word is whole with the byte behind it.
TEST(ClassifyJson, WaitsForTheEndOfAWordThatMayNotStandThere) {
  for (const std::string text : {"{t", "{fals", "{-", "{1", "{\"a\":01", "{\"a\" 1e", "{\"a\"n",
                                 "{\"a\" \"b", "{\"a\":1 \"", "{\"a\":[1 nul"}) {
    EXPECT_EQ(ClassifyJson(text), JsonText::kIncomplete) << text;
    EXPECT_EQ(ClassifyJson(text + "\n"), JsonText::kInvalid) << text;
  }
  for (const std::string text : {"{}t", "{} \"", "{} -", "{}\n{\"a\""}) {
    EXPECT_EQ(ClassifyJson(text), JsonText::kInvalid) << text;
  }
}

TEST(ClassifyJson, TakesNumbersUpToTheLargestDouble) {
  EXPECT_EQ(ClassifyJson(R"({"a": 18446744073709551616, "b": 1e308, "c": -1e-999})"),
            JsonText::kComplete);
  EXPECT_EQ(ClassifyJson(R"({"a": 1e999)"), JsonText::kIncomplete);
  EXPECT_EQ(ClassifyJson(R"({"a": 1e999})"), JsonText::kInvalid);
  EXPECT_EQ(ClassifyJson(R"({"a": 1)" + std::string(400, '0') + "e-300}"), JsonText::kComplete);
}

TEST(ClassifyJson, TakesAnyDepthAndLength) {
  constexpr size_t kBytes = size_t{64} * 1024;
  const std::string open = "{\"a\":" + std::string(kBytes, '[');
  EXPECT_EQ(ClassifyJson(open), JsonText::kIncomplete);
  EXPECT_EQ(ClassifyJson(open + "}"), JsonText::kInvalid);
  const std::string closed = open + std::string(kBytes, ']') + "}";
  EXPECT_EQ(ClassifyJson(closed), JsonText::kComplete);
  EXPECT_FALSE(ApplyJson(closed, Settings()).ok());
  std::string objects;
  for (size_t i = 0; i < kBytes / 5; ++i) objects += "{\"a\":";
  EXPECT_EQ(ClassifyJson(objects), JsonText::kIncomplete);
  EXPECT_EQ(ClassifyJson("{\"" + std::string(kBytes, 'x')), JsonText::kIncomplete);
  EXPECT_EQ(ClassifyJson(std::string(kBytes, ' ')), JsonText::kBlank);
}

struct Refusal {
  std::string text;
  std::string sentence;
};

TEST(ApplyJson, SaysWhereTextIsNotJsonAndWhatItTakesThere) {
  const std::string key = " is not accepted; it takes a key in double quotes";
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
      {"{\"power\":tru}", "config.json: line 1, column 10: \"tru}\"" + value},
      {"{true:8}", "config.json: line 1, column 2: \"true:8}\"" + key},
      {"{\"a\" \"b\"}",
       "config.json: line 1, column 6: \"\\\"b\\\"}\" is not accepted; it takes a colon"},
      {"{} nul", "config.json: line 1, column 3: \" nul\"" + more},
      {"{} 1e999", "config.json: line 1, column 4: \"1e999\"" + more},
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
  for (const Refusal& c : cases) {
    EXPECT_THAT(ApplyJson(c.text, Settings()).status(), Einval(c.sentence)) << c.text;
  }
}

TEST(ApplyJson, SaysWhatATextLacksThatEndsTooSoon) {
  const Refusal cases[] = {
      {"", "config.json: the text ends too soon; it takes one object, {...}"},
      {"{", "config.json: the text ends too soon; it takes a key in double quotes"},
      {"{\"size\":8", "config.json: the text ends too soon; it takes a comma or }"},
      {"{\"size\":[[8]", "config.json: the text ends too soon; it takes a comma or ]"},
  };
  for (const Refusal& c : cases) {
    EXPECT_THAT(ApplyJson(c.text, Settings()).status(), Einval(c.sentence)) << c.text;
  }
}

TEST(ReadJson, KeepsOrder) {
  const JsonReading reading = ReadJson(R"({"b": 1, "a": [true, {"c": [1.50, -0]}], "b": null})");
  const std::vector<JsonValue>& members = reading.value.parts;
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members[0].key, "b");
  EXPECT_EQ(members[2].key, "b");
  const JsonValue& numbers = members[1].parts.at(1).parts.at(0);
  EXPECT_EQ(numbers.key, "c");
  EXPECT_EQ(numbers.parts.at(0).text, "1.50");
  EXPECT_EQ(numbers.parts.at(1).text, "0");
}

TEST(ReadJson, LeavesOutWhatIsTooDeep) {
  const auto lists = [](size_t levels) {
    return ReadJson("{\"a\":" + std::string(levels, '[') + "1" + std::string(levels, ']') +
                    ",\"b\":2}");
  };
  EXPECT_FALSE(lists(kJsonLevelsMax - 1).too_deep);
  const JsonReading deeper = lists(kJsonLevelsMax);
  EXPECT_EQ(deeper.text, JsonText::kComplete);
  EXPECT_TRUE(deeper.too_deep);
  const JsonValue* innermost = &deeper.value.parts.at(0);
  size_t levels = 1;
  for (; !innermost->parts.empty(); ++levels) innermost = innermost->parts.data();
  EXPECT_EQ(levels, kJsonLevelsMax - 1);
  EXPECT_EQ(deeper.value.parts.at(1).text, "2");
}

// Who reads the value knows what it is for.
TEST(ReadJson, EndsWithANumberThatIsTooLarge) {
  const JsonValue object = ReadJson(R"({"a": [1, 1e999, 2], "b": 1})").value;
  ASSERT_EQ(object.parts.size(), 1U);
  ASSERT_EQ(object.parts[0].parts.size(), 2U);
  EXPECT_EQ(object.parts[0].parts[1].text, "1e999");
}

TEST(ReadJson, HasNoValueOfWhatIsNoObject) {
  for (const char* text :
       {"", "{", "[1]", "{\"a\":1", "{\"a\":1e999", "{} 1", "{} 1e999", "{\"a\":}"}) {
    EXPECT_EQ(ReadJson(text).value.kind, JsonValue::Kind::kNull) << text;
  }
}

}  // namespace
}  // namespace rnullfs
