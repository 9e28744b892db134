"""Where in a text an occurrence stands: its simple command, its key, the blocks around it (conversion.md 2.5, "Key")."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

_CUT = re.compile(r"\n|;|&&|\|\||\|")
_CONTINUED = re.compile(r"\\\r?\n")
_OPTION = re.compile(r"(?:^|(?<=[\s\"'\[,(=]))(--?[A-Za-z][\w.-]*)|(?:^|(?<=[\s\"'\[,(;?&]))([A-Za-z_][\w.-]*)(?=\s?=)")
_NAMED = re.compile(r"(?:^|(?<=[\s\"'{\[,(;?&|-]))([A-Za-z_$][\w.$/@-]*)[\"']?\s*(?:=(?!=)>?|:=|:(?=[\s\"'\[{]|$))")
_ELEMENT = re.compile(r"<([A-Za-z][\w:.-]*)[^<>]*>[^<>]*$")
_WORD = re.compile(r"[^\s\"'{}\[\](),;=]+")
_EVENT = re.compile(r"[{}\[\]]|\n")
_SECTION = re.compile(r"^[ \t]*\[\[?\s*([\w .\"'/:-]+?)\s*\]\]?[ \t]*(?:#.*)?\r?$")
_PARENT = re.compile(r"^([ \t]*)(?:- +)?[\"']?([A-Za-z_$][\w.$/@ -]*?)[\"']?\s*[:=]\s*(?:[|>][-+]?\s*|&\S+\s*)?(?:#.*)?\r?$")
_LONGEST_BEFORE = 1024
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What stands around an occurrence: the texts that key patterns are tried on, and the line or simple command up to it."""

    keys: tuple[str, ...]
    before: str


def in_command(text: str, start: int) -> Where:
    """The place in command or shell text: the nearest option or assignment before it in its simple command.

    >>> in_command("sleep 1; redis-server --bind 10.0.0.5", 29)
    Where(keys=('--bind',), before=' redis-server --bind ')
    """
    before = _simple_command(text, start)
    nearest = ""
    for m in _OPTION.finditer(before):
        nearest = m[1] or m[2]
    return Where(keys=spellings((nearest,) if nearest else ()), before=before)


def in_variable(name: str, text: str, start: int) -> Where:
    """The place in the value of a variable: the variable, and what names the part of a structured value.

    >>> in_variable("ADVERTISED_HOST", "10.0.0.5", 0).keys
    ('ADVERTISED_HOST',)
    """
    before = line_before(text, start)
    inner = [m[1] for m in _NAMED.finditer(before)][-1:]
    return Where(keys=spellings((name, *inner)), before=before)


def in_file(text: str, start: int) -> Where:
    """The place in a file: the name left of `=` or `:`, else the first word of the line, else the enclosing key or block; and the path.

    >>> in_file("options {\\n  forwarders { 10.0.0.5; };\\n}", 27).keys
    ('forwarders', 'options.forwarders')
    >>> in_file("bind-address = 10.0.0.5", 15).keys
    ('bind-address',)
    """
    before = line_before(text, start)
    path = _path(text, start)
    key = key_in_line(before)
    if not key and path:
        key, path = path[-1], path[:-1]
    joined = ".".join((*path, key)[-3:])
    return Where(keys=spellings(tuple(k for k in (key, joined) if k)), before=before)


def spellings(keys: tuple[str, ...]) -> tuple[str, ...]:
    """`keys`, and each with `_` put between a lower-case and an upper-case letter.

    >>> spellings(("bindIp",))
    ('bindIp', 'bind_Ip')
    """
    return tuple(dict.fromkeys(s for k in keys for s in (k, _CAMEL.sub("_", k))))


def line_before(text: str, start: int) -> str:
    """The line up to `start`, at most 1024 characters of it: files of one line are not read again for every address."""
    return text[max(text.rfind("\n", 0, start) + 1, start - _LONGEST_BEFORE) : start]


def key_in_line(before: str) -> str:
    """The key that the line itself gives what follows `before`: left of `=` or `:`, an element's name, else its first word; may be empty.

    >>> key_in_line("  server "), key_in_line("  - ")
    ('server', '')
    """
    segment = re.split(r"[;{}]", before)[-1]
    if m := _ELEMENT.search(segment):
        return m[1]
    named = [m[1] for m in _NAMED.finditer(segment)]
    if named:
        return named[-1]
    first = _WORD.search(segment)
    return first[0] if first and first[0] not in ("-", "*") and first.end() < len(segment) and not first[0][0].isdigit() else ""


def _simple_command(text: str, start: int) -> str:
    window = text[max(0, start - _LONGEST_BEFORE) : start]
    joined = _CONTINUED.sub("  ", window)
    cut = 0
    for m in _CUT.finditer(joined):
        cut = m.end()
    return joined[cut:]


def block_at(text: str, start: int) -> int:
    """The number of the block (section, indented key, brackets) that `start` stands in; items of one list have the same."""
    return bisect_right(_outline(text)[0], start) - 1


def _path(text: str, start: int) -> tuple[str, ...]:
    at = block_at(text, start)
    return _outline(text)[1][at] if at >= 0 else ()


@lru_cache(maxsize=512)
def _outline(text: str) -> tuple[list[int], list[tuple[str, ...]]]:
    """The path of sections, indented keys and blocks that holds from each offset on; one pass over the text."""
    offsets: list[int] = [0]
    paths: list[tuple[str, ...]] = [()]
    section: tuple[str, ...] = ()
    indents: list[tuple[int, str]] = []
    blocks: list[str] = []
    line_start = 0

    def note(offset: int) -> None:
        path = (*section, *(name for _, name in indents), *blocks)
        if path != paths[-1]:
            offsets.append(offset)
            paths.append(path)

    def begin_line(offset: int) -> None:
        nonlocal section
        end = text.find("\n", offset)
        line = text[offset : end if end >= 0 else len(text)]
        if not blocks and (m := _SECTION.match(line)):
            section = (m[1],)
            indents.clear()
        elif line.strip() and not blocks:
            stripped = line.lstrip(" \t")
            indent = len(line) - len(stripped)
            while indents and (indents[-1][0] > indent or (indents[-1][0] == indent and not stripped.startswith("- "))):
                indents.pop()
            if m := _PARENT.match(line):
                note(offset)
                indents.append((indent, m[2]))
                note(offset + len(line))
                return
        note(offset)

    begin_line(0)
    for m in _EVENT.finditer(text):
        if m[0] == "\n":
            line_start = m.end()
            begin_line(line_start)
        elif m[0] in "{[":
            if m[0] == "[" and _SECTION.match(text[line_start : _line_end(text, line_start)]):
                continue
            blocks.append(_key_in_block(text[max(line_start, m.start() - 200) : m.start()]))
            note(m.end())
        elif blocks:
            blocks.pop()
            note(m.end())
    return offsets, [tuple(p for p in path if p) for path in paths]


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _key_in_block(before: str) -> str:
    segment = re.split(r"[;{}\[\]]", before)[-1]
    named = [m[1] for m in re.finditer(r"([A-Za-z_$][\w.$/@-]*)[\"']?\s*[:=]\s*$", segment)]
    if named:
        return named[-1]
    first = _WORD.search(segment)
    return first[0] if first else ""
