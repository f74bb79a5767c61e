// What whoever runs a random test asks for: RNULLFS_TEST_SEED, RNULLFS_TEST_OPERATIONS.
#ifndef RNULLFS_TESTS_FROM_ENVIRONMENT_H_
#define RNULLFS_TESTS_FROM_ENVIRONMENT_H_

#include <cstdint>
#include <cstdlib>

namespace rnullfs {

inline uint64_t FromEnvironment(const char* name, uint64_t usual) {
  const char* const given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 0) : usual;
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FROM_ENVIRONMENT_H_
