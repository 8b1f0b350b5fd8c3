"""How a commons is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sociarium.environments.wording import Wording

_SEEN = frozenset({"stock", "month", "capacity", "threshold", "share", "agents", "wanted", "caught", "unit", "resource"})


@dataclass(frozen=True, slots=True)
class CommonsWording(Wording):
    """What an agent is told of a commons. Places: stock, month, capacity, threshold (what the group may take), share (what one of
    its ``agents`` may take), wanted and caught (its own last), unit, resource.

    An empty template is left out. ``rules`` is the same in every month; ``first`` replaces ``last`` before the first harvest.
    """

    resource: str = "fish"
    unit: str = "tons"
    rules: str = ""
    month: str = "It is month $month. There are $stock $unit of $resource; at most $capacity can live here."
    first: str = ""
    last: str = "Last time you wanted $wanted $unit and got $caught."
    universal: str = "If everyone takes more than $share $unit, less than now will be left next month."
    quantity: str = "how much to take"

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(("rules", "month", "first", "last", "universal"), _SEEN)
