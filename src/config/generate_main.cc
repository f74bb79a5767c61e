// rnullfs-generate: prints a text that is made from the table of attributes.
#include <cstdio>
#include <string>
#include <string_view>

#include "config/manual.h"

int main(int argc, char** argv) {
  struct Text {
    std::string_view name;
    std::string (*make)();
  };
  constexpr Text kTexts[] = {{"manual", rnullfs::ManualPage},
                             {"readme-table", rnullfs::ReadmeTable},
                             {"completion", rnullfs::BashCompletion}};
  for (const Text& text : kTexts) {
    if (argc != 2 || text.name != argv[1]) continue;
    const bool written = std::fputs(text.make().c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    return written ? 0 : 1;
  }
  std::fputs("usage: rnullfs-generate manual | readme-table | completion\n", stderr);
  return 2;
}
