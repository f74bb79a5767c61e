#include "config/manual.h"
#include "config/wording.h"
#include "rnullfs/attributes.h"

namespace rnullfs {

std::string ReadmeTable() {
  std::string table =
      "| Attribute | Default | Accepts | Meaning |\n"
      "|---|---|---|---|\n";
  for (const Attribute& row : Attributes()) {
    const std::string alias =
        row.alias.empty() ? "" : Concat({", mount option also `", row.alias, "`"});
    table += Concat({"| `", row.name, "`", alias, " | ", DefaultText(row), " | ", Accepts(row),
                     " | ", row.summary, " |\n"});
  }
  return table;
}

}  // namespace rnullfs
