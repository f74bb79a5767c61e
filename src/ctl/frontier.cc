#include "ctl/frontier.h"

#include <cmath>

namespace rnullfs {

Frontier::Frontier(std::unordered_map<uint64_t, uint32_t> versions)
    : versions_(std::move(versions)) {
  next_.push({.path = std::make_shared<const Path>(), .length = 0, .version = 0, .states_log2 = 0});
}

double Frontier::Log2VersionsOf(uint64_t unit) const {
  const auto found = versions_.find(unit);
  return found == versions_.end() ? 0 : std::log2(found->second);
}

std::optional<Assignment> Frontier::Next() {
  if (next_.empty()) return std::nullopt;
  const Set set = next_.top();
  next_.pop();
  ++under_way_;
  QueueBehind(set);
  Assignment assignment(set.path->begin(),
                        set.path->begin() + static_cast<std::ptrdiff_t>(set.length));
  if (set.length > 0) assignment[(*set.path)[set.length - 1].first] = set.version;
  return assignment;
}

// Another version of the same unit; else the next unit's first other one.
void Frontier::QueueBehind(Set set) {
  if (set.length == 0) return;
  ++set.version;
  if (set.version == versions_.at((*set.path)[set.length - 1].first)) {
    if (set.length == set.path->size()) return;
    set.states_log2 -= Log2VersionsOf((*set.path)[set.length].first);
    ++set.length;
    set.version = 1;
  }
  next_.push(std::move(set));
}

void Frontier::Done(const Assignment& assignment, std::span<const uint64_t> consulted) {
  --under_way_;
  auto path = std::make_shared<Path>(assignment.begin(), assignment.end());
  double states_log2 = 0;
  for (const auto& [unit, version] : assignment) states_log2 -= Log2VersionsOf(unit);
  Assignment known = assignment;
  for (const uint64_t unit : consulted) {
    if (!versions_.contains(unit) || !known.emplace(unit, 0).second) continue;
    path->emplace_back(unit, 0);
  }
  const size_t told = assignment.size();
  double rest_log2 = states_log2;
  for (size_t i = told; i < path->size(); ++i) rest_log2 -= Log2VersionsOf((*path)[i].first);
  share_ += std::exp2(rest_log2);
  if (told == path->size()) return;
  states_log2 -= Log2VersionsOf((*path)[told].first);
  next_.push({std::move(path), told + 1, 1, states_log2});
}

}  // namespace rnullfs
