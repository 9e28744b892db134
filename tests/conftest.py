"""How we test here: most tests are tables of milliseconds; data beside the repository is reached through `shared`.

`shared` is the folder of specifications and recorded truth beside the checkout. A user has only the repository: tests that need it
skip with this reason. In CI (`CI=true`) it is always there, and its absence fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")  # the same examples in every run; `--hypothesis-profile=default` looks for new ones
providers._get_local_constants = providers.Constants  # else it draws numbers and texts of whatever modules are loaded at the moment

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the checkout; the test is skipped where there is none."""
    folder = (REPOSITORY.parent / "shared").resolve()
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail("../shared is absent, and in CI it must be there")
        pytest.skip("../shared (recorded truth and corpus) is not beside this checkout")
    return folder
