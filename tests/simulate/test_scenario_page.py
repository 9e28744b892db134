"""docs/scenario.md says what the table of keys says: all of it, and nothing else."""

from __future__ import annotations

from pathlib import Path

from simulate.scenario.machines import POOL, PROVISIONER, SCALING
from simulate.scenario.page import page
from simulate.scenario.table import FLAGS, SCENARIO, VERBS


def test_the_published_page_is_made_from_the_table(repository: Path) -> None:
    again = "write it again: python -c 'from simulate.scenario.page import page; print(page(), end=str())' > docs/scenario.md"
    assert (repository / "docs" / "scenario.md").read_text() == page(), again


def test_every_key_verb_and_flag_is_on_the_page() -> None:
    text = page()
    missing = [name for name in SCENARIO.keys if f"## {name}\n" not in text]
    rows = [(verb, key) for verb, (_, keys) in VERBS.items() for key in keys]
    missing += [f"{verb}.{key}" for verb, key in rows if f"| with `{verb}`: " not in text or f"`{key}`" not in text]
    missing += [flag for flag in (*FLAGS, *SCALING) if f"`{flag}`" not in text]
    missing += [key for fields in (POOL, PROVISIONER) for key in fields.keys if f"`NAME.{key}`" not in text]
    assert missing == []


def test_what_must_be_there_is_marked_and_kinds_are_told() -> None:
    lines = page().splitlines()
    assert "| **`NAME.cores`** | quantity such as 128Mi | allocatable cores of one |" in lines
    assert (
        "| `NAME.consolidation.after` | `Never` or duration such as 250ms | how long no pod may have come or gone, default 0s; Never |"
        in lines
    )
    assert "| `NAME.taints[].value` | text | value |" in lines
    assert all(line.count("|") >= 4 for line in lines if line.startswith("| "))
