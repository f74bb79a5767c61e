#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "config/json.h"

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
TEST(ClassifyJson, SeesWhatCannotBecomeAnObjectAtTheFirstWrongByte) {
  const std::string texts[] = {
      "[",
      "5",
      "\"",
      "t",
      "\v",
      "\xef",
      "{]",
      "{,",
      "{1",
      "{a",
      "{'",
      "{/",
      "{}{",
      "{},",
      "{}\0"s,
      "{\"a\",",
      "{\"a\" 1",
      "{\"a\":,",
      "{\"a\":}",
      "{\"a\":]",
      "{\"a\"::",
      "{\"a\":1]",
      "{\"a\":1:",
      "{\"a\":1 1",
      "{\"a\":1,}",
      "{\"a\":1,,",
      "{\"a\":1,1",
      "{\"a\":[,",
      "{\"a\":[1,]",
      "{\"a\":[1}",
      "{\"a\":[1:",
      "{\"a\":{1",
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
      "{\"a\":01",
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
      "{\"\\ud800\\u0",
      "{\"\\ud800\\ud8",
      "{\"\\udc",
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

// A byte changed, lost or put in.
void Damage(std::mt19937& random, std::string& text) {
  const size_t at = random() % text.size();
  const auto byte =
      static_cast<char>(random() % 2 == 0 ? random() % 256 : text[random() % text.size()]);
  switch (random() % 3) {
    case 0:
      text[at] = byte;
      break;
    case 1:
      text.erase(at, 1);
      break;
    default:
      text.insert(at, 1, byte);
  }
}

// What is complete the JSON library accepts, and the other way round, but for what it alone takes:
// a NUL as the end of the text, and a byte order mark.
TEST(ClassifyJson, AgreesWithTheJsonLibraryOnDamagedText) {
  std::mt19937 random(7);  // NOLINT: the same damage each time
  int complete = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = kObjects[random() % std::size(kObjects)];
    for (unsigned more = random() % 3; more < 3 && text.size() > 1; ++more) Damage(random, text);
    if (text.find('\0') != std::string::npos) continue;
    const size_t first = text.find_first_not_of(" \t\r\n");
    const bool object = first != std::string::npos && text[first] == '{';
    const JsonText state = ClassifyJson(text);
    ASSERT_EQ(state == JsonText::kComplete, object && nlohmann::json::accept(text)) << text;
    if (state == JsonText::kComplete) ++complete;
  }
  EXPECT_GT(complete, 500);
}

TEST(ClassifyJson, TakesNumbersOfAnySize) {
  EXPECT_EQ(ClassifyJson(R"({"a": 18446744073709551616, "b": 1e999, "c": -1e-999})"),
            JsonText::kComplete);
}

TEST(ClassifyJson, TakesAnyDepthAndLength) {
  constexpr size_t kBytes = 64 * 1024;
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

}  // namespace
}  // namespace rnullfs
