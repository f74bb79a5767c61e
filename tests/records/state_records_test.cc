#include "records/state_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>

#include "config/attribute_values.h"
#include "from_environment.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

Ownership SomeOwnership(time_t second) {
  return {.mode = 0640,
          .uid = 10,
          .gid = 4'000'000'000,
          .accessed = {.tv_sec = second, .tv_nsec = 999'999'999},
          .modified = {.tv_sec = -5, .tv_nsec = 0},
          .changed = {.tv_sec = second, .tv_nsec = 1}};
}

DeviceRecord SomeDevice() {
  DeviceRecord record;
  record.id = 1ULL << 60;
  record.name = "not UTF-8: \xff\xfe";
  record.request = 42;
  record.config.config.power = true;
  record.config.config.size = 123;
  record.config.config.irqmode = IrqMode::kTimer;
  record.config.config.datapath = DataPath::kDaemon;
  record.created = SomeOwnership(1);
  record.ownership[16] = SomeOwnership(2);
  record.memfd = 77;
  record.opens = {{.handle = 3, .request = 40, .opener = "losetup (pid 7)", .passthrough = true},
                  {.handle = 9, .request = 0, .opener = "", .passthrough = false}};
  record.next_handle = 10;
  record.backing_id = 2;
  record.last_error = "a sentence\n";
  record.unfinished_json = "{\"size\":";
  record.writes_seen = 12;
  record.stored_seen = {.tv_sec = 3, .tv_nsec = 4};
  return record;
}

TEST(DeviceRecord, IsReadAsItWasWritten) {
  const DeviceRecord record = SomeDevice();
  const auto read = ReadDeviceRecord(WriteRecord(record));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(WriteRecord(*read), WriteRecord(record));
  EXPECT_EQ(read->name, record.name);
  EXPECT_EQ(read->config, record.config);
  EXPECT_EQ(read->ownership.at(16).accessed.tv_sec, 2);
  EXPECT_EQ(read->created.modified.tv_sec, -5);
  ASSERT_EQ(read->opens.size(), 2U);
  EXPECT_EQ(read->opens[0].opener, "losetup (pid 7)");
  EXPECT_TRUE(read->opens[0].passthrough);
  EXPECT_EQ(read->unfinished_json, record.unfinished_json);
  EXPECT_EQ(read->writes_seen, 12U);
  EXPECT_EQ(read->stored_seen.tv_nsec, 4);
}

TEST(DeviceRecord, KeepsEveryAttribute) {
  for (const Attribute& row : Attributes()) {
    DeviceRecord record;
    if (row.read_only) {
      record.config.config.index = 7;
    } else {
      ASSERT_TRUE(StoreAttribute(row, OtherText(row), record.config).ok()) << row.name;
    }
    EXPECT_EQ(ReadDeviceRecord(WriteRecord(record))->config, record.config) << row.name;
  }
}

TEST(DeviceRecord, IsReadAsTheFirstVersionWroteIt) {
  const std::string before =
      R"("config":{"blocksize":512,"completion_nsec":5,"datapath":2,"irqmode":2,)"
      R"("memory_backed":1,"power":1,"rotational":0,"size":64})";
  std::string record = WriteRecord(DeviceRecord());
  const size_t begin = record.find("\"config\":");
  ASSERT_NE(begin, std::string::npos);
  record.replace(begin, record.find("\"created\":") - 1 - begin, before);
  const auto read = ReadDeviceRecord(record);
  ASSERT_TRUE(read.ok()) << record;
  EXPECT_EQ(read->config, (Settings{.config = {.power = true,
                                               .blocksize = 512,
                                               .size = 64,
                                               .irqmode = IrqMode::kTimer,
                                               .completion_nsec = 5,
                                               .memory_backed = true,
                                               .datapath = DataPath::kDaemon}}));
}

// Takes `key` and its value out of the object; every value here is a number, a text or flat.
std::string Without(std::string json, const std::string& key) {
  const size_t begin = json.find("\"" + key + "\":");
  EXPECT_NE(begin, std::string::npos) << key;
  size_t end = begin;
  for (int depth = 0; depth > 0 || (json[end] != ',' && json[end] != '}'); ++end) {
    if (json[end] == '[' || json[end] == '{') ++depth;
    if (json[end] == ']' || json[end] == '}') --depth;
  }
  if (json[end] == ',') return json.erase(begin, end + 1 - begin);
  const size_t from = json[begin - 1] == ',' ? begin - 1 : begin;
  return json.erase(from, end - from);
}

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  EXPECT_NE(text.find(what), std::string::npos) << what;
  return text.replace(text.find(what), what.size(), with);
}

TEST(DeviceRecord, HasDefaultsForWhatItLacks) {
  DeviceRecord record;
  record.id = 3;
  record.config.config.size = 5;
  std::string text = WriteRecord(record);
  for (const char* key :
       {"created", "ownership", "opens", "next_handle", "backing_id", "last_error",
        "unfinished_json", "texts", "needs", "unfinished_begin", "request"}) {
    text = Without(text, key);
    const auto read = ReadDeviceRecord(text);
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(WriteRecord(*read), WriteRecord(record)) << key;
  }
}

