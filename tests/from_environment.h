// What whoever runs a random test asks for: RNULLFS_TEST_SEED, RNULLFS_TEST_OPERATIONS; and how
// often it does what it does else.
#ifndef RNULLFS_TESTS_FROM_ENVIRONMENT_H_
#define RNULLFS_TESTS_FROM_ENVIRONMENT_H_

#include <cstdint>
#include <cstdlib>

namespace rnullfs {

inline uint64_t FromEnvironment(const char* name, uint64_t usual) {
  const char* const given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 0) : usual;
}

// How often a random test does what it does.  Under a sanitizer, where each time costs ten times as
// much, less: what other values find, the builds without one find.
constexpr uint64_t Repetitions(uint64_t usual) {
#ifdef RNULLFS_SANITIZED
  return usual / 8;
#else
  return usual;
#endif
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FROM_ENVIRONMENT_H_
