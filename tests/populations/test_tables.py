"""Populations from independent tables, and copies of a network side by side."""

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.randomness import Randomness
from sociarium.lab.statistics import chi_square
from sociarium.populations.networks.copies import side_by_side
from sociarium.populations.tables import Table, drawn, read_tables

RANDOM = Randomness(5).stream("people")


def test_weights_that_do_not_sum_to_one_are_normalised_and_met():
    table = Table("gender", ("female", "male", "nobody"), (0.351, 0.636, 0.0))
    assert table.shares.sum() == pytest.approx(1) and table.shares[0] == pytest.approx(0.351 / 0.987)
    codes = table.drawn(np.arange(50_000), RANDOM)
    assert chi_square(np.bincount(codes, minlength=3), table.shares) > 0.001 and not (codes == 2).any()
    assert set(table.words(codes[:100])) == {"female", "male"}


def test_an_agents_draws_do_not_depend_on_how_many_others_there_are_and_tables_are_independent(tmp_path):
    path = tmp_path / "tables.yaml"
    path.write_text("age: {young: 1, old: 3}\ntrade: [baker, smith]\n", encoding="utf-8")
    tables = read_tables(path)
    many, few = drawn(tables, 40_000, RANDOM), drawn(tables, 10, RANDOM, first=7)
    for name in tables:
        assert np.array_equal(many[name][7:17], few[name])
    both = np.bincount(many["age"] * 2 + many["trade"], minlength=4)
    assert chi_square(both, np.outer(tables["age"].shares, tables["trade"].shares).reshape(-1)) > 0.001


@pytest.mark.parametrize(("names", "weights"), [((), ()), (("a",), (1.0, 2.0)), (("a",), (-1.0,)), (("a", "b"), (0.0, 0.0))])
def test_tables_that_cannot_be_drawn_from_are_refused(names, weights):
    with pytest.raises(UsageError, match="table"):
        Table("x", names, weights)


def test_copies_of_a_network_never_touch():
    one = Network.from_edges(4, [0, 1, 3, 3], [1, 2, 0, 2], attributes={"weight": [1, 2, 3, 4]})
    three = side_by_side(one, 3)
    assert three.nodes == 12 and len(three) == 12
    for copy in range(3):
        for node in range(4):
            assert (three.neighbours(4 * copy + node) - 4 * copy).tolist() == one.neighbours(node).tolist()
    assert three["weight"].tolist() == [*one["weight"]] * 3
    with pytest.raises(UsageError, match="at least 1"):
        side_by_side(one, 0)
