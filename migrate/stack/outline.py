"""Where in a text an occurrence stands: its simple command, its key, the blocks around it (conversion.md 2.5, "Key")."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache

from migrate.description import description
from migrate.patterns import late

_CUT = late(r"(?<!\\)(?<!\\\r)\n|;|&&|\|\||\|")
_NEWLINE = late(r"\n")
_CONTINUED = late(r"\\\r?\n")
_OPTION = late(r"(?:^|(?<=[\s\"'\[,(=]))(--?[A-Za-z][\w.-]*)|(?:^|(?<=[\s\"'\[,(;?&]))([A-Za-z_][\w.-]*)(?=\s?=)")
_NAMED = late(r"(?:^|(?<=[\s\"'{\[,(;?&|-]))([A-Za-z_$][\w.$/@-]*)[\"']?\s*(?:=(?!=)>?|:=|:(?=[\s\"'\[{]|$))")
_PROPERTY = late(r"<name>\s*([\w.-]+)\s*</name>\s*(?:<!--.*?-->\s*)?<value>[^<]*$", re.DOTALL)
_HEREDOC = late(r"<<-?\s*[\"']?(\w+)[\"']?[^\n]*\n(.*?)\n\s*\1(?!\w)", re.DOTALL)
_COMMAND_OPTION = late(r"(?:^|(?<=[\s\"'=]))(--?[A-Za-z][\w.-]*)(?=[=\s])")
_ELEMENT = late(r"<([A-Za-z][\w:.-]*)[^<>]*>[^<>]*$")
_WORD = late(r"[^\s\"'{}\[\](),;=]+")
_EVENT = late(r"[{}\[\]]|\n")
_SECTION = late(r"^[ \t]*\[\[?\s*([\w .\"'/:-]+?)\s*\]\]?[ \t]*(?:#.*)?\r?$")
_PARENT = late(r"^([ \t]*)(?:- +)?[\"']?([A-Za-z_$][\w.$/@ -]*?)[\"']?\s*[:=]\s*(?:[|>][-+]?\s*|&\S+\s*)?(?:#.*)?\r?$")
_HEAD, _TAIL = 320, 320
_LONGEST_AFTER = 256
_CAMEL = late(r"(?<=[a-z])(?=[A-Z])")


@description
class Where:
    """What stands around an occurrence: the texts that key patterns are tried on, the line or simple command up to it, and what follows."""

    keys: tuple[str, ...]
    before: str
    after: str = field(default="", repr=False, compare=False)


def in_command(text: str, start: int) -> Where:
    """The place in command or shell text: the nearest option or assignment before it in its simple command.

    >>> in_command("sleep 1; redis-server --bind 10.0.0.5", 29)
    Where(keys=('--bind',), before=' redis-server --bind ')
    >>> in_command("cat > a.conf <<EOF\\nbind 10.0.0.5\\nEOF\\n", 24).keys
    ('bind',)
    """
    if (body := heredoc_at(text, start)) is not None:
        return in_file(text[body[0] : body[1]], start - body[0])
    before = simple_command(text, start)
    nearest = ""
    for m in _OPTION.finditer(before):
        nearest = m[1] or m[2]
    rest = text[start : start + _LONGEST_AFTER]
    end = _CUT.search(rest)
    return Where(keys=spellings(_of_option(nearest)), before=before, after=rest[: end.start()] if end else rest)


def _of_option(option: str) -> tuple[str, ...]:
    """The option, and the property behind a `-D` of the Java kind."""
    property_ = option[2:] if option.startswith("-D") and "." in option else ""
    return tuple(k for k in (option, property_) if k)


def heredoc_at(text: str, start: int) -> tuple[int, int] | None:
    """The beginning and end of the here-document that `start` stands in; None outside."""
    return next((body for body in _heredocs(text) if body[0] <= start < body[1]), None) if "<<" in text else None


@lru_cache(maxsize=256)
def _heredocs(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(m.span(2) for m in _HEREDOC.finditer(text))


def in_variable(name: str, text: str, start: int) -> Where:
    """The place in the value of a variable: the variable, and what names the part of a structured value.

    >>> in_variable("ADVERTISED_HOST", "10.0.0.5", 0).keys
    ('ADVERTISED_HOST',)
    >>> in_variable("JAVA_OPTS", "-Ddb.host=db -Dbind.address=10.0.0.5", 28).keys
    ('-Dbind.address', 'bind.address', 'JAVA_OPTS')
    """
    before = line_before(text, start)
    options = _COMMAND_OPTION.findall(before)
    if options:
        return Where(keys=spellings((*_of_option(options[-1]), name)), before=before)
    inner = [m[1] for m in _NAMED.finditer(before)][-1:]
    return Where(keys=spellings((name, *inner)), before=before)


def in_file(text: str, start: int) -> Where:
    """The place in a file: the name left of `=` or `:`, else the first word of the line, else the enclosing key or block; and the path.

    >>> in_file("options {\\n  forwarders { 10.0.0.5; };\\n}", 27).keys
    ('forwarders', 'options.forwarders')
    >>> in_file("bind-address = 10.0.0.5", 15).keys
    ('bind-address',)
    >>> in_file("command=/bin/app --bind 10.0.0.5", 24).keys
    ('--bind', 'command')
    """
    before = line_before(text, start)
    path = _path(text, start)
    key = key_in_line(text[max(0, start - _HEAD - _TAIL) : start] if "<value>" in before else before)
    if not key and path:
        key, path = path[-1], path[:-1]
    joined = ".".join((*path, key)[-3:])
    option = option_in_line(before)
    return Where(keys=spellings(tuple(k for k in (option, key, joined) if k)), before=before)


def spellings(keys: tuple[str, ...]) -> tuple[str, ...]:
    """`keys`, and each with `_` put between a lower-case and an upper-case letter.

    >>> spellings(("bindIp",))
    ('bindIp', 'bind_Ip')
    """
    return tuple(dict.fromkeys(s for k in keys for s in (k, _CAMEL.sub("_", k))))


def line_before(text: str, start: int) -> str:
    """The line up to `start`; of a long one its beginning and end: files of one line are not read again for every address."""
    begins = _ends(text, _NEWLINE)
    at = bisect_right(begins, start)
    return _shortened(text, begins[at - 1] if at else 0, start)


@lru_cache(maxsize=512)
def _ends(text: str, cut: re.Pattern[str]) -> tuple[int, ...]:
    return tuple(m.end() for m in cut.finditer(text))


def _shortened(text: str, begin: int, end: int) -> str:
    return text[begin:end] if end - begin <= _HEAD + _TAIL else text[begin : begin + _HEAD] + text[end - _TAIL : end]


def key_in_line(before: str) -> str:
    """The key that the line itself gives what follows `before`: left of `=` or `:`, an element's name, else its first word; may be empty.

    >>> key_in_line("  server "), key_in_line("  - ")
    ('server', '')
    """
    if "</name>" in before and (setting := _PROPERTY.search(before)) is not None:
        return setting[1]
    segment = re.split(r"[;{}]", before)[-1]
    if m := _ELEMENT.search(segment):
        return m[1]
    named = [m[1] for m in _NAMED.finditer(segment)]
    if named:
        return named[-1]
    first = _WORD.search(segment)
    return first[0] if first and first[0] not in ("-", "*") and first.end() < len(segment) and not first[0][0].isdigit() else ""


def option_in_line(before: str) -> str:
    """The option of a command line that a file holds: `command=app --bind `; empty if there is none.

    >>> option_in_line("ExecStart=/bin/app --peers "), option_in_line("a - b = ")
    ('--peers', '')
    """
    segment = re.split(r"[;{}]", before)[-1]
    begin = max((m.end() for m in _NAMED.finditer(segment)), default=0)
    found = [option for option in _COMMAND_OPTION.findall(segment, begin) if option.startswith("--")]
    return found[-1] if found else ""


def simple_command(text: str, start: int) -> str:
    """The simple command up to `start`, continued lines joined; of a long one its beginning and end.

    >>> simple_command("sleep 1; redis-cli --cluster create 10.0.0.5", 36)
    ' redis-cli --cluster create '
    """
    ends = _ends(text, _CUT)
    at = bisect_right(ends, start)
    return _CONTINUED.sub("  ", _shortened(text, ends[at - 1] if at else 0, start))


def container_at(text: str, start: int) -> int:
    """Which list, mapping or section `start` stands in, as a number; 0 at the top. Objects that are items of one list stand in that list.

    >>> text = '{"a": [{"h": "x"}, {"h": "y"}], "b": {"h": "z"}}'
    >>> container_at(text, text.index("x")) == container_at(text, text.index("y")) != container_at(text, text.index("z"))
    True
    """
    outline = _outline(text)
    return outline.containers[max(bisect_right(outline.offsets, start) - 1, 0)]


def _path(text: str, start: int) -> tuple[str, ...]:
    outline = _outline(text)
    return outline.paths[max(bisect_right(outline.offsets, start) - 1, 0)]


@dataclass(slots=True)
class _Outline:
    """What holds from each offset on: the path of sections, indented keys and blocks, and the innermost of them."""

    offsets: list[int] = field(default_factory=lambda: [0])
    paths: list[tuple[str, ...]] = field(default_factory=lambda: [()])
    containers: list[int] = field(default_factory=lambda: [0])

    def note(self, offset: int, path: tuple[str, ...], container: int) -> None:
        """From `offset` on."""
        if (path, container) != (self.paths[-1], self.containers[-1]):
            self.offsets.append(offset)
            self.paths.append(path)
            self.containers.append(container)


@lru_cache(maxsize=512)
def _outline(text: str) -> _Outline:
    """One pass over the text: lines for sections and indented keys, brackets for blocks."""
    reader = _Reader(text=text)
    reader.begin_line(0)
    for m in _EVENT.finditer(text):
        if m[0] == "\n":
            reader.begin_line(m.end())
        elif m[0] in "{[":
            reader.open(m.start(), m[0])
        else:
            reader.close(m.end())
    return reader.outline


@dataclass(slots=True)
class _Reader:
    """Machinery of one pass. An entry is (indent, name, container) of an indented key, (name, container, is a list) of a block."""

    text: str
    outline: _Outline = field(default_factory=_Outline)
    section: tuple[str, int] = ("", 0)
    sections: dict[str, int] = field(default_factory=dict)
    indents: list[tuple[int, str, int]] = field(default_factory=list)
    blocks: list[tuple[str, int, bool]] = field(default_factory=list)
    line_start: int = 0

    def begin_line(self, offset: int) -> None:
        """A section's heading, a key that opens an indented block, or any other line."""
        self.line_start = offset
        line = self.text[offset : _line_end(self.text, offset)]
        if not self.blocks and (m := _SECTION.match(line)):
            self.section = (m[1], self.sections.setdefault(m[1], offset + 1))
            self.indents.clear()
        elif not self.blocks and line.strip():
            stripped = line.lstrip(" \t")
            indent = len(line) - len(stripped)
            while self.indents and (self.indents[-1][0] > indent or (self.indents[-1][0] == indent and not stripped.startswith("- "))):
                self.indents.pop()
            if m := _PARENT.match(line):
                self._note(offset)
                self.indents.append((indent, m[2], offset + 1))
                self._note(offset + len(line))
                return
        self._note(offset)

    def open(self, offset: int, bracket: str) -> None:
        """A block begins, unless the bracket belongs to a section's heading. An object in a list is of the list."""
        if bracket == "[" and _SECTION.match(self.text[self.line_start : _line_end(self.text, self.line_start)]):
            return
        name = _key_in_block(self.text[max(self.line_start, offset - 200) : offset])
        of_list = bracket == "{" and bool(self.blocks) and self.blocks[-1][2]
        self.blocks.append((name, self.blocks[-1][1] if of_list else offset + 1, bracket == "["))
        self._note(offset + 1)

    def close(self, offset: int) -> None:
        """A block ends."""
        if self.blocks:
            self.blocks.pop()
            self._note(offset)

    def _note(self, offset: int) -> None:
        names = (self.section[0], *(name for _, name, _ in self.indents), *(name for name, _, _ in self.blocks))
        inner = self.blocks[-1][1] if self.blocks else self.indents[-1][2] if self.indents else self.section[1]
        self.outline.note(offset, tuple(n for n in names if n), inner)


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
