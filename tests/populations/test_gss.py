"""The reader of survey agents, on the real file and on broken ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sociarium.kernel.errors import UsageError
from sociarium.populations.gss import LABELS, persona, read_records, sample


def random(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


@pytest.mark.data
def test_all_2500_people_have_every_answer_in_their_text(shared_data: Path) -> None:
    records = read_records(shared_data / "gss_agents" / "agents.jsonl")
    assert len(records) == 2_500
    for record in records:
        person = persona(record)
        told = person.block().splitlines()
        assert told[0] == f"Name: {record['first_name']} {record['last_name']}" and told[1] == f"Age: {record['age']}"
        assert {f"{LABELS[column]}: {record[column]}" for column in LABELS if record.get(column)} == set(told[2:])
    assert set(records[0]) - set(LABELS) == {"first_name", "last_name", "age", "agent_id"}  # no answer is forgotten


@pytest.mark.data
def test_a_sample_has_no_repeats_follows_its_seed_and_resembles_the_whole(shared_data: Path) -> None:
    records = read_records(shared_data / "gss_agents" / "agents.jsonl")
    chosen = sample(records, 1_000, random(1))
    assert len({record["agent_id"] for record in chosen}) == 1_000
    assert chosen == sample(records, 1_000, random(1)) != sample(records, 1_000, random(2))
    share = np.mean([record["sex"] == "Female" for record in records])
    found = sum(record["sex"] == "Female" for record in chosen)
    assert stats.binomtest(found, 1_000, share).pvalue > 0.001


@pytest.mark.data
def test_quotas_are_met_exactly_and_impossible_ones_are_refused(shared_data: Path) -> None:
    records = read_records(shared_data / "gss_agents" / "agents.jsonl")
    chosen = sample(records, 201, random(3), {"sex": {"Female": 0.25, "Male": 0.75}})
    assert Counter(record["sex"] for record in chosen) == {"Female": 50, "Male": 151}
    assert [record["sex"] for record in chosen] != sorted(record["sex"] for record in chosen)
    with pytest.raises(UsageError, match="only 0"):
        sample(records, 10, random(3), {"sex": {"Martian": 1.0}})
    with pytest.raises(UsageError, match="raking"):
        sample(records, 10, random(3), {"sex": {"Female": 1.0}, "race": {"White": 1.0}})


def test_columns_choose_what_is_told_and_in_which_order() -> None:
    record = {"first_name": "Ann", "last_name": "Lee", "age": 30, "sex": "Female", "city": "Tulsa", "religion": None}
    assert persona(record, ["city", "sex", "religion"]).block() == "Name: Ann Lee\nAge: 30\nCity: Tulsa\nSex: Female"
    with pytest.raises(UsageError, match="unknown survey column 'shoe'"):
        persona(record, ["shoe"])


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "nobody"), ("{}\n", "line 1.*'first_name'"), ('\n{"a"\n', "line 2.*not JSON"), ('["x"]', "line 1, is not a person")],
)
def test_broken_files_are_named_by_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "agents.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_records(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_records(tmp_path / "absent.jsonl")
