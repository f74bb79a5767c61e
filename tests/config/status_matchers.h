// What the tests of this room say about a refusal.
#ifndef RNULLFS_TESTS_CONFIG_STATUS_MATCHERS_H_
#define RNULLFS_TESTS_CONFIG_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include <cerrno>
#include <string>

#include "absl/status/status.h"
#include "rnullfs/error.h"

namespace rnullfs {

// A Status that is EINVAL with exactly that sentence.
MATCHER_P(Einval, sentence, "") {
  *result_listener << "says: " << arg.message();
  return ErrnoOf(arg) == EINVAL && std::string(arg.message()) == sentence;
}

// A Status that is EINVAL with a sentence in which `part` occurs.
MATCHER_P(EinvalWith, part, "") {
  *result_listener << "says: " << arg.message();
  return ErrnoOf(arg) == EINVAL && std::string(arg.message()).find(part) != std::string::npos;
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_CONFIG_STATUS_MATCHERS_H_
