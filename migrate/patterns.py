"""Regular expressions that are compiled when they are first used.

Compiling costs up to a millisecond each, and there are about 180: one run of `migrate` meets a few dozen of them. What is compiled while
a run goes on (patterns made of the tables in `data/`, or of what the input says) needs nothing of this: `re.compile` says it directly.
"""

from __future__ import annotations

import re
from typing import Any, cast


class Late:
    """Stands where a compiled pattern would; from its first use on it has that pattern's methods as its own."""

    def __init__(self, text: str, flags: int) -> None:
        self._said = (text, flags)

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(*self._said), name)
        self.__dict__[name] = value
        return value


def late(text: str, flags: int = 0) -> re.Pattern[str]:
    r"""As `re.compile`, but a fault of `text` shows when it is used: the tests use each once. Methods only: `re.sub(late(...), ...)` fails.

    >>> late(r"\d+").findall("10 of 12"), late("a", re.IGNORECASE).flags & re.IGNORECASE
    (['10', '12'], re.IGNORECASE)
    """
    return cast("re.Pattern[str]", Late(text, flags))
