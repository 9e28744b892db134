"""How the event client of the controllers groups what it writes (kubernetes-semantics.md 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

LIMIT = 10
"""From so many different messages of one object on they are combined."""

WINDOW_S = 600.0
"""Messages older than this are forgotten."""


def combined(earlier: Sequence[tuple[float, str]], message: str, now_s: float) -> str:
    """The text that is stored: `earlier` are the (time, message) of the same object and reason, in order of time.

    >>> combined([(float(i), f"message {i}") for i in range(9)], "message 9", 10.0)
    '(combined from similar events): message 9'
    """
    different = {message}
    for at_s, text in reversed(earlier):
        if now_s - at_s > WINDOW_S:
            break
        different.add(text)
        if len(different) >= LIMIT:
            return f"(combined from similar events): {message}"
    return message
