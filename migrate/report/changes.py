"""What was rewritten, as a diff that shows an address and the word it stands in, and nothing more of a text: no password, no key."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from migrate.description import description
from migrate.patterns import late
from migrate.stack.data import knowledge

if TYPE_CHECKING:
    from migrate.addresses.types import Addressing, DecidedUse, RewrittenFile
    from migrate.stack import Stack, Text

_WORD: Final = late(r"\S+")
_DIRECTIVE: Final = late(r"[\"'-]*[A-Za-z_][\w.-]*[\"']?[:=]?")
_LIST: Final = late(r"([,;|]+)")
_BEGIN: Final = late(r"[\"'(\[{<]*(?:--?)?(?:[A-Za-z_][\w.-]*[\"']?[=:][\"'(\[{]*)?(?:[A-Za-z][A-Za-z0-9+.-]*://)?\[?")
_END: Final = late(r"\]?(?::\d+)?(?:/[A-Za-z/.-]*)?[\"')\]}>]*")
_LONGEST_WORD: Final = 120
_FILES: Final = ("file", "config", "secret", "build")


@description
class Change:
    """One rewritten place. `where` says what it is (a variable, a word of a command, a file), `services` whose text it is, `before` and
    `after` are what may be shown of it (`before` empty: a line that was added)."""

    file: str
    line: int
    where: str
    before: str
    after: str
    services: tuple[str, ...] = ()


def changes_of(stack: Stack, addressing: Addressing) -> tuple[Change, ...]:
    """Every rewritten place: the lines of files as a diff, the values of Compose and environment files by their key; equal ones once."""
    found: dict[Change, dict[str, None]] = {}
    for change in (*_of_values(addressing), *_of_files(stack, addressing)):
        found.setdefault(replace(change, services=()), {}).update(dict.fromkeys(change.services))
    made = (replace(change, services=tuple(services)) for change, services in found.items())
    return tuple(sorted(made, key=lambda c: (c.file, c.line, c.where, c.services)))


def _of_values(addressing: Addressing) -> Iterator[Change]:
    for decided in addressing.addresses:
        for used in decided.uses:
            use = used.use
            if used.new is not None and used.new != use.token and use.place not in (*_FILES, "script", "dns"):
                yield Change(
                    file=use.span.file, line=use.span.line, where=_where(used), before=use.token, after=used.new,
                    services=(use.service,) if use.service else (),
                )  # fmt: skip


def _where(used: DecidedUse) -> str:
    use = used.use
    named = use.place in ("environment", "env_file", "labels", "extra_hosts")
    return f"{use.place} {use.key}" if named else str(use.place)


def _of_files(stack: Stack, addressing: Addressing) -> Iterator[Change]:
    for text in stack.texts:
        if text.service is None or text.place not in _FILES:
            continue
        rewritten = _rewritten(addressing, text)
        if rewritten is not None and rewritten.changed:
            yield from _lines(text, rewritten.text)


def _rewritten(addressing: Addressing, text: Text) -> RewrittenFile | None:
    service = addressing.services[text.service or ""]
    if text.place != "build":
        return service.files.get(text.key)
    return next((o for o in service.overlays.values() if o.source == text.key), None)


def _lines(text: Text, after: str) -> Iterator[Change]:
    old, new = text.text.splitlines(), after.splitlines()
    private = text.place == "secret" or any(
        fnmatch.fnmatch(posixpath.basename(text.span.file), pattern) for pattern in knowledge()["secret_files"]
    )
    owner = (text.service,) if text.service else ()
    where = "file of the image" if text.place == "build" else text.place
    for number, (before, new_line) in enumerate(zip(old, new, strict=False)):
        if before != new_line:
            shown = shown_of(before, new_line, private=private)
            yield Change(file=text.span.file, line=_line(text, number), where=where, before=shown[0], after=shown[1], services=owner)
    for number, added in enumerate(new[len(old) :], len(old)):
        yield Change(file=text.span.file, line=_line(text, number), where=where, before="", after=added, services=owner)


def _line(text: Text, number: int) -> int:
    return text.span.line + number if text.verbatim else text.span.line


def shown_of(old: str, new: str, *, private: bool = False) -> tuple[str, str]:
    """What a report shows of a line before and after: its first word and the words that changed; of what may be secret the bare change.

    >>> shown_of("  proxy_pass http://172.20.0.5:8080/;", "  proxy_pass http://api:8080/;")
    ('proxy_pass http://172.20.0.5:8080/;', 'proxy_pass http://api:8080/;')
    >>> shown_of("mysql -uroot -phunter2 -h 172.20.0.5", "mysql -uroot -phunter2 -h db")
    ('mysql … 172.20.0.5', 'mysql … db')
    >>> shown_of("url = mysql://u:pw@172.20.0.5/x", "url = mysql://u:pw@db/x")
    ('url … 172.20.0.5', 'url … db')
    """
    first, second = _WORD.findall(old), _WORD.findall(new)
    changed = [(a, b, i) for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b]
    sides: tuple[list[str], list[str]] = ([], [])
    at = -1
    if changed and changed[0][2] > 0 and not private and _DIRECTIVE.fullmatch(first[0]) is not None:
        sides[0].append(first[0])
        sides[1].append(second[0])
        at = 0
    for a, b, i in changed:
        gap = [] if i == at + 1 else ["…"]
        shown = _core(a, b) if private else _word(a, b)
        sides[0].extend((*gap, shown[0]))
        sides[1].extend((*gap, shown[1]))
        at = i
    return " ".join(sides[0]), " ".join(sides[1])


def _word(a: str, b: str) -> tuple[str, str]:
    """A word before and after, of a list element by element: whole where nothing but a key, a scheme, a port and a path stands beside the
    change, else the bare change.

    >>> _word("peers=10.0.0.5:80,t0ken@10.0.0.6", "peers=a:80,t0ken@b")
    ('peers=10.0.0.5:80,10.0.0.6', 'peers=a:80,b')
    """
    first, second = _LIST.split(a), _LIST.split(b)
    if len(first) != len(second):
        return _core(a, b)
    pairs = [(x, y) if _is_plain(x, y) else ("…", "…") if x == y else _core(x, y) for x, y in zip(first, second, strict=True)]
    return "".join(x for x, _ in pairs), "".join(y for _, y in pairs)


def _is_plain(a: str, b: str) -> bool:
    if a == b:
        return _LIST.fullmatch(a) is not None or _END.fullmatch(a) is not None
    core = _core(a, b)[0]
    before, _, after = a.partition(core)
    return len(a) <= _LONGEST_WORD and _BEGIN.fullmatch(before) is not None and _END.fullmatch(after) is not None


def _core(a: str, b: str) -> tuple[str, str]:
    """What differs between two words, widened to whole names and numbers.

    >>> _core("x:pw@172.20.0.5:80", "x:pw@db:80")
    ('172.20.0.5', 'db')
    """
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    while start and re.match(r"[\w.-]", a[start - 1]) and re.match(r"[\w.-]", b[start - 1]):
        start -= 1
    while end and re.match(r"[\w.-]", a[len(a) - end]):
        end -= 1
    return a[start : len(a) - end], b[start : len(b) - end]


def by_file(changes: tuple[Change, ...]) -> Mapping[str, tuple[Change, ...]]:
    """The changes of each file, in the order of its lines."""
    found: dict[str, tuple[Change, ...]] = {}
    for change in changes:
        found[change.file] = (*found.get(change.file, ()), change)
    return found
