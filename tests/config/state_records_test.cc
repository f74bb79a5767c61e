#include "config/state_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "config/attribute_values.h"
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
  record.config.power = true;
  record.config.size = 123;
  record.config.irqmode = IrqMode::kTimer;
  record.config.datapath = DataPath::kDaemon;
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
      record.config.index = 7;
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
  EXPECT_EQ(read->config, (DeviceConfig{.power = true,
                                        .blocksize = 512,
                                        .size = 64,
                                        .irqmode = IrqMode::kTimer,
                                        .completion_nsec = 5,
                                        .memory_backed = true,
                                        .datapath = DataPath::kDaemon}));
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

TEST(StateRecords, RefuseOrTakeWhateverTheyAreGiven) {
  const std::string good = WriteRecord(SomeDevice());
  for (size_t length = 0; length < good.size(); ++length) {
    const auto read = ReadDeviceRecord(good.substr(0, length));
    ASSERT_FALSE(read.ok()) << length;
    EXPECT_THAT(std::string(read.status().message()), testing::HasSubstr("damaged"));
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = good;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto read = ReadDeviceRecord(damaged);
    if (!read.ok()) continue;
    EXPECT_TRUE(ReadDeviceRecord(WriteRecord(*read)).ok());
  }
}

}  // namespace
}  // namespace rnullfs
