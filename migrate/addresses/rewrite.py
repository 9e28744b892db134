"""Text after its edits: the token alone changes, everything around it stays byte by byte."""

from __future__ import annotations

from collections.abc import Iterable

from migrate.addresses.types import Edit
from migrate.patterns import late

_RENDERED = late(r"@@(?:ADDR6?:([a-z0-9-]+)|POD_IP|HOST_IP)@@")


def rewrite(text: str, edits: Iterable[Edit]) -> str:
    """`text` with every edit applied. Raises ValueError for edits that overlap or lie outside the text.

    >>> rewrite("http://10.0.0.5:80/", [Edit(start=7, end=15, new="web")])
    'http://web:80/'
    """
    parts, at = [], 0
    for edit in sorted(set(edits), key=lambda e: (e.start, e.end)):
        if edit.start < at or edit.end > len(text):
            raise ValueError(f"edits overlap or lie outside the text at {edit.start}")
        parts += [text[at : edit.start], edit.new]
        at = edit.end
    return "".join((*parts, text[at:]))


def rendered_services(text: str) -> tuple[str, ...]:
    """The Services whose addresses a rendered file asks for, in order.

    >>> rendered_services("a @@ADDR:db@@ b @@POD_IP@@ @@ADDR:db@@")
    ('db',)
    """
    return tuple(dict.fromkeys(m[1] for m in _RENDERED.finditer(text) if m[1]))
