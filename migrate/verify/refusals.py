"""What an API server says of an object that it does not take (a Status): every refused field with its place, as far as it tells.

Three kinds of answer exist (measured on 1.36). Values that are decoded but refused: 422 with all causes, each with its field. An apply
patch that does not fit the schema: 500 with all wrong types and unknown fields in its text, list entries named by their keys. What cannot
be decoded: 400, one wrong type without index, or all unknown fields. The last two hide refused values: `without` takes out what was told,
so that the rest can be asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from migrate.description import description
from migrate.patterns import late
from migrate.source import Path_
from migrate.verify.objects import at, mapping, sequence

_STEP: Final = late(
    r"""\.?(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<keys>\w+=(?:"(?:[^"\\]|\\.)*"|[^\],]+)[^\]]*)\]|\[(?P<key>[^\]]*)\]"""
)
_KEY: Final = late(r"""(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,\]]+))""")
_TYPED: Final = late(r"^\s*(?P<path>\.[^\n]*?): (?P<message>[^\n]*)$", re.MULTILINE)
_UNKNOWN: Final = late(r'unknown field "(?P<path>[^"]+)"')
_UNMARSHAL: Final = late(r"cannot unmarshal (?P<got>\w+) into Go struct field (?:\w+\.)*?\w+\.(?P<path>[a-z][\w.]*) of type (?P<type>\S+)")
_VALUE: Final = late(r'(?:(Invalid|Unsupported|Duplicate) value: )(?:"(?:[^"\\]|\\.)*"|\{.*?\}|\S+?)(?=: |$)')
_GOT: Final = late(r"got .*$", re.DOTALL)
_SECRET_STEPS: Final = frozenset({"env", "args", "command", "data", "stringData", "value"})


@description
class Refusal:
    """One thing that the server does not take: the place in the object (empty: the whole object), its words, its reason.

    `told_by` is the HTTP status; `decoded` is false where the object could not even be read, so that refused values stayed unseen.
    """

    path: Path_
    message: str
    reason: str
    told_by: int
    decoded: bool = True


@description
class Right:
    """One thing that an account may do or not."""

    verb: str
    group: str
    resource: str
    namespace: str

    def __str__(self) -> str:
        """As in `patch deployments.apps in namespace shop`."""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}{where}"


@description
class Judged:
    """What the server says of one object: refusals, warnings, and why it was not asked, if it was not.

    `namespace` is where it was asked for, if not where it is to be.
    """

    position: int
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    unserved: bool = False
    lacking: tuple[Right, ...] = ()
    namespace: str | None = None


