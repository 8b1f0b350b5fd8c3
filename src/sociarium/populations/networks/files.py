"""Networks from outside and to it: edge lists (CSV, TSV, Parquet), NetworkX, and logs of who interacted with whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.extras import optional
from sociarium.kernel.network import Network

Ints = NDArray[np.int64]

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": " ", ".edges": " "}


@dataclass(frozen=True, slots=True)
class Named:
    """A network and what its nodes are called: node i is ``names[i]``."""

    network: Network
    names: NDArray[Any]

    def node(self, name: Any) -> int:
        """The number of a node."""
        found = np.flatnonzero(self.names == name)
        if not len(found):
            raise UsageError(f"no node is called {name!r}")
        return int(found[0])


def read_edges(
    path: Path, *, source: str | None = None, target: str | None = None, weight: str | None = None, mutual: bool = False
) -> Named:
    """From a file with one edge a row: ``.csv``, ``.tsv``, ``.txt`` (blanks) or ``.parquet``. ``source`` and ``target`` name columns
    (default: the first two). Names may be anything; nodes are numbered in the order of names."""
    table = _read(path)
    columns = [source or table.columns[0], target or (table.columns[1] if len(table.columns) > 1 else "a second column")]
    for name in (*columns, *([weight] if weight else [])):
        if name not in table.columns:
            raise UsageError(f"{path} has no column {name!r}; it has {', '.join(table.columns)}")
    if table.select(columns).null_count().row(0) != (0, 0):
        raise UsageError(f"{path} has edges without a source or target; fill or drop these rows")
    names, ends = _numbered(table[columns[0]].to_numpy(), table[columns[1]].to_numpy())
    attributes = {"weight": table[weight].cast(pl.Float64).to_numpy()} if weight else None
    return Named(Network.from_edges(len(names), *ends, mutual=mutual, attributes=attributes), names)


def write_edges(network: Network, path: Path, names: NDArray[Any] | None = None) -> Path:
    """One edge a row, with its attributes, to ``.csv``, ``.tsv`` or ``.parquet``. Columns: source, target, attributes."""
    ends = {"source": network.sources(), "target": network.targets}
    columns = {key: values if names is None else np.asarray(names)[values] for key, values in ends.items()}
    table = pl.DataFrame(columns | dict(network.attributes))
    if path.suffix == ".parquet":
        table.write_parquet(path)
    elif path.suffix in SEPARATORS:
        table.write_csv(path, separator=SEPARATORS[path.suffix])
    else:
        raise UsageError(f"{path} must end in .parquet, {', '.join(SEPARATORS)}")
    return path


def from_networkx(graph: Any, *, weight: str | None = None) -> Named:
    """From a NetworkX graph; nodes are numbered in the graph's order."""
    names = np.empty(graph.number_of_nodes(), object)
    names[:] = list(graph)
    number = {name: place for place, name in enumerate(graph)}
    ends = [(number[a], number[b]) for a, b in graph.edges()]
    a, b = np.array(ends, np.int64).reshape(-1, 2).T
    attributes = {"weight": np.array([d.get(weight, 1.0) for _, _, d in graph.edges(data=True)])} if weight else None
    return Named(Network.from_edges(len(names), a, b, mutual=not graph.is_directed(), attributes=attributes), names)


def to_networkx(network: Network, *, directed: bool = True) -> Any:
    """As a NetworkX graph with nodes 0, 1, ... and edge attributes (extra ``graph``)."""
    nx = optional("networkx", "graph", "a graph for NetworkX")
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(network.nodes))
    graph.add_edges_from(zip(network.sources().tolist(), network.targets.tolist(), strict=True))
    for name, values in network.attributes.items():
        edges = zip(network.sources().tolist(), network.targets.tolist(), values.tolist(), strict=True)
        nx.set_edge_attributes(graph, {(a, b): value for a, b, value in edges}, name)
    return graph


def from_interactions(
    sources: ArrayLike,
    targets: ArrayLike,
    *,
    times: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    since: float | None = None,
    now: float | None = None,
    half_life: float | None = None,
    least: float = 0.0,
) -> Named:
    """A weighted directed network of a log: one row an interaction (a reply, a repost, a vote) of source with target.

    Edge attributes: ``weight``, the sum of the rows' weights (1 where none are given), each halved every ``half_life`` between its time and
    ``now`` (the last time in the log); and ``count``, its rows. Edges below ``least`` are left out; so are interactions with oneself. Rows
    after ``now`` or before ``since`` are not seen.
    """
    a, b = np.atleast_1d(np.asarray(sources)), np.atleast_1d(np.asarray(targets))
    value = np.ones(len(a)) if weights is None else np.asarray(weights, np.float64).copy()
    if not len(a) == len(b) == len(value) or (times is not None and len(np.asarray(times)) != len(a)):
        raise UsageError(f"a log of {len(a)} sources has {len(b)} targets and {len(value)} weights; it needs one of each a row")
    if since is not None and times is None:
        raise UsageError("since needs the times of the interactions")
    if half_life is not None and (times is None or not half_life > 0):
        raise UsageError("half_life must be above 0, and needs the times of the interactions")
    names, (a, b) = _numbered(a, b)
    keep = a != b
    if times is not None and len(a):
        when = np.asarray(times, np.float64)
        moment = float(when.max()) if now is None else now
        keep &= (when <= moment) & (when >= (-np.inf if since is None else since))
        if half_life is not None:
            value *= np.exp2(-np.maximum(moment - when, 0) / half_life)
    codes, place = np.unique((a[keep] << 32) | b[keep], return_inverse=True)
    weight, count = np.bincount(place, weights=value[keep], minlength=len(codes)), np.bincount(place, minlength=len(codes))
    seen = weight >= least
    attributes = {"weight": weight[seen], "count": count[seen]}
    return Named(Network.from_edges(len(names), codes[seen] >> 32, codes[seen] & 0xFFFFFFFF, attributes=attributes), names)


def _numbered(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[Any], list[Ints]]:
    names, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    return names, [places[: len(a)].astype(np.int64), places[len(a) :].astype(np.int64)]


def _read(path: Path) -> pl.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        if path.suffix not in SEPARATORS:
            raise UsageError(f"{path} must end in .parquet, {', '.join(SEPARATORS)}")
        return pl.read_csv(path, separator=SEPARATORS[path.suffix], infer_schema_length=10_000)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{path} cannot be read as a table of edges: {error}") from error
