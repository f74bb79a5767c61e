// rnullfs-generate: prints a text that is made from the table of attributes.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "manual/manual.h"

namespace {

absl::StatusOr<std::string> Generated(std::string_view name) {
  if (name == "readme-table") return rnullfs::ReadmeTable();
  if (name == "completion") return rnullfs::BashCompletion();
  if (name == "manual") {
    return rnullfs::ManualPage(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  }
  return absl::InvalidArgumentError(
      "usage: rnullfs-generate manual <docs/PAGE.scd | readme-table | completion");
}

}  // namespace

int main(int argc, char** argv) {
  const absl::StatusOr<std::string> text = Generated(argc == 2 ? argv[1] : "");
  if (!text.ok()) {
    std::cerr << text.status().message() << '\n';
    return 1;
  }
  std::cout << *text << std::flush;
  return std::cout ? 0 : 1;
}
