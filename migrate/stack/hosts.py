"""Words in host position (conversion.md section 1): where a name is a host, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Literal

from migrate.description import description
from migrate.patterns import late
from migrate.stack.data import any_of, knowledge, pattern
from migrate.stack.outline import simple_command
from migrate.stack.tokens import URL_PORTS

Form = Literal["variable", "command", "file"]
_NAME = r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"
_URL = late(r"([A-Za-z][A-Za-z0-9+.-]*)://([^\s/'\"|<>()\\;?#\]}]*)")
_HOSTPORT = late(rf"(?<![\w.\-/$}}%@\\])({_NAME})[:#](\d{{1,5}})(?![\w.@])")
_SEEDS = late(
    rf"(?:--?configdb[=\s]+|addShard\(\s*|(?=[\w.-]+/{_NAME}:\d+,))[\\\"']*[A-Za-z][\w.-]*/({_NAME}:\d{{1,5}}(?:,{_NAME}:\d{{1,5}})*)"
)
_AT = late(rf"(?<=[\w}}])@({_NAME})(?::(\d{{1,5}}))?(?![\w@.-])")
_DOTTED = late(
    r"(?<![^\s\"'=,;\[{(>:|])((?=[^.\s]*[A-Za-z])[A-Za-z0-9_][\w-]*(?:\.[\w-]*[A-Za-z0-9_])+)(?::(\d{1,5}))?(?![^\s\"',;\])}<|])"
)
_LISTED = late(r"[,;\s]+")
_WHOLE = late(rf"({_NAME})(?::(\d{{1,5}}))?")
_SAID = late(rf"(--?[A-Za-z][\w.-]*|[A-Za-z_][\w.-]*)(=|[ \t]+)[\"']?({_NAME}(?:,{_NAME})*)(?=[\"'\s;|&)]|$)")
_SHORT_OPTION = late(rf"(?<=[\s\"'])-[hH][ \t=]*[\"']?\s*[\"']?({_NAME})(?=[\"'\s;|&)]|$)")
_PORT_AFTER = late(r"[\s'\":]+(\d{2,5})\b")


@description
class Word:
    """A word in host position: where, the port and the URL scheme it stands with.

    `dotted`: nothing but its dots tells that it is a host; who calls so is for the directory to say.
    """

    start: int
    end: int
    text: str
    port: int | None
    scheme: str
    dotted: bool = False


@lru_cache(maxsize=8192)
def host_words(text: str, form: Form, key: str = "") -> tuple[Word, ...]:
    """The words of `text` in host position, in order; `key` is the variable's name.

    >>> [(w.text, w.port, w.scheme) for w in host_words("http://u:p@web:8080/db and cache:6379 or web", "command")]
    [('web', 8080, 'http'), ('cache', 6379, '')]
    >>> [w.text for w in host_words("db", "variable", "DB_HOST")], host_words("db", "variable", "DB_NAME")
    (['db'], ())
    >>> [w.text for w in host_words("--configdb rs/cfg1:27019,cfg2:27019; sh.addShard('rs1/a:27018'); pull library/redis:7", "command")]
    ['cfg1', 'cfg2', 'a']
    >>> [w.text for w in host_words("pg_isready -U x -h db && ping -c 1 web; ls -h x", "command")]
    ['db', 'web']
    >>> [w.text for w in host_words("nodeID: upf.core.org # upf.core.org/x", "file")]
    ['upf.core.org']
    """
    found: dict[int, Word] = {}
    for word in _candidates(text, form, key):
        found.setdefault(word.start, word)
    return tuple(found[start] for start in sorted(found))


def _candidates(text: str, form: Form, key: str) -> Iterator[Word]:
    if "://" in text:
        yield from _authorities(text)
    if ":" in text or "#" in text:
        for m in _HOSTPORT.finditer(text):
            if not m[1].isdigit():
                yield _word(m.start(1), m[1], int(m[2]), "")
        for m in _SEEDS.finditer(text):
            yield from _elements(m[1], m.start(1))
    if "@" in text:
        for m in _AT.finditer(text):
            yield _word(m.start(1), m[1], int(m[2]) if m[2] else None, "")
    if form == "variable" and pattern("host_position", "keys").search(key):
        yield from _elements(text, 0)
    if form == "command":
        for m in _SAID.finditer(text):
            if (m[2] == "=" or m[1].startswith("-")) and pattern("host_position", "keys").search(m[1]):
                yield from _elements(m[3], m.start(3))
        yield from _of_clients(text)
    if form == "file":
        yield from _directed(text)
        if "." in text:
            yield from (_word(m.start(1), m[1], int(m[2]) if m[2] else None, "", dotted=True) for m in _DOTTED.finditer(text))


def _authorities(text: str) -> Iterator[Word]:
    for m in _URL.finditer(text):
        scheme = m[1].lower().rsplit("+", 1)[0]
        at = m[2].rfind("@") + 1
        offset = m.start(2) + at
        for part in m[2][at:].split(","):
            if w := _WHOLE.fullmatch(part):
                yield _word(offset, w[1], int(w[2]) if w[2] else URL_PORTS.get(scheme), scheme)
            offset += len(part) + 1


def _elements(text: str, base: int) -> Iterator[Word]:
    offset = 0
    for part in _LISTED.split(text):
        offset = text.find(part, offset)
        if w := _WHOLE.fullmatch(part):
            yield _word(base + offset, w[1], int(w[2]) if w[2] else None, "")
        offset += len(part)


def _of_clients(text: str) -> Iterator[Word]:
    """Hosts that client programs take as `-h` or as their first argument: `pg_isready -h db`, `ping -c 1 db`."""
    by_option, by_argument = _clients()
    for m in _SHORT_OPTION.finditer(text) if "-h" in text or "-H" in text else ():
        if by_option.search(simple_command(text, m.start())):
            yield _word(m.start(1), m[1], None, "")
    for m in by_argument.finditer(text):
        port = _PORT_AFTER.match(text, m.end("host"))
        yield _word(m.start("host"), m["host"], int(port[1]) if port else None, "")


@cache
def _clients() -> tuple[re.Pattern[str], re.Pattern[str]]:
    lists = knowledge()["host_position"]["clients"]
    option, argument = "|".join(lists["option"]), "|".join(lists["argument"])
    return (
        re.compile(rf"(?<![\w.-])(?:{option})(?![\w.-])"),
        re.compile(rf"(?<![\w./-])(?:{argument})\s+(?:-[A-Za-z]+(?:[ \t]+\d+)?\s+)*[\"']?(?P<host>{_NAME})(?=[\"'\s;|&)]|$)"),
    )


def _directed(text: str) -> Iterator[Word]:
    for m in _directives().finditer(text):
        start = m.start("host")
        if m["label"] and (label := _HOSTPORT.match(text, m.end("host") + 1)) is not None:
            yield _word(label.start(1), label[1], int(label[2]), "")
            continue
        port = _PORT_AFTER.match(text, m.end("host"))
        yield _word(start, m["host"], int(port[1]) if port else None, "")


@cache
def _directives() -> re.Pattern[str]:
    lists = knowledge()["host_position"]["directives"]
    words = [d for name in sorted(lists) if name != "haproxy" for d in lists[name] if d != "server"]
    return any_of((rf"(?<![\w-])(?:(?P<label>server)(?=\s+\S)|{'|'.join(f'(?:{w})' for w in words)})\s*[\[\"']*(?P<host>{_NAME})",))


def _word(start: int, text: str, port: int | None, scheme: str, *, dotted: bool = False) -> Word:
    number = port if port and port < 65536 else None
    return Word(start=start, end=start + len(text), text=text, port=number, scheme=scheme, dotted=dotted)
