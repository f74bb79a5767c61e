#include "json/json_value.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config/wording.h"

namespace rnullfs {
namespace {

using Kind = JsonValue::Kind;

// The tree of what the JSON library's parser reports.  It does not recurse: text may nest as deep
// as it likes.
class Builder final : public nlohmann::json_sax<nlohmann::ordered_json> {
 public:
  JsonValue Take() && { return std::move(root_); }

  bool key(string_t& name) override {
    if (left_out_ == 0) key_ = std::move(name);
    return true;
  }
  bool null() override { return Add(Kind::kNull, {}); }
  bool boolean(bool value) override { return Add(Kind::kBoolean, value ? "true" : "false"); }
  bool number_unsigned(number_unsigned_t value) override {
    return Add(Kind::kNumber, absl::StrCat(value));
  }
  // The library reports "-0" here, too.
  bool number_integer(number_integer_t value) override {
    return Add(Kind::kNumber, absl::StrCat(value));
  }
  // Fractions, exponents and integers beyond 64 bits.
  bool number_float(number_float_t /*value*/, const string_t& digits) override {
    return Add(Kind::kNumber, digits);
  }
  bool string(string_t& value) override { return Add(Kind::kText, std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // not in JSON text
  bool start_object(std::size_t /*elements*/) override { return Open(Kind::kObject); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t /*elements*/) override { return Open(Kind::kList); }
  bool end_array() override { return Close(); }
  // All that is left to complain of is a number beyond the range of a double.
  bool parse_error(std::size_t /*at*/, const std::string& token,
                   const nlohmann::detail::exception& /*error*/) override {
    Add(Kind::kNumber, token);
    while (!open_.empty()) Close();
    return false;
  }

 private:
  bool Add(Kind kind, std::string text) {
    if (left_out_ == 0) Put({kind, std::move(text), std::exchange(key_, {})});
    return true;
  }

  void Put(JsonValue value) {
    JsonValue& place = open_.empty() ? root_ : open_.back().parts.emplace_back();
    place = std::move(value);
  }

  bool Open(Kind kind) {
    if (left_out_ > 0 || open_.size() == kJsonLevelsMax) {
      ++left_out_;
    } else {
      open_.push_back({kind, {}, std::exchange(key_, {})});
    }
    return true;
  }

  bool Close() {
    if (left_out_ > 0) {
      --left_out_;
      return true;
    }
    JsonValue whole = std::move(open_.back());
    open_.pop_back();
    Put(std::move(whole));
    return true;
  }

  JsonValue root_;
  std::vector<JsonValue> open_;  // from the outermost
  size_t left_out_ = 0;          // levels below kJsonLevelsMax
  std::string key_;              // of the value to come
};

}  // namespace

JsonValue ReadJson(std::string_view text) {
  Builder builder;
  nlohmann::ordered_json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).Take();
}

}  // namespace rnullfs
