// The types of values alone, without the table.
#include <gtest/gtest.h>

#include "config/status_matchers.h"
#include "config/types/boolean.h"
#include "config/types/integer.h"
#include "config/types/line.h"
#include "config/types/ranges.h"
#include "config/types/rate.h"
#include "config/types/word.h"
#include "config/values_taken.h"

namespace rnullfs {
namespace {

constexpr Boolean kBoolean;
constexpr Integer<uint64_t> kTime({.min = 1, .max = 5'000}, "ms");
constexpr Integer<int64_t> kNode({.accepts = "a node"});
constexpr Integer<uint64_t> kEven({.valid = [](uint64_t number) { return number % 2 == 0; }});
constexpr Integer<uint64_t> kSize({.bare_text = true}, "MiB");
constexpr std::string_view kColours[] = {"red", "green", "blue"};
constexpr Word kColour(kColours);
constexpr Rate kRate("MiB/s");
constexpr Rate kRequests("requests/s");
constexpr Ranges kRanges;
constexpr Line kName({.bytes_max = 6, .accepts = "a short name"});
constexpr Line kNote({.bytes_max = 9});

TEST(ValueTypes, TakeText) {
  EXPECT_EQ(Taken(kBoolean, "on"), "1");
  EXPECT_EQ(Taken(kBoolean, "2"), "?");
  EXPECT_EQ(Taken(kTime, "2s"), "2000");
  EXPECT_EQ(Taken(kTime, "0"), "?");
  EXPECT_EQ(Taken(kTime, "6s"), "?");
  EXPECT_EQ(Taken(kNode, "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(Taken(kNode, "9223372036854775808"), "?");
  EXPECT_EQ(Taken(kEven, "0x10\n"), "16");
  EXPECT_EQ(Taken(kEven, "7"), "?");
  EXPECT_EQ(Taken(kSize, "8G"), "8192");
  EXPECT_EQ(Taken(kColour, " green\n"), "green");
  EXPECT_EQ(Taken(kColour, "1"), "?");
  EXPECT_EQ(Taken(kRate, "1G:5"), "1024:5");
  EXPECT_EQ(Taken(kRate, "0:0"), "0");
  EXPECT_EQ(Taken(kRequests, "1G"), "?");
  EXPECT_EQ(Taken(kRanges, "+8-15", BadBlocks()), "+8-15");
}

TEST(ValueTypes, TakeJson) {
  EXPECT_EQ(TakenJson(kBoolean, "true"), "1");
  EXPECT_EQ(TakenJson(kBoolean, "0"), "0");
  EXPECT_EQ(TakenJson(kBoolean, "\"1\""), "?");
  EXPECT_EQ(TakenJson(kTime, "\"2s\""), "2000");
  EXPECT_EQ(TakenJson(kTime, "\"2\""), "?");
  EXPECT_EQ(TakenJson(kTime, "2.0"), "?");
  EXPECT_EQ(TakenJson(kNode, "-1"), "-1");
  EXPECT_EQ(TakenJson(kSize, "\"2\""), "2");
  EXPECT_EQ(TakenJson(kSize, "-1"), "?");
  EXPECT_EQ(TakenJson(kColour, "\"blue\""), "blue");
  EXPECT_EQ(TakenJson(kColour, "\" blue\""), "?");
  EXPECT_EQ(TakenJson(kRate, "{\"write\":\"1G\"}"), "0:1024");
  EXPECT_EQ(TakenJson(kRate, "{\"read\":1,\"write\":2,\"read\":3}"), "?");
  EXPECT_EQ(TakenJson(kRequests, "\"7\""), "?");
  EXPECT_EQ(TakenJson(kRanges, "[\"8-15\",\"0x20-32\"]"), "+8-15\n+32-32");
  EXPECT_EQ(TakenJson(kRanges, "[\"-8-15\"]"), "?");
}

TEST(ValueTypes, MakeTheSameOfTheJsonTheyShow) {
  const std::tuple<const ValueType*, const char*, const char*> cases[] = {
      {&kBoolean, "1", "true"},
      {&kTime, "2s", "the number 2000"},
      {&kNode, "-7", "the number -7"},
      {&kSize, "1G", "the number 1024"},
      {&kColour, "red", "the text \"red\""},
      {&kRate, "7", "the number 7"},
      {&kRate, "7:0", "an object"},
      {&kRanges, "+1-2\n+4-9", "an array"},
      {&kName, "/dev/x", "the text \"/dev/x\""},
      {&kNote, "007", "the text \"007\""},
  };
  for (const auto& [type, text, shown] : cases) {
    const Value nothing = type == &kRanges ? Value(BadBlocks()) : Value();
    const absl::StatusOr<Value> value = type->Parse("x", text, nothing);
    ASSERT_TRUE(value.ok()) << text;
    const JsonValue json = type->ToJson(*value);
    EXPECT_EQ(Described(json), shown);
    const absl::StatusOr<Value> again = type->FromJson("x", json);
    ASSERT_TRUE(again.ok()) << text;
    EXPECT_EQ(*again, *value) << text;
  }
}

TEST(ValueTypes, RefuseWithWhatTheyTake) {
  EXPECT_THAT(kTime.Parse("x", "0\n", {}).status(),
              Einval("x: 0 is not accepted; it takes 1 to 5000 (ms), or one with the suffix us, ms "
                     "or s"));
  EXPECT_THAT(kTime.FromJson("x", Json("[1]")).status(),
              Einval("x: an array is not accepted; it takes 1 to 5000 (ms), as a JSON number, or "
                     "text with the suffix us, ms or s"));
  EXPECT_THAT(kNode.Parse("x", "y", {}).status(), Einval("x: y is not accepted; it takes a node"));
  EXPECT_THAT(kColour.FromJson("x", Json("null")).status(),
              Einval("x: null is not accepted; it takes red, green or blue, as a JSON string"));
  EXPECT_THAT(kRequests.FromJson("x", Json("{\"reed\":1}")).status(),
              Einval("x: the key reed is not accepted; it takes a JSON number (requests/s), or an "
                     "object with a number for \"read\" and one for \"write\""));
}

TEST(ValueTypes, ALineKeepsWhatATerminalShows) {
  EXPECT_EQ(Taken(kNote, "a b \n"), "a b ");
  EXPECT_EQ(Taken(kNote, ""), "");
  EXPECT_EQ(Taken(kNote, "\xc3\xa4"), "\xc3\xa4");
  EXPECT_EQ(Taken(kNote, "123456789\n"), "123456789");
  for (const std::string_view text :
       {"1234567890", "a\nb", "a\n\n", "\t", "\x1b[m", "\xff", "\xc3"}) {
    EXPECT_EQ(Taken(kNote, text), "?") << text;
  }
  EXPECT_EQ(TakenJson(kNote, "\"a\\nb\""), "?");
  EXPECT_EQ(TakenJson(kNote, "7"), "?");
  EXPECT_EQ(kNote.Show(Value(std::string("a"))), "a\n");
  EXPECT_THAT(kName.Parse("origin", "longname\n", {}).status(),
              Einval("origin: longname is not accepted; it takes a short name"));
  EXPECT_THAT(
      kNote.Parse("note", "\t", {}).status(),
      Einval("note: \"\\x09\" is not accepted; it takes a line of at most 9 bytes of UTF-8"));
}

TEST(ValueTypes, AListIsEdited) {
  const absl::StatusOr<Value> some = kRanges.Parse("badblocks", "+8-15 +20-29", BadBlocks());
  ASSERT_TRUE(some.ok());
  const absl::StatusOr<Value> less = kRanges.Parse("badblocks", "-8-19", *some);
  ASSERT_TRUE(less.ok());
  EXPECT_EQ(kRanges.Text(*less), "+20-29");
  EXPECT_EQ(kRanges.Show(*less), "20 10\n");
  EXPECT_NE(*less, *some);
  EXPECT_EQ(kRanges.Text(Value(BadBlocks())), "");
}

}  // namespace
}  // namespace rnullfs
