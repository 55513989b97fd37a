"""Samples of one run: picked out, and put into few numbers."""

import math
import statistics


class Spread:
    """A set of values, at least one: median, 99th percentile (the nearest value that was measured),
    least and most."""

    def __init__(self, values):
        ordered = sorted(values)
        self.count = len(ordered)
        self.median = statistics.median(ordered)
        self.p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
        self.least = ordered[0]
        self.most = ordered[-1]

    def as_json(self):
        return {"n": self.count, "median": self.median, "p99": self.p99, "min": self.least,
                "max": self.most}


def spread_of(values):
    """Nothing where there is no value."""
    values = list(values)
    return Spread(values) if values else None


def at(sample, *path):
    """The value at this path of keys; nothing where it is not there."""
    for key in path:
        if not isinstance(sample, dict) or key not in sample:
            return None
        sample = sample[key]
    return sample


class Samples:
    """All samples of a run."""

    def __init__(self, samples):
        self._samples = samples

    def where(self, **wanted):
        """Those that have all these values."""
        return Samples([sample for sample in self._samples
                        if all(sample.get(key) == value for key, value in wanted.items())])

    def that(self, condition):
        return Samples([sample for sample in self._samples if condition(sample)])

    def values(self, *path):
        found = (at(sample, *path) for sample in self._samples)
        return [value for value in found if value is not None]

    def spread(self, *path, scale=1.0):
        values = self.values(*path)
        return spread_of(scale * value for value in values)

    def distinct(self, *path):
        return sorted(set(self.values(*path)))

    def __iter__(self):
        return iter(self._samples)

    def __len__(self):
        return len(self._samples)
