// Text as words, white space between them; a comma and an equals sign are white space.
//
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_WORDS_OF_H_
#define RNULLFS_CONFIG_WORDS_OF_H_

#include <string_view>
#include <vector>

namespace rnullfs {

inline std::vector<std::string_view> WordsOf(std::string_view text) {
  constexpr std::string_view kBetween = " \t\n\v\f\r,=";
  std::vector<std::string_view> words;
  for (size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos;
       at = text.find_first_not_of(kBetween, at)) {
    words.push_back(text.substr(at, text.find_first_of(kBetween, at) - at));
    at += words.back().size();
  }
  return words;
}

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_WORDS_OF_H_
