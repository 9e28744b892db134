"""Small stacks of the shapes of real ones, through the whole conversion: every use, and the network as it was (address_shapes.yaml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from tests.oracle.corpus import faults

_CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("address_shapes.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_a_shape(tmp_path: Path, case: dict[str, Any]) -> None:
    for name, text in {"compose.yaml": case["compose"], **case.get("files", {})}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    conversion = migrate.convert("compose.yaml", directory=tmp_path)
    seen = {
        (
            u.use.service or "-",
            Path(u.use.span.file).name,
            u.use.span.line,
            u.use.span.column,
            u.use.token,
            u.use.letter,
            u.action,
            u.new or "",
        )
        for address in conversion.addresses
        for u in address.uses
    }
    assert [f"{s} {f}:{n}:{c} {t} {x} {a} {w}".strip() for s, f, n, c, t, x, a, w in sorted(seen)] == case["uses"]
    assert faults(conversion) is None