def refusals(status: Mapping[str, Any], manifest: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """Everything that a Status of failure says about `manifest`; never empty.

    >>> cause = {"field": "spec.ports[0].port", "message": "must be between 1 and 65535", "reason": "FieldValueInvalid"}
    >>> [r.path for r in refusals({"code": 422, "reason": "Invalid", "details": {"causes": [cause]}}, {})]
    [('spec', 'ports', 0, 'port')]
    """
    code, text = _code(status), str(status.get("message") or "refused without a word")
    causes = [mapping(cause) for cause in sequence(mapping(status.get("details")).get("causes"))]
    if code == 422 and causes:
        return tuple(_caused(cause, text, manifest) for cause in causes)
    reason = str(status.get("reason") or "Failure")
    if not (places := list(_places(text, manifest))):
        return (Refusal(path=(), message=_discreet(text, (), manifest), reason=reason, told_by=code),)
    return tuple(
        Refusal(path=path, message=_discreet(message, path, manifest), reason=reason, told_by=code, decoded=False)
        for path, message in places
    )


def _caused(cause: Mapping[str, Any], text: str, manifest: Mapping[str, Any]) -> Refusal:
    path = field_path(str(cause.get("field") or ""), manifest)
    message = _discreet(str(cause.get("message") or text), path, manifest)
    return Refusal(path=path, message=message, reason=str(cause.get("reason") or "Invalid"), told_by=422)


def without(manifest: Mapping[str, Any], told: Sequence[Refusal]) -> dict[str, Any] | None:
    """The object without the fields that could not be read; None if nothing can be taken out.

    >>> unread = Refusal(path=("spec", "x"), message="", reason="", told_by=500, decoded=False)
    >>> without({"spec": {"x": 1, "y": 2}}, [unread])
    {'spec': {'y': 2}}
    """
    rest = deepcopy(dict(manifest))
    taken = [_removed(rest, refusal.path) for refusal in told if not refusal.decoded]
    return rest if any(taken) else None


def is_below(path: Path_, told: Path_) -> bool:
    """Whether what is said of `path` only follows from what was taken out at `told`."""
    return bool(told) and path[: len(told)] == told


def _code(status: Mapping[str, Any]) -> int:
    code = status.get("code")
    return code if isinstance(code, int) else 0


def _removed(value: Any, path: Path_) -> bool:
    """A list entry is emptied, not removed: the indices of its neighbours are still needed."""
    for step in path[:-1]:
        value = at({"": value}, ("", step))
    if not path:
        return False
    if isinstance(value, dict) and path[-1] in value:
        del value[path[-1]]
        return True
    entry = at({"": value}, ("", path[-1])) if isinstance(value, list) else None
    if isinstance(entry, dict) and entry:
        value[path[-1]] = {}
        return True
    return False


# ------------------------------------------------------------------ places in texts


def _places(text: str, manifest: Mapping[str, Any]) -> Iterator[tuple[Path_, str]]:
    """Places that a text names, each with what it says of it."""
    _, _, typed = text.partition("typed patch object")
    if typed:
        body = typed.partition("): ")[2].removeprefix("errors:")
        for match in _TYPED.finditer(body):
            yield field_path(match["path"], manifest), match["message"]
        return
    for match in _UNKNOWN.finditer(text):
        yield field_path(match["path"], manifest), "unknown field"
    for match in _UNMARSHAL.finditer(text):
        wanted = tuple(match["path"].split("."))
        for path in _indexed(manifest, wanted, match["got"]):
            yield path, f"is a {match['got']}, must be {match['type']}"


def field_path(text: str, manifest: Mapping[str, Any]) -> Path_:
    """`spec.ports[0].port`, `data[a.b]` or `.spec.containers[name="c"].image` as a path, entries named by keys looked up.

    >>> field_path('.spec.containers[name="b"].image', {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}})
    ('spec', 'containers', 1, 'image')
    """
    path: list[str | int] = []
    for match in _STEP.finditer(text):
        if match["name"] is not None:
            path.append(match["name"])
        elif match["index"] is not None:
            path.append(int(match["index"]))
        elif match["keys"] is not None:
            wanted = {name: quoted or plain for name, quoted, plain in _KEY.findall(match["keys"])}
            path.append(_entry(at(manifest, tuple(path)), wanted))
        else:
            path.append(match["key"])
    return () if path == ["<nil>"] else tuple(path)


def _entry(entries: Any, wanted: Mapping[str, str]) -> int:
    """The index of the list entry with these keys; a key that the entry does not say has its default, so it is no reason against it."""
    listed = [mapping(entry) for entry in sequence(entries)]
    fitting = [i for i, entry in enumerate(listed) if all(str(entry.get(name, value)) == value for name, value in wanted.items())]
    return fitting[0] if fitting else 0


_GO_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "number": (int, float),
    "bool": bool,
    "object": dict,
    "array": list,
}


def _indexed(value: Any, wanted: Path_, got: str, so_far: Path_ = ()) -> list[Path_]:
    """Every place that `wanted`, a path without indices, may mean and whose value has the type that was got."""
    if isinstance(value, list) and wanted:
        return [path for index, entry in enumerate(value) for path in _indexed(entry, wanted, got, (*so_far, index))]
    if not wanted:
        kind = _GO_TYPES.get(got)
        return [so_far] if kind is None or (isinstance(value, kind) and (got == "bool" or not isinstance(value, bool))) else []
    step = wanted[0]
    return _indexed(value[step], wanted[1:], got, (*so_far, step)) if isinstance(value, dict) and step in value else []


def _discreet(message: str, path: Path_, manifest: Mapping[str, Any]) -> str:
    """The message without the value that it repeats, wherever that may be a secret; on one line."""
    if manifest.get("kind") == "Secret" or _SECRET_STEPS & set(map(str, path)) or not path:
        message = _GOT.sub("got something else", _VALUE.sub(r"\1 value", message))
    return " ".join(message.split())
