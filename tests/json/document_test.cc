#include "json/document.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

namespace rnullfs {
namespace {

TEST(Document, ShowsValuesInTheOrderTheyWereAdded) {
  Document inner;
  inner.AddNumber("requests", 7);
  Document document;
  document.AddText("version", "0.1.0")
      .AddBool("powered", true)
      .AddNumber("bytes", std::numeric_limits<uint64_t>::max())
      .AddList("options", {"ro", "size=8G"})
      .AddList("none", {})
      .AddObject("reads", inner)
      .AddBool("a", false);
  EXPECT_EQ(document.Text(),
            R"({
  "version": "0.1.0",
  "powered": true,
  "bytes": 18446744073709551615,
  "options": [
    "ro",
    "size=8G"
  ],
  "none": [],
  "reads": {
    "requests": 7
  },
  "a": false
}
)");
}

TEST(Document, OfNothingIsAnEmptyObject) { EXPECT_EQ(Document().Text(), "{}\n"); }

TEST(Document, EscapesTextAndReplacesWhatIsNotUtf8) {
  Document document;
  document.AddText("\xff", "a\"b\n\xc3\xa4\xc3");
  EXPECT_EQ(document.Text(), "{\n  \"\xef\xbf\xbd\": \"a\\\"b\\n\xc3\xa4\xef\xbf\xbd\"\n}\n");
}

TEST(Document, MovesWithItsContents) {
  Document from;
  from.AddNumber("x", 1);
  Document to(std::move(from));
  Document last;
  last = std::move(to);
  EXPECT_EQ(last.Text(), "{\n  \"x\": 1\n}\n");
}

}  // namespace
}  // namespace rnullfs
