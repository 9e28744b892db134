"""Made stacks of many kinds through the whole conversion: valid manifests, no address left without a word, the network as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

import migrate
from tests.migrate.made_stacks import made
from tests.oracle.corpus import faults


@pytest.mark.parametrize("seed", range(12))
def test_a_made_stack(tmp_path: Path, seed: int) -> None:
    made(seed, tmp_path)
    conversion = migrate.convert("compose.yaml", directory=tmp_path)
    assert faults(conversion) is None
    assert migrate.convert("compose.yaml", directory=tmp_path).manifests == conversion.manifests


@pytest.mark.parametrize("seed", range(12, 18))
def test_a_made_stack_with_pins(tmp_path: Path, seed: int) -> None:
    made(seed, tmp_path)
    assert faults(migrate.convert("compose.yaml", directory=tmp_path, addresses="pin", service_cidr="10.200.0.0/16")) is None
