"""Facts of a Dockerfile's final stage: what it exposes, copies, runs as and checks. Nothing is built."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from migrate.patterns import late
from migrate.stack.types import Dockerfile

_VARIABLE = late(r"\$(?:\{(\w+)(?::?-([^}]*))?[^}]*\}|(\w+))")
_FLAG = late(r"^--(\w[\w-]*)(?:=(\S+))?$")
_TIMING = late(r"--(interval|timeout|start-period|start-interval|retries)=(\S+)")
_ACCOUNT = late(r"\b(useradd|adduser|groupadd|addgroup)\s+([^;&|\n]*)")
_WITH_VALUE = frozenset("ugGdscbefkKph")
_LONG_WITH_VALUE = frozenset(
    ("--uid", "--gid", "--home", "--home-dir", "--base-dir", "--shell", "--ingroup", "--gecos", "--comment", "--groups", "--group-id",
     "--password", "--expiredate", "--inactive", "--skel", "--key", "--conf", "--firstuid", "--lastuid")
)  # fmt: skip


def parse(path: Path, text: str, target: str | None = None, arguments: Mapping[str, str] | None = None) -> Dockerfile:
    """The facts of stage `target` (default: the last). `copies` maps paths of the context (`.` the whole) to the paths of the image
    that get them; one that ends with `/` is the directory they are put into.

    Variables have the values of `arguments`, else the defaults of ARG and ENV; unknown ones are empty.

    >>> d = parse(Path("Dockerfile"), "FROM x\\nARG P=80\\nWORKDIR /srv\\nCOPY conf/a.conf .\\nEXPOSE $P/udp\\n")
    >>> d.expose, dict(d.copies)
    (('80/udp',), {'conf/a.conf': ('/srv/',)})
    """
    stages: dict[str, dict[str, Any]] = {}
    values: dict[str, str] = {}
    stage = _blank()
    for word, rest in _instructions(text):
        if word == "FROM":
            parts = _expand(rest, values).split()
            base = next((p for p in parts if not p.startswith("--")), "")
            name = parts[-1] if len(parts) >= 3 and parts[-2].upper() == "AS" else str(len(stages))
            stage = _inherit(stages.get(base), base)
            stages[name] = stages[name.lower()] = stage
            if target is not None and name.lower() == target.lower():
                stages["\0target"] = stage
            continue
        _apply(stage, word, rest, values, arguments or {})
    stage = stages.get("\0target", stage)
    return Dockerfile(
        path=path, expose=tuple(stage["expose"]), user=stage["user"], healthcheck=stage["healthcheck"], stop_signal=stage["stop_signal"],
        copies=dict(stage["copies"]), volumes=tuple(stage["volumes"]), base=stage["base"], users=dict(stage["users"]),
        groups=dict(stage["groups"]), timings=dict(stage["timings"]), fills=tuple(dict.fromkeys(stage["fills"])),
    )  # fmt: skip


def _blank() -> dict[str, Any]:
    return {
        "expose": [], "user": None, "healthcheck": None, "stop_signal": None, "copies": {}, "volumes": [], "workdir": "/", "base": None,
        "users": {}, "groups": {}, "timings": {}, "fills": [],
    }  # fmt: skip


def _inherit(base: dict[str, Any] | None, image: str) -> dict[str, Any]:
    if base is None:
        return {**_blank(), "base": image or None}
    return {k: v.copy() if isinstance(v, list | dict) else v for k, v in base.items()}


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\[ \t]*\n", " ", "\n".join(lines)).split("\n"):
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word.upper(), rest.strip()


def _apply(stage: dict[str, Any], word: str, rest: str, values: dict[str, str], arguments: Mapping[str, str]) -> None:
    if word in ("ARG", "ENV"):
        for name, value in _assignments(rest):
            default = _expand(value.strip("\"'"), values)
            values[name] = arguments.get(name, default) if word == "ARG" else default
    elif word == "EXPOSE":
        stage["expose"] += [p for p in _expand(rest, values).split() if p[0].isdigit()]
    elif word == "USER":
        stage["user"] = _expand(rest, values) or None
    elif word == "STOPSIGNAL":
        stage["stop_signal"] = _expand(rest, values) or None
    elif word == "WORKDIR":
        stage["workdir"] = str(PurePosixPath(stage["workdir"], _expand(rest, values)))
    elif word == "VOLUME":
        stage["volumes"] += _words(_expand(rest, values))
    elif word == "HEALTHCHECK":
        stage["healthcheck"] = _healthcheck(rest)
        stage["timings"] = dict(_TIMING.findall(rest.partition("CMD")[0]))
    elif word == "RUN":
        for kind, found in _accounts(_expand_known(rest, values)):
            stage[kind].update(found)
    elif word in ("COPY", "ADD"):
        _copy(stage, _words(_expand(rest, values)))


def _copy(stage: dict[str, Any], words: list[str]) -> None:
    flags = [m for w in words if (m := _FLAG.match(w))]
    paths = [w for w in words if not w.startswith("--")]
    if len(paths) < 2:
        return
    target = str(PurePosixPath(stage["workdir"], paths[-1]))
    stage["fills"].append(target)
    if any(m[1] == "from" for m in flags):
        return
    into = paths[-1].endswith("/") or paths[-1] in (".", "./") or len(paths) > 2
    for source in paths[:-1]:
        if "://" in source or source.startswith("<<"):
            continue
        name = str(PurePosixPath(source.lstrip("/") or "."))
        wanted = f"{target.rstrip('/')}/" if into else target
        stage["copies"][name] = (*(t for t in stage["copies"].get(name, ()) if t != wanted), wanted)


def _accounts(text: str) -> Iterator[tuple[str, dict[str, int]]]:
    """The accounts with a number that a RUN makes: ("users" or "groups", name -> number).

    >>> list(_accounts("groupadd -g 70 web && useradd -rm -u 71 -g web -s /bin/sh app; adduser -D other"))
    [('groups', {'web': 70}), ('users', {'app': 71})]
    """
    for command, rest in _ACCOUNT.findall(text):
        of_group = command in ("groupadd", "addgroup")
        number, names, waiting = "", [], ""
        for word in rest.split():
            if waiting:
                number = word if waiting in (("-g", "--gid") if of_group else ("-u", "--uid")) else number
                waiting = ""
            elif word.startswith("--"):
                key, sign, value = word.partition("=")
                number = value if sign and key == ("--gid" if of_group else "--uid") else number
                waiting = key if not sign and key in _LONG_WITH_VALUE else ""
            elif word.startswith("-") and len(word) > 1:
                waiting = f"-{word[-1]}" if word[-1] in _WITH_VALUE and not (of_group and word[-1] not in "gK") else ""
            else:
                names.append(word)
        if names and number.isdigit():
            yield "groups" if of_group else "users", {names[0]: int(number)}


def _assignments(rest: str) -> list[tuple[str, str]]:
    if "=" not in rest.split(" ")[0]:
        name, _, value = rest.partition(" ")
        return [(name, value.strip())]
    return re.findall(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S*)", rest)


def _words(rest: str) -> list[str]:
    if "[" in rest:
        try:
            listed = json.loads(rest[rest.index("[") :])
            if isinstance(listed, list):
                return [w for w in rest[: rest.index("[")].split() if w.startswith("--")] + [str(w) for w in listed]
        except ValueError:
            return rest.split()
    return rest.split()


def _healthcheck(rest: str) -> tuple[str, ...] | None:
    body = re.sub(r"^(--\S+\s+)*", "", rest)
    if body.upper() == "NONE":
        return ("NONE",)
    if not body.upper().startswith("CMD"):
        return None
    command = body[3:].strip()
    return ("CMD", *_words(command)) if command.startswith("[") else ("CMD-SHELL", command)


def _expand_known(text: str, values: Mapping[str, str]) -> str:
    """Variables of the shell itself stay."""
    return _VARIABLE.sub(lambda m: values.get(m[1] or m[3], m[0]), text)


def _expand(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda m: values.get(m[1] or m[3]) or m[2] or "", text)
