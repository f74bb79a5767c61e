#include "ctl/crash_report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "ctl/command.h"
#include "json/document.h"

namespace rnullfs {
namespace {

constexpr size_t kOutputLinesMax = 20;

struct Totals {
  uint64_t runs = 0;
  uint64_t failed = 0;
  size_t whole = 0;  // stretches of which all states have been judged
  double states_log2 = 0;
};

Totals TotalsOf(const std::vector<const Stretch*>& stretches) {
  Totals totals;
  double most = 0;
  for (const Stretch* const each : stretches) most = std::max(most, each->all().states_log2);
  double sum = 0;
  for (const Stretch* const each : stretches) {
    totals.runs += each->runs();
    totals.failed += each->failed();
    totals.whole += each->covers_all() ? 1 : 0;
    sum += std::exp2(each->all().states_log2 - most);
  }
  if (sum > 0) totals.states_log2 = most + std::log2(sum);
  return totals;
}

// The mark that a cut is behind; it is not behind itself.
std::string MarkBefore(const std::map<uint64_t, std::string>& marks, uint64_t cut) {
  const auto behind = marks.lower_bound(cut);
  return behind == marks.begin() ? std::string() : std::prev(behind)->second;
}

std::string Share(double share) {
  if (share == 0) return "0";
  return share >= 0.0001 ? absl::StrFormat("%.2f %%", share * 100)
                         : absl::StrFormat("2^%.1f", std::log2(share));
}

std::string Covered(const Stretch& stretch) {
  if (stretch.given_up()) return "it has gone";
  if (stretch.recoveries_left() > 0 && stretch.covers_all()) {
    return absl::StrCat("all, but not all cuts of ", stretch.recoveries_left(), " recoveries");
  }
  if (stretch.covers_all()) return "all";
  std::string covered = Share(stretch.share());
  for (const auto& [tier, runs] : stretch.tiers()) {
    absl::StrAppend(&covered, ", ", tier, tier == "all" ? std::string() : absl::StrCat(" ", runs));
  }
  return covered;
}

std::string FailureText(const CrashReport& report, const Counterexample& failure) {
  const bool in_recovery = !failure.recovering.empty();
  const std::string mark = in_recovery ? "" : MarkBefore(report.marks, failure.cut);
  std::string text = absl::StrCat(
      "\ncut ", failure.cut, mark.empty() ? "" : ", behind mark ", mark,
      in_recovery ? absl::StrCat(", while it recovered from a state ", failure.recovering) : "",
      ": ", failure.what, "\n");
  absl::StrAppend(&text, failure.lost.empty() ? "  nothing is lost\n" : "  lost:\n");
  for (const Lost& lost : failure.lost) {
    const LostRequest& request = lost.request;
    absl::StrAppend(&text, "    ", request.sequence, " ", request.op, " of sectors ",
                    request.sector, "-", request.sector + request.sectors - 1);
    if (request.lost_sectors < request.sectors) {
      absl::StrAppend(&text, ", ", request.lost_sectors, " of them from ",
                      request.first_lost_sector, " on");
    }
    if (!lost.first_bytes.empty()) absl::StrAppend(&text, ": ", lost.first_bytes, "...");
    if (!lost.belongs_to.empty()) absl::StrAppend(&text, " (", lost.belongs_to, ")");
    absl::StrAppend(&text, "\n");
  }
  std::vector<std::string> lines = absl::StrSplit(failure.output, '\n', absl::SkipWhitespace());
  if (!lines.empty()) absl::StrAppend(&text, "  it said:\n");
  if (lines.size() > kOutputLinesMax) {
    lines.erase(lines.begin(), lines.end() - kOutputLinesMax);
    lines.insert(lines.begin(), "[...]");
  }
  for (const std::string& line : lines) absl::StrAppend(&text, "    ", line, "\n");
  if (!report.stays) return text;
  absl::StrAppend(&text, "  the disk:  ", failure.device, "/crash/", failure.cut, "/",
                  failure.state, "/disk\n  to see it again:  rnullctl crash-check --disk ",
                  ShellQuoted(failure.device), " --state ", failure.cut, "/", failure.state, " ",
                  in_recovery ? report.commands_of_recovery : report.commands, "\n");
  return text;
}

JsonValue Number(std::string digits, std::string key) {
  return {JsonValue::Kind::kNumber, std::move(digits), std::move(key)};
}
JsonValue Text(std::string text, std::string key) {
  return {JsonValue::Kind::kText, std::move(text), std::move(key)};
}
JsonValue Boolean(bool value, std::string key) {
  return {JsonValue::Kind::kBoolean, value ? "true" : "false", std::move(key)};
}

JsonValue StretchJson(const CrashReport& report, const Stretch& stretch) {
  JsonValue shown = {JsonValue::Kind::kObject};
  JsonValue tiers = {JsonValue::Kind::kObject, {}, "tiers"};
  for (const auto& [tier, runs] : stretch.tiers()) {
    tiers.parts.push_back(Number(absl::StrCat(runs), tier));
  }
  shown.parts = {Number(absl::StrCat(stretch.cut()), "cut"),
                 Text(MarkBefore(report.marks, stretch.cut()), "mark"),
                 Number(absl::StrCat(stretch.unit_count()), "units"),
                 Number(absl::StrFormat("%.1f", stretch.all().states_log2), "states_log2"),
                 Number(absl::StrCat(stretch.runs()), "runs"),
                 Number(absl::StrCat(stretch.failed()), "failed"),
                 Text(stretch.given_up()                                       ? "gone"
                      : stretch.covers_all() && stretch.recoveries_left() == 0 ? "all"
                                                                               : "some",
                      "covered"),
                 Number(absl::StrFormat("%.3g", stretch.share()), "share"),
                 std::move(tiers),
                 Boolean(stretch.all().forgotten, "forgotten")};
  if (stretch.recoveries_left() > 0) {
    shown.parts.push_back(Number(absl::StrCat(stretch.recoveries_left()), "recoveries_left"));
  }
  return shown;
}

JsonValue FailureJson(const CrashReport& report, const Counterexample& failure) {
  const bool in_recovery = !failure.recovering.empty();
  JsonValue lost = {JsonValue::Kind::kList, {}, "lost"};
  for (const Lost& each : failure.lost) {
    JsonValue& shown = lost.parts.emplace_back(JsonValue{JsonValue::Kind::kObject});
    shown.parts = {Number(absl::StrCat(each.request.sequence), "sequence"),
                   Text(each.request.op, "op"),
                   Number(absl::StrCat(each.request.sector), "sector"),
                   Number(absl::StrCat(each.request.sectors), "sectors"),
                   Number(absl::StrCat(each.request.lost_sectors), "lost_sectors"),
                   Number(absl::StrCat(each.request.first_lost_sector), "first_lost_sector"),
                   Text(each.first_bytes, "first_bytes"),
                   Text(each.belongs_to, "belongs_to")};
  }
  JsonValue shown = {JsonValue::Kind::kObject};
  shown.parts = {Number(absl::StrCat(failure.cut), "cut"),
                 Text(in_recovery ? "" : MarkBefore(report.marks, failure.cut), "mark"),
                 Text(failure.recovering, "recovering"),
                 Text(!report.stays ? std::string()
                                    : absl::StrCat(failure.device, "/crash/", failure.cut, "/",
                                                   failure.state, "/disk"),
                      "path"),
                 Text(failure.what, "what"),
                 std::move(lost),
                 Text(failure.output, "output")};
  return shown;
}

}  // namespace

bool CrashReport::failed() const {
  return std::any_of(stretches.begin(), stretches.end(),
                     [](const Stretch* each) { return each->failed() > 0; });
}

int CrashReport::status() const {
  const bool none_again =
      !failures.empty() && std::none_of(failures.begin(), failures.end(),
                                        [](const Counterexample& each) { return each.again; });
  if (failed()) return none_again ? 2 : 1;
  const bool forgotten = std::any_of(stretches.begin(), stretches.end(),
                                     [](const Stretch* each) { return each->all().forgotten; });
  const bool unknown = forgotten || !error.empty() || interrupted || stretches_left > 0 ||
                       unsteady.contains("check");
  return unknown ? 2 : 0;
}

std::string CrashReport::Text() const {
  std::string text = absl::StrFormat("%10s  %-16s %7s %8s %7s %7s  %s\n", "cut", "mark", "units",
                                     "states", "runs", "failed", "covered");
  bool forgotten = false;
  for (const Stretch* const each : stretches) {
    forgotten = forgotten || each->all().forgotten;
    absl::StrAppend(&text, absl::StrFormat("%10d  %-16s %7d %8s %7d %7d  %s%s\n", each->cut(),
                                           MarkBefore(marks, each->cut()), each->unit_count(),
                                           absl::StrFormat("2^%.1f", each->all().states_log2),
                                           each->runs(), each->failed(), Covered(*each),
                                           each->all().forgotten ? " (*)" : ""));
  }
  if (forgotten) {
    absl::StrAppend(&text, "(*) the history had forgotten what was durable; raise ", device,
                    "/history\n");
  }
  for (const Counterexample& failure : failures)
    absl::StrAppend(&text, FailureText(*this, failure));
  const Totals totals = TotalsOf(stretches);
  const double seconds = static_cast<double>(took_nsec) / 1e9;
  absl::StrAppend(
      &text, absl::StrFormat(
                 "%s%d stretch%s, %d of them wholly; 2^%.1f states, %d runs in %.1f s (%.0f a "
                 "second), %d failed\n",
                 failures.empty() ? "" : "\n", stretches.size(), stretches.size() == 1 ? "" : "es",
                 totals.whole, totals.states_log2, totals.runs, seconds,
                 static_cast<double>(totals.runs) / std::max(seconds, 0.001), totals.failed));
  if (unsteady.contains("recover")) {
    absl::StrAppend(&text,
                    "recover does not make the same of the same state each time, so that each "
                    "image is judged anew\n");
  }
  if (unsteady.contains("check")) {
    absl::StrAppend(&text,
                    "check does not do the same with the same state each time: that all have "
                    "been judged, and what was found, is not to be relied on\n");
  }
  if (totals.whole < stretches.size() && status() == 0) {
    absl::StrAppend(&text, "all that was judged recovers; a larger --budget judges more\n");
  }
  if (left_out > 0) {
    absl::StrAppend(&text, "the oldest, ", left_out,
                    ", were left out: the history had forgotten what was durable there\n");
  }
  if (stretches_left > 0)
    absl::StrAppend(&text, stretches_left, " stretches have not been judged\n");
  if (interrupted) absl::StrAppend(&text, "interrupted\n");
  if (!error.empty()) absl::StrAppend(&text, error, "\n");
  return text;
}

std::string CrashReport::Json() const {
  const Totals totals = TotalsOf(stretches);
  JsonValue each_stretch = {JsonValue::Kind::kList};
  for (const Stretch* const each : stretches) {
    each_stretch.parts.push_back(StretchJson(*this, *each));
  }
  JsonValue each_failure = {JsonValue::Kind::kList};
  for (const Counterexample& each : failures) {
    each_failure.parts.push_back(FailureJson(*this, each));
  }
  Document document;
  document.AddText("disk", device);
  document.AddText("result", status() == 0 ? "recovered" : status() == 1 ? "failed" : "unknown");
  document.Add("stretches", std::move(each_stretch));
  document.AddNumber("stretches_left", stretches_left).AddNumber("left_out", left_out);
  document.Add("failures", std::move(each_failure));
  document.AddNumber("runs", totals.runs).AddNumber("failed", totals.failed);
  document.Add("states_log2", Number(absl::StrFormat("%.1f", totals.states_log2), {}));
  document.Add("seconds",
               Number(absl::StrFormat("%.3f", static_cast<double>(took_nsec) / 1e9), {}));
  document.AddList("not_deterministic", {unsteady.begin(), unsteady.end()});
  document.AddBool("interrupted", interrupted).AddText("error", error);
  return document.Text();
}

}  // namespace rnullfs
