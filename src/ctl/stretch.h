// The search of one stretch: all that a cut may have left.  First by what is read, which ends with
// every state judged; where that takes too long, by name: the states in which most known bugs are,
// and then by chance.
//
// Thread safety: none; who searches locks.
#ifndef RNULLFS_CTL_STRETCH_H_
#define RNULLFS_CTL_STRETCH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/crash_directory.h"
#include "ctl/frontier.h"
#include "ctl/judge.h"

namespace rnullfs {

// A state to be judged: by units or by its name.
struct Trial {
  Assignment units = {};
  std::string name = {};
  std::string tier = {};  // what kind of name
};

// The first that did not recover.
struct FoundFailure {
  Assignment units;  // of those that were read, what they were
  std::string what;
  std::string output;
};

class Stretch {
 public:
  Stretch(uint64_t cut, std::vector<UncertainUnit> units, StateInfo all, std::string promises);

  // How long its runs may take together from here on; of that a part is for the search by what is
  // read.
  void Allow(int64_t nsec);
  // What is to be judged next; none for now, or for good where done().
  std::optional<Trial> Next();
  void Add(const Trial& trial, const Verdict& verdict, int64_t took_nsec);
  // It cannot be judged any more.
  void GiveUp();
  bool done() const { return done_; }
  bool given_up() const { return given_up_; }
  bool may_go_on() const { return !covers_all() && !given_up_; }

  uint64_t cut() const { return cut_; }
  // Those that are not certain; of a stretch that is done, and had no failure, they are gone.
  const std::vector<UncertainUnit>& units() const { return units_; }
  size_t unit_count() const { return unit_count_; }
  const StateInfo& all() const { return all_; }
  // The file that {acked} stands for.
  const std::string& promises() const { return promises_; }
  JudgedImages& images() { return images_; }

  uint64_t runs() const { return runs_; }
  uint64_t failed() const { return failed_; }
  bool covers_all() const { return frontier_.ended(); }
  double share() const { return frontier_.share(); }
  // How many of each kind have been judged by name.
  const std::map<std::string, uint64_t>& tiers() const { return tiers_; }
  // Of so many of its states the recovery, cut, has not been judged wholly.
  uint64_t recoveries_left() const { return recoveries_left_; }
  const std::optional<FoundFailure>& failure() const { return failure_; }

 private:
  std::optional<Trial> NextNamed();
  void Forget();

  const uint64_t cut_;
  std::vector<UncertainUnit> units_;
  const size_t unit_count_;
  StateInfo all_;
  const std::string promises_;
  JudgedImages images_;
  Frontier frontier_;
  std::vector<Trial> named_;
  bool begun_ = false;
  bool done_ = false;
  bool given_up_ = false;
  size_t next_named_ = 0;
  uint64_t next_seed_ = 1;
  size_t under_way_ = 0;
  int64_t by_read_until_nsec_ = 0;
  int64_t allowed_nsec_ = 0;
  int64_t used_nsec_ = 0;
  uint64_t runs_ = 0;
  uint64_t failed_ = 0;
  uint64_t recoveries_left_ = 0;
  std::map<std::string, uint64_t> tiers_;
  std::optional<FoundFailure> failure_;
};

// The names of a cut's states that are worth a look first, the cheapest kinds first.  (The first by
// what is read is none.)
std::vector<Trial> NamedTrials(const StateInfo& all);

}  // namespace rnullfs

#endif  // RNULLFS_CTL_STRETCH_H_
