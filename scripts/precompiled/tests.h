// As rooms.h, for tests.
#ifndef RNULLFS_PRECOMPILED_TESTS_H_
#define RNULLFS_PRECOMPILED_TESTS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <random>

#include "rooms.h"

#endif  // RNULLFS_PRECOMPILED_TESTS_H_
