"""How fast an epidemic grows: the effective reproduction number, from daily cases (Cori and others, Am. J. Epidemiology 178, 2013)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.epidemic.disease import Disease, Duration

Floats = NDArray[np.float64]
LONG = 120  # days since infection that are looked at where stages have no fixed length


def remaining(duration: Duration, days: int) -> Floats:
    """P(still in the stage on its k-th day), k = 1 to ``days``."""
    k = np.arange(days)
    if not duration.ends:
        return np.ones(days)
    return np.asarray((1 - 1 / duration.days) ** k if duration.drawn else k < duration.days, np.float64)


def expected_emission(disease: Disease, days: int | None = None) -> Floats:
    """What one who was infected on day 0 is expected to send on days 1 to ``days``, over a contact of weight 1."""
    fixed = not disease.exposed.drawn and not disease.infectious.drawn and disease.infectious.ends
    length = days or (int(disease.exposed.days + disease.infectious.days) if fixed else LONG)
    exposed = remaining(disease.exposed, length + 1)
    entering = np.append(-np.diff(exposed), 0.0)  # P(infectious from the day after day k on)
    infectious = np.convolve(entering, remaining(disease.infectious, length + 1))
    table = disease.exact_emission()
    column = np.minimum(np.arange(1, length + 1), table.shape[1] - 1)
    return exposed[:length] * table[1, column] + np.concatenate([[0.0], infectious])[:length] * table[2, column]


def weights(disease: Disease) -> Floats:
    """The generation interval: ``expected_emission`` as shares, for days 1, 2 ... since infection."""
    sent = expected_emission(disease)
    return sent / sent.sum() if sent.sum() > 0 else sent


def estimated(cases: NDArray[np.int64], before: NDArray[np.int64], shares: Floats) -> Floats:
    """R on a day: new cases over the infectiousness of earlier ones; nan where there is none. ``before``: cases of the days before, the
    latest last, (groups, days)."""
    pressure = before @ shares[::-1]
    return np.divide(cases, pressure, out=np.full(len(cases), np.nan), where=pressure > 0)
