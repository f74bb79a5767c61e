// What the tests of src/damage share: sectors of one letter, and a small disk that something lies
// over.
#ifndef RNULLFS_TESTS_DAMAGE_DAMAGE_UTIL_H_
#define RNULLFS_TESTS_DAMAGE_DAMAGE_UTIL_H_

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "damage/damage.h"
#include "past/past.h"
#include "rnullfs/page_store.h"
#include "store/store_util.h"

namespace rnullfs {

// A letter for each sector.
inline std::string Sectors(std::string_view letters) {
  std::string bytes;
  for (const char letter : letters)
    bytes += std::string(kSectorSize, letter == '.' ? '\0' : letter);
  return bytes;
}

inline std::string Letters(const std::string& bytes) {
  std::string letters;
  for (uint64_t at = 0; at < bytes.size(); at += kSectorSize) {
    const bool same = bytes.substr(at, kSectorSize) == std::string(kSectorSize, bytes[at]);
    letters += !same ? '!' : bytes[at] == '\0' ? '.' : bytes[at];
  }
  return letters;
}

// Holds the one memfd that a map has.
class OneKept final : public MemfdKeeper {
 public:
  int Keep(int memfd) override {
    kept_ = UniqueFd(fcntl(memfd, F_DUPFD_CLOEXEC, 3));
    return 0;
  }
  void Drop(int /*memfd*/) override { kept_.Reset(); }
  bool any() const { return kept_.valid(); }
  UniqueFd Left() const { return UniqueFd(fcntl(kept_.get(), F_DUPFD_CLOEXEC, 3)); }

 private:
  UniqueFd kept_;
};

// One harm to a request that reaches so far.
inline Harm HarmTo(FaultAction action, uint64_t offset, uint64_t length,
                   const std::string& rule = "r", uint64_t sequence = 0) {
  const uint64_t last = length == 0 ? offset : offset + length - 1;
  return {.action = action,
          .rule = rule,
          .op = kFaultWrite,
          .first = offset / kSectorSize,
          .last = last / kSectorSize,
          .sequence = sequence,
          .disk_sectors = 1 << 20};
}

// All that is done to a request, which is that, or nothing.
inline Harms Only(const Harm& harm) { return {.list = {harm}}; }
class HarmsOf {
 public:
  explicit HarmsOf(const Harm* harm) {
    if (harm != nullptr) harms_ = Only(*harm);
  }
  const Harms* get() const { return harms_.empty() ? nullptr : &harms_; }

 private:
  Harms harms_;
};

inline const char* NameOf(FaultAction action) {
  constexpr const char* kNames[] = {"error", "delay",   "hang",        "lost",
                                    "torn",  "corrupt", "misdirected", "stale"};
  return kNames[static_cast<size_t>(action)];
}

inline std::string TextOf(const std::vector<Damage::Range>& ranges) {
  std::string text;
  for (const Damage::Range& range : ranges) {
    text += std::to_string(range.first) + "-" + std::to_string(range.last) + " " +
            NameOf(range.action) + " " + range.rule + " " + std::to_string(range.sequence) + "\n";
  }
  return text;
}

// Stores, with a past if that is wanted, from one limit, and what lies over them.
class LyingDisk {
 public:
  explicit LyingDisk(uint64_t pages = 4, bool remembers = false,
                     uint64_t limit_bytes = MemoryLimit::kNone)
      : memory_(limit_bytes), store_(NewStore(pages * kPage, memory_)) {
    if (remembers) past_ = *Past::Create("past", memory_, MemfdKeeper::None(), *store_);
    Lie();
    EXPECT_TRUE(damage_->Begin().ok());
  }

  // The process is gone, and another one is there.
  void BeKilled() {
    UniqueFd disk(fcntl(store_->fd(), F_DUPFD_CLOEXEC, 3));
    damage_.reset();
    if (past_ == nullptr) {
      store_.reset();
      store_ = *PageStore::Adopt("test", memory_, MemfdKeeper::None(), std::move(disk), UniqueFd());
    }
    Lie();
    const absl::Status adopted = damage_->Adopt(keeper_.Left());
    EXPECT_TRUE(adopted.ok()) << adopted;
    damage_->Settle(Damage::After::kDeath);
  }

  int Write(uint64_t offset, std::string_view bytes, const Harm* harm = nullptr) {
    return damage_->Write(offset, bytes.size(), bytes.data(), HarmsOf(harm).get());
  }
  // Of whole sectors; harmed as the action has it.
  int WriteSectors(uint64_t sector, std::string_view letters) {
    return Write(sector * kSectorSize, Sectors(letters));
  }
  int WriteSectors(uint64_t sector, std::string_view letters, Harm harm) {
    const std::string bytes = Sectors(letters);
    harm.first = sector;
    harm.last = sector + letters.size() - 1;
    harm.disk_sectors = store_->size_bytes() / kSectorSize;
    return Write(sector * kSectorSize, bytes, &harm);
  }

  std::string ShownBytes() { return Read(*damage_, 0, damage_->size_bytes()); }
  std::string TruthBytes() { return Read(*store_, 0, store_->size_bytes()); }
  std::string Shown() { return Letters(ShownBytes()); }
  std::string Truth() { return Letters(TruthBytes()); }
  std::string Listed() { return TextOf(damage_->List()); }
  uint64_t sectors() const { return sectors_; }
  // As who died before it had counted leaves it.
  void Miscount() { sectors_ = 99; }
  uint64_t injected() const { return injected_; }
  uint64_t healed() const { return healed_; }

  Damage& damage() { return *damage_; }
  PageStore& store() { return *store_; }
  Past& past() { return *past_; }
  Store& top() { return past_ != nullptr ? static_cast<Store&>(*past_) : *store_; }
  MemoryLimit& memory() { return memory_; }
  OneKept& keeper() { return keeper_; }

 private:
  void Lie() {
    damage_ = std::make_unique<Damage>(Damage::Services{.name = "damage",
                                                        .memory = memory_,
                                                        .keeper = keeper_,
                                                        .sectors = sectors_,
                                                        .injected = injected_,
                                                        .healed = healed_});
    damage_->LieOver(*store_, top(),
                     past_ != nullptr ? Damage::MayLose::kUncovered : Damage::MayLose::kNothing);
  }

  MemoryLimit memory_;
  OneKept keeper_;
  Cell sectors_{0};
  Cell injected_{0};
  Cell healed_{0};
  std::unique_ptr<PageStore> store_;
  std::unique_ptr<Past> past_;
  std::unique_ptr<Damage> damage_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DAMAGE_DAMAGE_UTIL_H_
