"""How seldom a right submission misses a limit, and how surely a wrong one does, estimated from a few dozen runs.

docs/calibration.md states the formulas.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from autograder.limits import Limit

SKEWED = 0.01  # Shapiro and Wilk's p below which the normal shape is not believed
CONFIDENCE = 0.99  # of the interval for a share
EULER = 0.5772156649015329


def on_scale(values, scale: str) -> np.ndarray:
    """Values where their distribution is about normal."""
    values = np.asarray(values, dtype=float)
    if scale == "log":
        return np.log(np.maximum(values, 1e-12))
    return np.arcsin(np.sqrt(values.clip(0, 1))) if scale == "share" else values


def from_scale(value: float, scale: str) -> float:
    if scale == "log":
        return math.exp(value)
    return math.sin(min(max(value, 0), math.pi / 2)) ** 2 if scale == "share" else value


@dataclasses.dataclass(frozen=True)
class Tail:
    """Values of one method on the scale of a limit, turned so that more is better."""

    limit: Limit
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float], limit: Limit) -> "Tail":
        return cls(limit, tuple(sign(limit) * on_scale(values, limit.scale)))

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        return float(np.std(self.values, ddof=1))

    @property
    def shapiro(self) -> float:
        """p of the normal shape; 1 where all values are equal up to rounding, or too few to tell."""
        return float(stats.shapiro(self.values).pvalue) if self.n > 2 and self.deviation > 1e-9 else 1.0

    def models(self) -> dict:
        """The distributions of one more value, by name: those that count."""
        mean, spread = self.mean, max(self.deviation, 1e-12)
        found = {
            "normal": stats.norm(mean, spread),
            "Student": stats.t(self.n - 1, mean, spread * math.sqrt(1 + 1 / self.n)),
        }
        if self.shapiro < SKEWED:  # an exponential tail, with the mean and the deviation of the values
            scale = spread * math.sqrt(6) / math.pi
            found["Gumbel"] = stats.gumbel_l(mean + EULER * scale, scale)
        return found

    def below(self, threshold: float) -> dict[str, float]:
        """The probability that one more value misses the threshold, by model."""
        at = sign(self.limit) * float(on_scale(threshold, self.limit.scale))
        return {name: float(model.cdf(at)) for name, model in self.models().items()}

    def edge(self, probability: float) -> float:
        """The threshold that one more value misses with this probability, by the most careful model."""
        at = min(float(model.ppf(probability)) for model in self.models().values())
        return from_scale(sign(self.limit) * at, self.limit.scale)

    def reach(self, probability: float) -> float:
        """The threshold that one more value misses but with this probability: where a mistake is still caught."""
        at = float(self.models()["Student"].isf(probability))
        return from_scale(sign(self.limit) * at, self.limit.scale)


def sign(limit: Limit) -> int:
    return 1 if limit.is_smallest else -1


def count_outside(counts: list[list]) -> float:
    """The probability that a count is not in its limits: the binomial tails, at the worst share that fits the counts.

    `counts`: [count, n, smallest, largest, …] of every run.
    """
    hits, draws = (sum(each[i] for each in counts) for i in (0, 1))
    slack = (1 - CONFIDENCE) / 2
    low = float(stats.beta.ppf(slack, hits, draws - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(1 - slack, hits + 1, draws - hits)) if hits < draws else 1.0
    ways = {tuple(each[1:4]) for each in counts}
    return max(
        float(stats.binom.cdf(smallest - 1, n, p) + stats.binom.sf(largest, n, p))
        for n, smallest, largest in ways
        for p in (low, hits / draws, high)
    )
