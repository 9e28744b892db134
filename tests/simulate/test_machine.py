"""How machine code is loaded: what was kept needs none of numba's tables, and what is compiled afterwards has all of them."""

from __future__ import annotations

from typing import Any

import pytest

numba = pytest.importorskip("numba", reason="without numba there is no machine code")


def test_nothing_is_prepared_while_kept_code_is_looked_for_and_everything_is_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.registry import cpu_target

    from simulate.traffic.machine import unprepared

    context: Any = cpu_target.target_context
    with pytest.raises(OSError, match="no such folder"), unprepared(context):
        monkeypatch.setattr(context, "load_additional_registries", lambda: pytest.fail("numba fills its tables"))
        context.refresh()
        raise OSError("no such folder")
    monkeypatch.undo()
    assert context.refresh.__func__ is type(context).refresh

    least: Any = numba.njit(lambda values: min(values) + len(values))
    assert least((3.0, 1.5)) == 3.5


def test_the_entries_of_both_compiled_engines_look_for_kept_code_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.registry import cpu_target

    from simulate.traffic.events import enter
    from simulate.traffic.kernels import operate

    seen: list[bool] = []
    context: Any = cpu_target.target_context
    monkeypatch.setattr(type(context), "refresh", lambda _: seen.append(True))
    for entry in (enter, operate):
        dispatcher: Any = entry
        assert dispatcher._cache.load_overload((numba.types.unicode_type,), context) is None
    assert seen == []
