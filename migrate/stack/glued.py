"""Addresses in forms that nothing rewrites, and that are told: put together by code (MIG211), reversed in PTR names (MIG242)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from migrate.findings import Action, Finding, Span
from migrate.patterns import late
from migrate.rules import found
from migrate.stack.names import Directory
from migrate.stack.tokens import comments, inside
from migrate.stack.types import Occurrence, Text

_REVERSED = late(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})\.in-addr\.arpa", re.IGNORECASE)
_CODE = ("file", "config", "build", "command", "entrypoint")


def glued(texts: Sequence[Text], occurrences: Sequence[Occurrence], directory: Directory) -> Iterator[Finding]:
    """One finding for each line that completes such a beginning to an address of the stack: shell, Lua, PHP, Python, templates.

    Code that takes the beginning elsewhere first (`net = getenv(...)`) is not followed: there the finding at the variable is all.
    """
    stems: dict[str, dict[str, str]] = {}
    for o in occurrences:
        text = texts[o.text]
        if o.kind == "prefix" and text.service is not None and text.place in ("environment", "env_file") and o.token == text.text:
            stems.setdefault(text.service, {})[text.key] = o.token.rstrip(".")
    told: set[Span] = set()
    for text in texts if stems else ():
        if text.place in _CODE and text.service in stems:
            for variable, stem in stems[text.service].items():
                yield from _in_text(text, variable, stem, directory, told)


def reversed_records(texts: Sequence[Text], directory: Directory) -> Iterator[Finding]:
    """PTR names of the stack's addresses (`20.0.28.172.in-addr.arpa`), one finding a name: no reverse zone of the cluster has them."""
    told: dict[str, list[tuple[Span, Text]]] = {}
    for text in texts:
        if "in-addr.arpa" in text.text and text.service is not None:
            for m in _REVERSED.finditer(text.text):
                told.setdefault(".".join(reversed(m[1].split("."))), []).append((_place(text, m.start()), text))
    for address, places in told.items():
        owner = directory.addressed(None, address)[0]
        if owner is not None:
            spans = tuple(dict.fromkeys(span for span, _ in places))
            message = f"a PTR record gives a name to {address}, the old address of {owner}; it stays, and nothing asks for it any more"
            yield found(
                "MIG242", message, action=Action.MAPPED, span=spans[0], also=spans[1:], service=places[0][1].service, address=address
            )


def _in_text(text: Text, variable: str, stem: str, directory: Directory, told: set[Span]) -> Iterator[Finding]:
    if variable not in text.text:
        return
    hidden = comments(text.text)
    for m in _completing(variable).finditer(text.text):
        owner = directory.addressed(text.service, f"{stem}.{m[1]}")[0]
        span = _place(text, m.start())
        if owner is None or span in told or inside(m.start(), hidden):
            continue
        told.add(span)
        message = f"{variable} and .{m[1]} make {stem}.{m[1]}, the address of {owner}: write that name instead"
        yield found("MIG211", message, action=Action.MAPPED, span=span, service=text.service, address=f"{stem}.{m[1]}")


def _completing(variable: str) -> re.Pattern[str]:
    """`os.getenv("NET") .. ".253"`, `getenv('NET') . '.253'`, `${NET}.253`, `os.environ["NET"] + ".253"`, `{{ NET }}.253`.

    >>> [_completing("NET").search(t)[1] for t in ('os.getenv("NET") .. ".253"', "${NET}.7", "{{ NET }}.9", '"%s" % NET + ".1"')]
    ['253', '7', '9', '1']
    """
    return re.compile(rf"(?<!\w){re.escape(variable)}(?!\w)[^\n.\d]{{0,12}}?\s*(?:\.\.|\.(?=\s)|\+|\|\|)?\s*[\"'`]?\.(\d{{1,3}})(?![\d.])")


def _place(text: Text, start: int) -> Span:
    if not text.verbatim:
        return text.span
    before = text.text[:start]
    column = len(before) - before.rfind("\n")
    first = text.span.column - 1 if "\n" not in before else 0
    return Span(file=text.span.file, line=text.span.line + before.count("\n"), column=column + first)
