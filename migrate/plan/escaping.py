"""What Kubernetes would expand must be escaped (conversion.md 2.7 `$`): `$(NAME)` and `$$` in commands, arguments, values, exec probes."""

from __future__ import annotations

import re
from typing import Final

from migrate.patterns import late

_OURS: Final = late(r"(\$\((?:POD_IP|HOST_IP)\))")


def escaped(text: str, *, ours: bool = False) -> str:
    """`text` so that the kubelet's expansion gives it back: every `$` followed by `(` or `$` doubled.

    With `ours`, `$(POD_IP)` and `$(HOST_IP)` are references that the conversion put there, and stay.

    >>> escaped("$HOME ${X} $(date) $$"), escaped("$(POD_IP):$(date)", ours=True), escaped("a$")
    ('$HOME ${X} $$(date) $$$', '$(POD_IP):$$(date)', 'a$')
    >>> expanded(escaped("$$ $$( $$$(A)"))
    '$$ $$( $$$(A)'
    """
    if "$" not in text:
        return text
    if ours:
        return "".join(part if _OURS.fullmatch(part) else _doubled(part) for part in _OURS.split(text))
    return _doubled(text)


def _doubled(text: str) -> str:
    return re.sub(r"\$(?=[($])", "$$", text)


def expanded(text: str) -> str:
    """What the kubelet makes of `text` with no variable known: `$$` becomes `$`, `$(NAME)` stays.

    Rule: k8s.io/kubernetes third_party/forked/golang/expansion.

    >>> expanded("$$(A) $(A) $x")
    '$(A) $(A) $x'
    """
    result, position = [], 0
    while position < len(text):
        if text[position] == "$" and position + 1 < len(text):
            following = text[position + 1]
            if following == "$":
                result.append("$")
                position += 2
                continue
            if following == "(" and (end := text.find(")", position)) > 0:
                result.append(text[position : end + 1])
                position = end + 1
                continue
            if following != "(":
                result.append("$" + following)
                position += 2
                continue
        result.append(text[position])
        position += 1
    return "".join(result)
