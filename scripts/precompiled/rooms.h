// What most files of src/ include of others, parsed once for all of them (scripts/meson.build). For
// builds with -Db_pch=true (scripts/test); a file still includes what it uses, and
// tests/lint/includes.py holds it to that.
#ifndef RNULLFS_PRECOMPILED_ROOMS_H_
#define RNULLFS_PRECOMPILED_ROOMS_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#endif  // RNULLFS_PRECOMPILED_ROOMS_H_
