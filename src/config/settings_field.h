// FieldOf<&Settings::size>(): where a row's value is, as two functions.  A path of several members
// leads into a member: FieldOf<&Settings::timeout_inject, &FaultAttr::times>().
#ifndef RNULLFS_CONFIG_SETTINGS_FIELD_H_
#define RNULLFS_CONFIG_SETTINGS_FIELD_H_

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "rnullfs/attributes.h"

namespace rnullfs {

// The alternative of Value that a member is carried in: numbers are widened.
template <typename Member>
struct CarrierOf : std::type_identity<Member> {};
template <std::unsigned_integral Member>
requires(!std::same_as<Member, bool>) struct CarrierOf<Member> : std::type_identity<uint64_t> {
};
template <std::signed_integral Member>
struct CarrierOf<Member> : std::type_identity<int64_t> {};
template <typename Member>
requires std::is_enum_v<Member>
struct CarrierOf<Member> : std::type_identity<uint64_t> {
};

template <auto... kPath>
constexpr SettingsField FieldOf() {
  using Member = std::remove_cvref_t<decltype((std::declval<Settings&>().*....*kPath))>;
  using Carrier = typename CarrierOf<Member>::type;
  return {
      [](const Settings& settings) { return Value(static_cast<Carrier>((settings.*....*kPath))); },
      [](Settings& settings, const Value& value) {
        (settings.*....*kPath) = static_cast<Member>(std::get<Carrier>(value));
      }};
}

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_SETTINGS_FIELD_H_
