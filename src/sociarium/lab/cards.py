"""A scenario's card: which paper it stands for, what that paper claims, and what a claim needs to be checked."""

from __future__ import annotations

import math
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sociarium.kernel.errors import UsageError

MAXIMUM_BYTES = 1_000_000

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=80)]
Line = Annotated[str, Field(min_length=1, max_length=1_000)]


class Needs(StrEnum):
    """What a claim cannot be checked without."""

    RULES = "rules"  # holds with rule minds: checked always
    MODEL = "model"  # any language model
    STRONG_MODEL = "strong model"  # a language model of the paper's class
    DATA = "data"  # data that the product does not bring


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Paper(_Frozen):
    """Where a scenario comes from."""

    title: Line
    authors: Annotated[tuple[Line, ...], Field(min_length=1)]
    year: Annotated[int, Field(ge=1900, le=2100)]
    arxiv: Annotated[str | None, Field(pattern=r"^\d{4}\.\d{4,5}(v\d+)?$", description="arXiv number, such as 2404.16698")] = None
    url: Line | None = None
    licence: Annotated[Line, Field(description="licence of the paper's own source code, or 'none released'")]

    def citation(self) -> str:
        """One line: who, when, what, where."""
        who = self.authors[0] if len(self.authors) == 1 else f"{self.authors[0]} and others"
        where = f", arXiv {self.arxiv}" if self.arxiv else f", {self.url}" if self.url else ""
        return f"{who} ({self.year}), {self.title}{where}"


class Claim(_Frozen):
    """One statement that can be checked, with what was published and how far ours may lie from it."""

    id: Slug
    statement: Line
    published: Annotated[float | Line | None, Field(description="a number, or words; none for what is derived here")] = None
    tolerance: Annotated[float | None, Field(ge=0, description="largest distance from a published number that still holds")] = None
    unit: Line | None = None
    needs: Needs = Needs.RULES

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if isinstance(self.published, float) and not math.isfinite(self.published):
            raise ValueError(f"claim {self.id}: the published number must be finite")
        if self.tolerance is not None and not isinstance(self.published, float):
            raise ValueError(f"claim {self.id}: a tolerance needs a published number to be measured from")
        return self


class Card(_Frozen):
    """What ``card.yaml`` beside a scenario says."""

    slug: Slug
    title: Line
    paper: Paper
    simulation_type: Literal["individual", "scenario", "society"]
    domain: Annotated[Line, Field(description="the law or field the scenario is about, such as common-pool resources")]
    levels: Annotated[tuple[Literal["micro", "meso", "macro"], ...], Field(min_length=1)]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        for what, names in (("claim", [claim.id for claim in self.claims]), ("level", list(self.levels))):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is named twice")
        return self

    @classmethod
    def read(cls, path: Path) -> Card:
        """The card in a file; an error names the file, the place in it, and what is wrong there."""
        try:
            if path.stat().st_size > MAXIMUM_BYTES:
                raise UsageError(f"{path} is larger than {MAXIMUM_BYTES} bytes: that is no card")
            plain: Any = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))  # pyright: ignore[reportUnknownMemberType]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        except YAMLError as error:
            raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        try:
            return cls.model_validate(plain)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the card"
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            raise UsageError(f"{path}, {place}: {first['msg']}{more}") from None

    def source(self) -> str:
        """The paper in one line."""
        return self.paper.citation()
