#include "config/document.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace rnullfs {

struct Document::Json {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();

  nlohmann::ordered_json& operator[](std::string_view key) { return object[std::string(key)]; }
};

Document::Document() : json_(std::make_unique<Json>()) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Document& Document::AddBool(std::string_view key, bool value) {
  (*json_)[key] = value;
  return *this;
}

Document& Document::AddNumber(std::string_view key, uint64_t value) {
  (*json_)[key] = value;
  return *this;
}

Document& Document::AddNegative(std::string_view key, int64_t value) {
  (*json_)[key] = value;
  return *this;
}

Document& Document::AddText(std::string_view key, std::string_view value) {
  (*json_)[key] = std::string(value);
  return *this;
}

Document& Document::AddList(std::string_view key, const std::vector<std::string>& values) {
  (*json_)[key] = values;
  return *this;
}

Document& Document::AddObject(std::string_view key, Document value) {
  (*json_)[key] = std::move(value.json_->object);
  return *this;
}

std::string Document::Text() const {
  using Json = nlohmann::ordered_json;
  return json_->object.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace rnullfs
