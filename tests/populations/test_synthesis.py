"""Households with persons: exact small cases, the real census sample, files, and a picture."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness
from sociarium.lab.fit_chart import fit_chart
from sociarium.populations.households import Controls, Method, Sample, constraints, rake_households, read_marginals
from sociarium.populations.storage import load_population, scan, write_synthetic, write_table
from sociarium.populations.synthesis import Coded, Places, assign_places, synthesise

DATA = Path(os.environ.get("SOCIARIUM_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def stream(seed=0):
    return Randomness(seed).stream("test")


def small():
    """Ye et al. 2009, table 1: eight households of two types with persons of three types."""
    kinds = [1, 1, 1, 2, 2, 2, 2, 2]
    members = [(1, 1, 1), (1, 0, 1), (2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 1, 0), (2, 1, 2), (1, 1, 0)]
    people = [(row, f"p{kind + 1}") for row, counts in enumerate(members) for kind, count in enumerate(counts) for _ in range(count)]
    homes = pl.DataFrame({"id": range(8), "type": [f"h{kind}" for kind in kinds]})
    return Sample(homes, pl.DataFrame(people, schema=["id", "person"], orient="row"), "id")


WANTED = Controls({"type": {"h1": 35, "h2": 65}}, {"person": {"p1": 91, "p2": 65, "p3": 104}})


def city(seed=0, households=400):
    """A made-up sample whose persons know age in years, sex and work."""
    size = stream(seed).integers(1, 5, np.arange(households))
    owner = np.repeat(np.arange(households), size)
    age = stream(seed).integers(0, 89, np.arange(len(owner)), 1)
    homes = pl.DataFrame({"id": np.arange(households), "size": np.where(size > 2, "large", "small")})
    persons = pl.DataFrame({
        "id": owner, "years": age, "age": np.where(age < 20, "young", np.where(age < 65, "adult", "old")),
        "sex": np.where(stream(seed).uniform(np.arange(len(owner)), 2) < 0.5, "f", "m"),
    })  # fmt: skip
    return Sample(homes, persons, "id")


AGES = ("young", "adult", "old")
ZONES = {
    "north": Controls(
        {"size": {"small": 300, "large": 500}},
        {"age": dict(zip(AGES, (550, 1300, 650), strict=True)), "sex": {"f": 1300, "m": 1200}},
    ),
    "south": Controls(
        {"size": {"small": 200, "large": 100}},
        {"age": dict(zip(AGES, (80, 400, 220), strict=True)), "sex": {"f": 360, "m": 340}},
    ),
}
PLACES = {
    "school": Places("years", least=6, most=17, mean_size=60),
    "work": Places("age", ("adult",), share=0.7, mean_size=8, spread=1.0, local=0.4),
}


def test_the_published_example_is_met():
    """The weights that Ye et al. print after convergence, to two digits."""
    fit = rake_households(small(), WANTED, method=Method.UPDATING, tolerance=1e-6, iterations=5_000)
    system = constraints(small(), WANTED)
    assert system.matrix @ fit.weights == pytest.approx([35, 65, 91, 65, 104], rel=1e-4)
    assert fit.weights == pytest.approx([1.36, 25.66, 7.98, 27.79, 18.45, 8.64, 1.47, 8.64], abs=0.02)
    assert fit.report.converged and fit.report["person"].largest_error < 0.01


def test_entropy_gives_the_weights_nearest_to_equal_ones():
    """Both ways meet the marginals; those of least entropy are a product of one factor a constraint, and of no greater divergence."""
    system = constraints(small(), WANTED)
    near, updated = rake_households(small(), WANTED, slack=1e-9), rake_households(small(), WANTED, method=Method.UPDATING, tolerance=1e-9)
    assert system.matrix @ near.weights == pytest.approx(system.wanted, rel=1e-6)
    divergence = lambda w: (w * np.log(w / w.sum())).sum()  # noqa: E731
    assert divergence(near.weights) <= divergence(updated.weights) + 1e-6
    logs = np.log(near.weights)
    fitted = system.matrix.T @ np.linalg.lstsq(system.matrix.T, logs, rcond=None)[0]
    assert logs == pytest.approx(fitted, abs=1e-6)


def test_contradictory_marginals_are_told():
    impossible = Controls({"type": {"h1": 35, "h2": 65}}, {"person": {"p1": 91, "p2": 65, "p3": 5}})
    fit = rake_households(small(), impossible)
    assert not fit.report.converged and "NOT converged" in fit.report.text()
    with pytest.raises(UsageError, match="cannot both be met"):
        rake_households(small(), impossible, strict=True)
    with pytest.raises(UsageError, match="person wants 3 of 'p9'"):
        rake_households(small(), Controls({}, {"person": {"p1": 1, "p2": 1, "p3": 1, "p9": 3}}))


def test_a_sample_is_checked():
    homes = pl.DataFrame({"id": [1, 2]})
    with pytest.raises(UsageError, match="1 persons of the sample belong to no household"):
        Sample(homes, pl.DataFrame({"id": [1, 2, 3]}), "id")
    with pytest.raises(UsageError, match="same id"):
        Sample(pl.DataFrame({"id": [1, 1]}), pl.DataFrame({"id": [1]}), "id")
    assert Sample(homes, pl.DataFrame({"id": [2, 1, 2]}), "id").starts.tolist() == [0, 1, 3]


@pytest.fixture(scope="module")
def people():
    return synthesise(city(), ZONES, stream(7), households=["size"], persons=["years", "age", "sex"], places=PLACES, scale=2.0)


class TestPeople:
    def test_zones_have_their_households_and_nearly_their_persons(self, people):
        zone, homes = people.persons["zone"], people.households["zone"]
        assert np.bincount(homes).tolist() == [1600, 600]
        age = people.persons["age"]
        for number, controls in enumerate(ZONES.values()):
            for code, label in enumerate(age.labels):
                wanted = 2 * controls.persons["age"][label]
                assert abs(((age.codes == code) & (zone == number)).sum() - wanted) <= 0.02 * wanted + 2
        assert people.whole.srmse < 0.01
        assert people.whole["age"].fitted.sum() == len(people)

    def test_persons_stay_with_their_households(self, people):
        household = people.persons["household"]
        assert (np.diff(household) >= 0).all()
        sizes = np.bincount(household)
        assert sizes.tolist() == people.households["members"].tolist()
        large = people.households["size"].labels.index("large")
        assert ((people.households["size"].codes == large) == (sizes > 2)).all()
        assert (people.persons["zone"] == people.households["zone"][household]).all()

    def test_places_hold_whom_they_should(self, people):
        years, school, work = people.persons["years"], people.persons["school"], people.persons["work"]
        pupils = (years >= 6) & (years <= 17)
        assert ((school >= 0) == pupils).all()
        adult = people.persons["age"].codes == people.persons["age"].labels.index("adult")
        assert not (work[~adult] >= 0).any()
        assert abs((work[adult] >= 0).mean() - 0.7) < 0.03
        assert abs(np.bincount(school[school >= 0]).mean() / 60 - 1) < 0.25

    def test_one_stream_is_one_population(self, people):
        again = synthesise(city(), ZONES, stream(7), households=["size"], persons=["years", "age", "sex"], places=PLACES, scale=2.0)
        other = synthesise(city(), ZONES, stream(8), households=["size"], persons=["years", "age", "sex"], places=PLACES, scale=2.0)
        assert (again.persons["work"] == people.persons["work"]).all()
        assert len(other) != len(people) or (other.persons["work"] != people.persons["work"]).any()

    def test_files_come_back_by_column(self, people, tmp_path):
        folder = write_synthetic(people, tmp_path / "city", seed=7)
        loaded = load_population(folder / "persons.parquet", columns=["age", "work"])
        table = loaded.population["person"]
        assert len(table) == len(people) and "sex" not in table
        assert table["age"].dtype == np.uint8 and table["work"].dtype == np.int32
        assert loaded.labels["age"] == ("adult", "old", "young") and table.columns["age"].doc == "0 adult, 1 old, 2 young"
        assert (table["age"] == people.persons["age"].codes).all()
        assert loaded.provenance["seed"] == 7 and loaded.provenance["controls"]["south"]["households"]["size"]["large"] == 100
        assert loaded.provenance["fit"]["age"]["srmse"] < 0.01
        text = scan(folder / "persons.parquet", ["sex"]).collect()["sex"]
        assert text.cast(str).value_counts().sort("sex")["count"].sum() == len(people) and set(text.cast(str)) == {"f", "m"}
        worlds = load_population(folder / "persons.parquet", columns=["zone"], group="zone").population["person"]
        assert worlds["group"].max() == 1
        with pytest.raises(UsageError, match="no column 'height'"):
            load_population(folder / "persons.parquet", columns=["height"])
        (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
        with pytest.raises(UsageError, match="cannot be read as Parquet"):
            load_population(tmp_path / "bad.parquet")

    def test_foreign_files_load_too(self, tmp_path):
        pl.DataFrame({"age": [3, 4], "name": ["Ann", "Bo"]}).write_parquet(tmp_path / "p.parquet")
        loaded = load_population(tmp_path / "p.parquet")
        assert loaded.population["person"]["name"].tolist() == ["Ann", "Bo"] and loaded.labels == {}
        write_table({"a": Coded(np.array([0, 1], np.uint8), ("x", "y"))}, tmp_path / "q.parquet")
        assert scan(tmp_path / "q.parquet").collect()["a"].to_list() == ["x", "y"]

    def test_the_fit_can_be_read_and_drawn(self, people, tmp_path):
        text = people.whole.text()
        assert len(text.splitlines()) >= 4 and "SRMSE" in text
        fit = rake_households(city(), ZONES["north"])
        path = fit_chart(fit.report, tmp_path / "fit.png", title="North")
        assert path.read_bytes()[:4] == b"\x89PNG"
        with pytest.raises(UsageError, match="must end in"):
            fit_chart(fit.report, tmp_path / "fit.gif")


def test_workplaces_fill_zones_in_proportion_and_shuffle_their_people():
    zone = np.repeat(np.arange(3), [5000, 3000, 2000]).astype(np.int32)
    kind = Places("age", mean_size=10, spread=0.8, local=0.0)
    place = assign_places(zone, np.ones(10_000, bool), kind, stream(), zones=3)
    of_place = np.zeros((place.max() + 1, 3), int)
    np.add.at(of_place, (place, zone), 1)
    assert (place >= 0).all()
    table = np.stack([of_place[p] for p in np.flatnonzero(of_place.sum(1) >= 20)])
    assert (table > 0).sum(axis=1).mean() > 2.5  # large workplaces draw from everywhere
    local = assign_places(zone, np.ones(10_000, bool), Places("age", mean_size=10, local=1.0), stream(), zones=3)
    assert all(len(np.unique(zone[local == p])) == 1 for p in range(0, local.max(), 50))
    sizes = np.bincount(assign_places(zone, np.ones(10_000, bool), Places("age", mean_size=10, spread=1.0, local=1.0), stream(1), zones=3))
    assert abs(sizes.mean() - 10) < 1.5 and stats.variation(sizes) > 0.8


def test_the_real_sample_meets_the_real_marginals(tmp_path):
    """21 zones: households exact, persons within what their contradictory tables allow."""
    folder = DATA / "census_marginals"
    if not folder.exists():
        pytest.skip(f"the reference data are not at {DATA}")
    homes, persons = pl.read_csv(folder / "household_sample.csv"), pl.read_csv(folder / "person_sample.csv")
    sample = Sample(homes, persons.join(homes.select("serialno"), on="serialno", how="semi"), "serialno")
    of_homes, of_persons = read_marginals(folder / "hh_marginals.csv"), read_marginals(folder / "person_marginals.csv")
    assert len(of_homes) == 21
    zones = {zone: Controls(of_homes[zone], of_persons[zone]).reconciled() for zone in of_homes}
    met = 0
    for controls in zones.values():  # wherever weights can meet the marginals at all, they do
        system, report = constraints(sample, controls), rake_households(sample, controls).report
        scale = np.maximum(system.wanted, 1)
        possible = optimize.nnls(system.matrix / scale[:, None], system.wanted / scale)[1] < 1e-6
        assert report.converged or not possible
        met += report.converged
    assert met >= 7
    people = synthesise(sample, zones, stream(), persons=["age", "sex", "race"])
    assert people.fractional.srmse < 0.05
    assert people.whole.srmse < 0.06
    assert abs(len(people) / 24905 - 1) < 0.03
    assert all(marginal.variation < 0.04 for marginal in people.whole.marginals)
    with pytest.raises(UsageError, match="not a number"):
        (tmp_path / "m.csv").write_text("zone_id,a\n,x\n1,many\n")
        read_marginals(tmp_path / "m.csv")
