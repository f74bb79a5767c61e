"""Results for people (aligned text) and for programs (a JSON file)."""

import datetime
import json

from comparison.figures import ratios, short, spread


def aligned(rows):
    """Lines of text: the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) if number == 0 else cell.rjust(width)
                  for number, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows)


def section(heading, rows):
    return f"\n{heading}\n\n{aligned(rows)}"


def update_results(directory, name, content):
    """Puts `content` into DIRECTORY/performance.json as `name`, beside what others put there.
    The file is replaced as a whole, never half written."""
    path = directory / "performance.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stamp = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    results[name] = {"measured_at": stamp, **content}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def summary(raw, subjects, workloads):
    """summary[subject][workload]: medians, ratios and processor time from
    raw[subject][workload] = [a round's result of fio.run(), ...]."""
    def series(subject, workload, key):
        return [result[key] for result in raw[subject][workload.name]]

    def median(subject, workload, key):
        return spread(series(subject, workload, key))["median"]

    result = {}
    for subject in subjects:
        result[subject.name] = cells = {}
        for workload in workloads:
            cells[workload.name] = cell = {
                "iops": median(subject.name, workload, "iops"),
                "mib_per_s": round(median(subject.name, workload, "bytes_per_s") / 2**20, 1),
                "cpu_s_per_100k": median(subject.name, workload, "cpu_s_per_100k"),
            }
            if subject.baseline in raw:
                compared = ratios(series(subject.name, workload, "iops"),
                                  series(subject.baseline, workload, "iops"))
                cell["ratio"] = {key: round(value, 3) for key, value in compared.items()}
    return result


def _speed(cell, workload):
    return short(cell["mib_per_s"] if workload.block_bytes > 4096 else cell["iops"])


def _ratio(cell, _workload):
    return f"{cell['ratio']['median']:.2f}" if "ratio" in cell else "-"


def _spread(cell, _workload):
    ratio = cell.get("ratio")
    return f"{ratio['min']:.2f}-{ratio['max']:.2f}" if ratio else "-"


def _cpu(cell, _workload):
    return short(cell["cpu_s_per_100k"])


COMPARED = (
    ("Speed: 4 KiB columns in requests a second, 1 MiB columns in MiB/s (medians)", _speed),
    ("Relative to tmpfs in the same mode and round (medians of the rounds' ratios)", _ratio),
    ("The least and the greatest of those ratios", _spread),
    ("Processor seconds of the whole machine per 100,000 requests (medians)", _cpu),
)


def comparison(summed, subjects, workloads, rounds):
    """The tables of bench/compare, as text; one round has no spread."""
    return "\n".join(section(heading, [
        ["", *(workload.name for workload in workloads)],
        *([subject.name, *(cell(summed[subject.name][workload.name], workload)
                           for workload in workloads)] for subject in subjects),
    ]) for heading, cell in COMPARED if cell is not _spread or rounds > 1)
