// Sets in a configuration what the events of a JSON object say, as the JSON library's parser
// reports them: attributes by name, those of a directory as an object in the object.
//
// It does not recurse and builds nothing: text may nest as deep as it likes.
// Thread safety: as of a plain value.
// Errors: complaint(), the first; EINVAL, or ENOSPC for more bad blocks than there may be.
#ifndef RNULLFS_CONFIG_CONFIG_READER_H_
#define RNULLFS_CONFIG_CONFIG_READER_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "rnullfs/attributes.h"

namespace rnullfs {

class ConfigReader final : public nlohmann::json_sax<nlohmann::ordered_json> {
 public:
  explicit ConfigReader(const Settings& settings) : settings_(settings) {}

  const Settings& settings() const { return settings_; }
  const absl::Status& complaint() const { return complaint_; }

  bool key(string_t& name) override;
  bool boolean(bool value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_integer(number_integer_t value) override;
  bool number_float(number_float_t value, const string_t& digits) override;
  bool string(string_t& value) override;
  bool null() override;
  bool binary(binary_t& value) override;
  bool start_object(std::size_t elements) override;
  bool end_object() override;
  bool start_array(std::size_t elements) override;
  bool end_array() override;
  bool parse_error(std::size_t at, const std::string& token,
                   const nlohmann::detail::exception& error) override;

 private:
  // What the value at hand is in, below the object itself.
  enum class Inside { kObject, kGroup, kRate, kRanges, kRefused };

  bool SetKey(std::string_view name);
  bool SetRateKey(std::string_view name);
  bool SetRatePart(std::optional<uint64_t> value, std::string_view found);
  bool Number(std::string_view digits);
  bool AddRange(std::string_view text);
  bool Enter(Inside inside);
  bool Leave();
  bool Set(std::string_view text);
  bool Refuse(std::string_view found);
  bool Complain(const absl::Status& status);

  Settings settings_;
  absl::Status complaint_;
  std::vector<const void*> seen_;  // rows, groups and the parts of a rate
  size_t depth_ = 0;
  Inside inside_ = Inside::kObject;
  const Attribute* row_ = nullptr;  // null after an unknown key, and in a group before its keys
  const FaultGroup* group_ = nullptr;
  uint32_t RateLimit::*rate_part_ = nullptr;
  RateLimit rate_;
  BadBlocks ranges_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_CONFIG_READER_H_