TEST(DeviceRecord, HasDefaultsForAttributesItLacks) {
  DeviceRecord record;
  record.config.config.iops.both = 7;
  const auto read = ReadDeviceRecord(Without(WriteRecord(record), "iops"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->config, Settings());
}

TEST(DeviceRecord, CannotBeWithoutWhatItIs) {
  for (const char* key : {"id", "name", "config", "memfd"}) {
    EXPECT_FALSE(ReadDeviceRecord(Without(WriteRecord(DeviceRecord()), key)).ok()) << key;
  }
  for (const char* key : {"memory_limit", "next_id", "init"}) {
    EXPECT_FALSE(ReadMountRecord(Without(WriteRecord(MountRecord()), key)).ok()) << key;
  }
}

// A later version's: in the record, its configuration, an open, an owner, a text.
TEST(DeviceRecord, KeepsWhatItDoesNotKnow) {
  DeviceRecord device = SomeDevice();
  device.texts = {{.request = 8, .error = 22}};
  std::string text = WriteRecord(device);
  text = Replaced(text, "\"id\":", "\"colour\":{\"of\":[\"wood\",null,1.5]},\"id\":");
  text = Replaced(text, "\"blocksize\":", "\"wear\":[1,2],\"blocksize\":");
  text = Replaced(text, "\"handle\":3", "\"handle\":3,\"priority\":-4");
  text = Replaced(text, "\"gid\":", "\"acl\":\"u::rw\",\"gid\":");
  text = Replaced(text, "\"error\":22", "\"error\":22,\"when\":\"\u20ac\"");
  const auto read = ReadDeviceRecord(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, device.id);
  EXPECT_EQ(read->config.config.size, device.config.config.size);
  const std::string written = WriteRecord(*read);
  for (const char* kept : {"\"colour\":{\"of\":[\"wood\",null,1.5]}", "\"wear\":[1,2]",
                           "\"priority\":-4", "\"acl\":\"u::rw\"", "\"when\":\"\u20ac\""}) {
    EXPECT_THAT(written, testing::HasSubstr(kept));
  }
  EXPECT_EQ(WriteRecord(*ReadDeviceRecord(written)), written);
}

TEST(DeviceRecord, RefusesAnotherTypeAndWhatItWouldNeed) {
  const std::string text = WriteRecord(DeviceRecord());
  EXPECT_FALSE(ReadDeviceRecord(Replaced(text, "\"texts\":[]", "\"texts\":{}")).ok());
  EXPECT_FALSE(ReadDeviceRecord(Replaced(text, "\"memfd\":0", "\"memfd\":\"0\"")).ok());
  const auto needs = ReadDeviceRecord(Replaced(text, "\"needs\":[]", "\"needs\":[\"zones\"]"));
  ASSERT_FALSE(needs.ok());
  EXPECT_THAT(std::string(needs.status().message()), testing::HasSubstr("zones"));
  EXPECT_TRUE(ReadDeviceRecord(Replaced(text, "\"needs\":[]", "\"needs\":[\"past\"]")).ok());
  // What is kept is written by recursion.
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_FALSE(ReadDeviceRecord(Replaced(text, "\"id\":", "\"x\":" + deep + ",\"id\":")).ok());
}

TEST(MountRecord, KeepsWhatItDoesNotKnow) {
  const std::string text =
      Replaced(WriteRecord(MountRecord()), "\"init\":", "\"colour\":1,\"init\":");
  const auto read = ReadMountRecord(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(WriteRecord(*read), testing::HasSubstr("\"colour\":1"));
}

TEST(MountRecord, IsReadAsItWasWritten) {
  MountRecord record;
  record.memory_limit = UINT64_MAX;
  record.next_id = 5;
  record.ownership[1] = SomeOwnership(3);
  record.removals = {2, 4, 6};
  record.init = std::string("\x68\0\0\0", 4);
  record.capabilities = {"async_dio", "passthrough"};
  record.counters_layout = 9;
  record.counters = {"reads.bytes counter 16x1 8", "of a later version"};
  const auto read = ReadMountRecord(WriteRecord(record));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(WriteRecord(*read), WriteRecord(record));
  EXPECT_EQ(read->init, record.init);
  EXPECT_EQ(read->removals, record.removals);
}

TEST(StateRecords, RefuseEachOther) {
  EXPECT_FALSE(ReadMountRecord(WriteRecord(SomeDevice())).ok());
  EXPECT_FALSE(ReadDeviceRecord(WriteRecord(MountRecord())).ok());
  EXPECT_FALSE(ReadDeviceRecord("").ok());
}

TEST(DeviceRecord, RefusesANumberThatIsTooLarge) {
  const std::string text = WriteRecord(DeviceRecord());
  EXPECT_FALSE(ReadDeviceRecord(Replaced(text, "\"needs\":[]", "\"needs\":[],\"x\":1e999")).ok());
}

// CPU seconds, the least of three tries.
double SecondsToRead(size_t opens) {
  DeviceRecord record;
  record.opens.resize(opens);
  const std::string text = WriteRecord(record);
  double least = HUGE_VAL;
  for (int i = 0; i < 3; ++i) {
    const std::clock_t begin = std::clock();
    EXPECT_EQ(ReadDeviceRecord(text)->opens.size(), opens);
    least = std::min(least, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  return least;
}

// As many as programs like: what reads them is linear in them, 8 times as long and not 64.
TEST(DeviceRecord, OfManyOpensIsReadInTime) {
  EXPECT_LT(SecondsToRead(16'000), 24 * SecondsToRead(2'000));
}

TEST(StateRecords, RefuseOrTakeWhateverTheyAreGiven) {
  const std::string good = WriteRecord(SomeDevice());
  for (size_t length = 0; length < good.size(); ++length) {
    const auto read = ReadDeviceRecord(good.substr(0, length));
    ASSERT_FALSE(read.ok()) << length;
    EXPECT_THAT(std::string(read.status().message()), testing::HasSubstr("damaged"));
  }
  std::mt19937 random(1);
  for (uint64_t i = 0; i < Repetitions(20'000); ++i) {
    std::string damaged = good;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto read = ReadDeviceRecord(damaged);
    if (!read.ok()) continue;
    EXPECT_TRUE(ReadDeviceRecord(WriteRecord(*read)).ok());
  }
}

}  // namespace
}  // namespace rnullfs
