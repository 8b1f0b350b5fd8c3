"""GovSim: does a commons survive twelve months (Piatti et al. 2024, arXiv 2404.16698)?"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from sociarium.scenarios.govsim.game import HERE, CommonsGame


class GovSim(CommonsGame):
    """Five agents share a lake, a pasture or a river. The three wordings are the same mathematics."""

    slug: ClassVar[str] = "govsim"
    title: ClassVar[str] = "Cooperate or collapse: five agents share a renewable resource"

    wording: Literal["fishery", "pasture", "pollution"] = Field("fishery", description="which resource it is in words")

    def wording_file(self) -> Path:
        return HERE / "wordings" / f"{self.wording}.yaml"
