// The saved state as a later version of the program may write it: each record has keys that this
// one does not know.  Linked into rnullfs-later in the place of src/records/state_records.cc.
//
// When it reads a record, it logs whether its keys were kept by whoever wrote the record last.

#define WriteRecord WriteRecordOfNow
#define ReadDeviceRecord ReadDeviceRecordOfNow
#define ReadMountRecord ReadMountRecordOfNow
#include "records/state_records.cc"  // NOLINT(bugprone-suspicious-include): with other names
#undef WriteRecord
#undef ReadDeviceRecord
#undef ReadMountRecord

#include "base/log.h"

namespace rnullfs {

std::string WriteRecord(const DeviceRecord& record);
std::string WriteRecord(const MountRecord& record);
absl::StatusOr<DeviceRecord> ReadDeviceRecord(std::string_view bytes);
absl::StatusOr<MountRecord> ReadMountRecord(std::string_view bytes);

namespace {

// A field of the record and an attribute of the device.
constexpr std::string_view kField = R"("colour":{"of":["wood"]},)";
constexpr std::string_view kAttribute = R"("wear":3,)";

std::string With(std::string json, std::string_view key, std::string_view what) {
  // What an earlier version has kept comes back as `unknown` does.
  if (json.find(what.substr(0, what.find(':'))) != std::string::npos) return json;
  const size_t at = json.find(key);
  return at == std::string::npos ? json : json.insert(at, what);
}

void Say(std::string_view what, std::string_view name, std::string_view bytes,
         std::string_view field) {
  const bool kept = bytes.find(field.substr(0, field.size() - 1)) != std::string_view::npos;
  Log(Concat({"a later version's ", what, " of ", name, kept ? " is there" : " is missing"}));
}

}  // namespace

std::string WriteRecord(const DeviceRecord& record) {
  return With(With(WriteRecordOfNow(record), "\"backing_id\":", kField),
              "\"blocksize\":", kAttribute);
}

std::string WriteRecord(const MountRecord& record) {
  return With(WriteRecordOfNow(record), "\"capabilities\":", kField);
}

absl::StatusOr<DeviceRecord> ReadDeviceRecord(std::string_view bytes) {
  absl::StatusOr<DeviceRecord> record = ReadDeviceRecordOfNow(bytes);
  if (!record.ok()) return record;
  Say("field", record->name, bytes, kField);
  Say("attribute", record->name, bytes, kAttribute);
  return record;
}

absl::StatusOr<MountRecord> ReadMountRecord(std::string_view bytes) {
  Say("field", "the mount", bytes, kField);
  return ReadMountRecordOfNow(bytes);
}

}  // namespace rnullfs
