// A member of a struct as the Value of a row: FieldOf<Settings, &Settings::config,
// &DeviceConfig::size>, by the members that lead to it.
//
// Numbers are widened, and enumerations are numbers.
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_FIELD_OF_H_
#define RNULLFS_CONFIG_FIELD_OF_H_

#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>

#include "rnullfs/value_type.h"

namespace rnullfs {

template <typename Root, auto... kPath>
struct FieldOf {
  using Member = std::remove_cvref_t<decltype((std::declval<Root&>().*....*kPath))>;
  using Carrier =
      std::conditional_t<std::is_same_v<Member, bool> ||
                             !(std::is_arithmetic_v<Member> || std::is_enum_v<Member>),
                         Member, std::conditional_t<std::is_signed_v<Member>, int64_t, uint64_t>>;

  static Value Get(const Root& root) { return Value(static_cast<Carrier>((root.*....*kPath))); }
  static void Set(Root& root, const Value& value) {
    (root.*....*kPath) = static_cast<Member>(std::get<Carrier>(value));
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_FIELD_OF_H_
