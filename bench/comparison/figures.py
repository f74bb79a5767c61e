"""Plain functions on figures.  None of them changes what it is given."""

import math
import statistics


def spread(values):
    """The median of `values` and how far they lie apart."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(values, baseline):
    """`values` relative to `baseline`, round by round: the median of the rounds' ratios and their
    spread, not a ratio of medians, since a round's two figures saw the machine in one state."""
    return spread([value / base for value, base in zip(values, baseline, strict=True)])


def rotated(items, round_number, rounds):
    """`items` from another one on in each round, so that none always follows the same state."""
    start = round_number * len(items) // rounds
    return items[start:] + items[:start]


def short(value):
    """A figure in at most five characters: 0.953, 9.53, 95.3, 953, 9.5k, 95k, 953k, 9.5M."""
    if value == 0:
        return "0"
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")):
        # From where the unit below would round up to 1000.
        if abs(value) >= unit * 0.9995:
            break
    scaled = value / unit
    if suffix:
        return f"{scaled:.1f}{suffix}" if abs(scaled) < 9.95 else f"{scaled:.0f}{suffix}"
    digits = max(0, 2 - math.floor(math.log10(abs(scaled)) + 2e-4))
    return f"{scaled:.{min(digits, 3)}f}"


def axis_end(largest):
    """A round number not below `largest`, for the end of an axis."""
    magnitude = 10 ** math.floor(math.log10(largest))
    return next(step * magnitude for step in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
                if step * magnitude >= largest * (1 - 1e-9))
