"""Compose projects that are made to cost time or memory, each with the fault that must tell it, and the process that measures them.

`SCALE` 4 makes inputs of up to a megabyte (`COMPOSE_ATTACKS=4 python -m pytest tests/migrate/test_compose_robust.py`); at 1 they are a
quarter of that, which still shows what grows with the square.
"""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from migrate.compose import config_text, load
from migrate.findings import Unusable

SCALE: Final = int(os.environ.get("COMPOSE_ATTACKS", "1"))
N: Final = 20_000 * SCALE
MOST_MEMORY: Final = 512 << 20
LONGEST_S: Final = 20.0
W: Final = "services:\n  web:\n    image: img\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A text with the files beside it, made when it is needed. `told` are classes (or codes) that must be among its faults, `place` the
    line and column of the first of them."""

    text: Callable[[], str]
    files: Mapping[str, Callable[[], str | bytes]] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    place: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How an attack ended: CPU seconds of loading and printing, findings and those of the classes that must be told."""

    seconds: float
    findings: int
    longest: int
    places: tuple[tuple[str, int, int], ...]


def many(line: str, count: int = N, start: str = W) -> Callable[[], str]:
    """`start`, then so many lines with their number in the place of `#`."""
    return lambda: start + "".join(line.replace("#", str(number)) for number in range(count))


def listed(key: str, item: str, count: int = N, end: str = "") -> Callable[[], str]:
    """A key of a service with a list of so many items."""
    return lambda: f"{W}    {key}: [{','.join(item.replace('#', str(number)) for number in range(count))}]\n{end}"


def value(text: str, times: int, before: str = "", after: str = "", key: str = "user") -> Callable[[], str]:
    """A key of a service with a text that is repeated."""
    return lambda: f"{W}    {key}: '{before}{text * times}{after}'\n"


def plain(text: str) -> Callable[[], str]:
    """The text as it is."""
    return lambda: text


def _services(body: str, count: int = N) -> Callable[[], str]:
    return many(f"  s#: {{{body}}}\n", count, "services:\n")


def _chain(count: int, *, ring: bool, key: str) -> Callable[[], str]:
    def made() -> str:
        last = 0 if ring else count
        links = "".join(f"  s{i}: {{image: i, {key.replace('#', f's{i + 1 if i + 1 < count else last}')}}}\n" for i in range(count))
        return f"services:\n{links}" + ("" if ring else f"  s{count}: {{image: i}}\n")

    return made


def _bomb(levels: int) -> str:
    lines = [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(levels)]
    return "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(lines) + f"services: {{web: {{image: a, command: *{chr(97 + levels)}}}}}\n"


def _doubling(count: int) -> str:
    return "A0=xxxxxxxxxxxxx\n" + "".join(f"A{i + 1}=${{A{i}}}$A{i}\n" for i in range(count))


def _variables(count: int, line: str = "A#=1\n") -> Callable[[], str]:
    return lambda: "".join(line.replace("#", str(number)) for number in range(count))


def _numbered(text: str, count: int, join: str = ",") -> str:
    return join.join(text.replace("#", str(number)) for number in range(count))


_V: Final = "    env_file: v.env\n"

ATTACKS: Final[Mapping[str, Attack]] = {
    # many faults
    "unknown keys": Attack(text=many("    key#: 1\n"), told=("unknown-key",), place=(4, 11)),
    "unknown keys like known ones": Attack(text=many("    enviro#ment: 1\n"), told=("unknown-key",)),
    "unknown keys of services": Attack(text=_services("image: i, restrat#: no", N // 2), told=("unknown-key",)),
    "unknown top keys": Attack(text=many("s#: 1\n"), told=("unknown-key",)),
    "unknown keys of extends": Attack(text=lambda: f"{W}    extends: {{service: x, {_numbered('k#: 1', N)}}}\n", told=("MIG006",)),
    "one key again and again": Attack(text=many("    user: x\n"), told=("duplicate-key",), place=(5, 5)),
    "keys that are numbers": Attack(text=many("      #: x\n", N, W + "    labels:\n"), told=("non-string-key",), place=(5, 7)),
    "services of no kind": Attack(text=many("  s#: 1\n", N, "services:\n"), told=("wrong-type",)),
    "names that are none": Attack(text=many("  s #: {}\n"), told=("unknown-key",)),
    "services without image": Attack(text=many("  s#: {}\n"), told=("no-image-or-build",)),
    "variables without value": Attack(text=_services("image: 'a$A#'", N // 2), told=("MIG013",)),
    "undefined networks": Attack(text=listed("networks", "n#"), told=("undefined-network",)),
    "undefined networks beside others": Attack(
        text=lambda: listed("networks", "n#", N // 2)() + "networks:\n" + _numbered("  m#: {}\n", N // 2, ""), told=("undefined-network",)
    ),
    "undefined networks with addresses": Attack(
        text=lambda: (
            f"{W}    networks: {{{_numbered('n#: {ipv4_address: 10.0.0.1}', N // 4)}}}\nnetworks:\n"
            + _numbered("  m#: {ipam: {config: [{subnet: 10.0.0.0/8}]}}\n", N // 4, "")
        ),
        told=("undefined-network",),
    ),
    "undefined volumes": Attack(text=listed("volumes", "'nn#:/x#'"), told=("undefined-volume",)),
    "undefined secrets": Attack(text=listed("secrets", "nn#"), told=("undefined-secret",)),
    "undefined services": Attack(text=listed("depends_on", "nn#"), told=("undefined-service",)),
    "undefined services like known ones": Attack(text=_services("image: i, depends_on: [sx#]", N // 4), told=("undefined-service",)),
    "bad ports": Attack(text=listed("ports", "'#:x'"), told=("bad-port",)),
    "items that are no pairs": Attack(text=listed("environment", "{k: 1}"), told=("wrong-type",)),
    "one item again and again": Attack(text=listed("group_add", "k"), told=("not-unique",)),
    "includes that are missing": Attack(text=lambda: f"include: [{_numbered('f#.yaml', N // 2)}]\n{W}", told=("file-missing",)),
    "container names taken": Attack(text=_services("image: i, container_name: same", N // 4), told=("container-name-duplicate",)),
    "unused volumes": Attack(text=many("  v#:\n", N, W + "volumes:\n"), told=("MIG058",)),
    "volumes of switched-off services": Attack(
        text=lambda: (
            W
            + _numbered("  b#: {image: i, profiles: [p], volumes: ['v#:/x']}\n", N // 8, "")
            + "volumes:\n"
            + _numbered("  v#:\n", N // 8, "")
        ),
        told=("MIG058",),
    ),
    # repetition
    "an alias bomb": Attack(text=plain(_bomb(9)), told=("yaml-syntax",), place=(6, 20)),
    "an alias bomb of merges": Attack(
        text=lambda: f"x-a: &a {{{_numbered('k#: 1', 600)}}}\nx-b:\n{_numbered('  m#: {<<: *a}', 600, chr(10))}\n{W}", told=("yaml-syntax",)
    ),
    "a chain of merges": Attack(
        text=lambda: (
            f"x-a0: &a0 {{{_numbered('k#: 1', 3000)}}}\n" + "".join(f"x-a{j + 1}: &a{j + 1} {{<<: *a{j}}}\n" for j in range(3000)) + W
        ),
        told=("yaml-syntax",),
    ),
    "an alias inside itself": Attack(text=plain("x-a: &a {b: [*a]}\n" + W), told=("yaml-alias-cycle",), place=(1, 14)),
    "one service under many names": Attack(text=lambda: f"x-b: &a {{image: i}}\nservices: {{{_numbered('s#: *a', N // 4)}}}\n"),
    "all ports": Attack(text=plain(W + "    ports: ['1-65535:1-65535']\n")),
    "all ports again and again": Attack(text=listed("ports", "'1-65535:1-65535'", 5 * N // 4), told=("bad-port",), place=(4, 31)),
    "all ports of many services": Attack(text=_services("image: i, ports: ['1-65535:1-65535']", N // 4), told=("bad-port",)),
    "ranges of ports of many services": Attack(text=_services("image: i, ports: ['1-100:1-100']", N // 4), told=("bad-port",)),
    "ranges of ports through an alias": Attack(
        text=lambda: f"x-p: &p ['1-1000:1-1000']\nservices:\n{_numbered('  s#: {image: i, ports: *p}', N // 4, chr(10))}\n",
        told=("bad-port",),
    ),
    "one large base": Attack(
        text=lambda: (
            f"services:\n  b: {{image: i, environment: {{{_numbered('k#: 1', 1000)}}}}}\n" + _numbered("  s#: {extends: b}\n", N // 4, "")
        ),
        told=("extends-not-found",),
    ),
    "one file included again and again": Attack(
        text=lambda: f"include: [{_numbered('{path: f.yaml, project_directory: ./d#}', N // 8)}]\n{W}",
        files={"f.yaml": lambda: f"services: {{{_numbered('f#: {image: i}', 300)}}}\n"},
        told=("include-conflict",),
    ),
    "includes that double": Attack(
        text=plain("include: [c0.yaml]\n" + W),
        files={
            f"c{i}.yaml": plain(f"include: [{{path: c{i + 1}.yaml, env_file: a.env}}, {{path: c{i + 1}.yaml, env_file: b.env}}]\n")
            for i in range(30)
        }
        | {"c30.yaml": plain("services: {last: {image: i}}\n"), "a.env": plain("A=1\n"), "b.env": plain("B=1\n")},
        told=("include-conflict",),
    ),
    "extends that double": Attack(
        text=plain(W + "    extends: {file: e0.yaml, service: a}\n"),
        files={
            f"e{i}.yaml": plain(
                f"services:\n  a: {{extends: {{file: e{i + 1}.yaml, service: a}}}}\n  b: {{extends: {{file: e{i + 1}.yaml, service: a}}}}\n"
            )
            for i in range(30)
        }
        | {"e30.yaml": plain("services: {a: {image: i}}\n")},
    ),
    "one env file of many services": Attack(
        text=_services("image: i, env_file: v.env", N // 10), files={"v.env": _variables(2000)}, told=("env-file-syntax",)
    ),
    "one env file again and again": Attack(text=listed("env_file", "v.env", N // 4), files={"v.env": _variables(N // 4)}),
    # texts
    "values that double": Attack(text=plain(W + _V), files={"v.env": plain(_doubling(60))}, told=("interpolation-format",), place=(18, 5)),
    "values that double in .env": Attack(
        text=plain(W + "    user: $A60\n"), files={".env": plain(_doubling(60))}, told=("interpolation-format",)
    ),
    "a value that names itself": Attack(
        text=plain(W + _V), files={"v.env": plain("A=x\n" + "A=$A$A\n" * 60)}, told=("interpolation-format",)
    ),
    "a long value used everywhere": Attack(
        text=listed("labels", "'a#=$A16'"), files={".env": plain(_doubling(16))}, told=("interpolation-format",)
    ),
    "a long default used often": Attack(
        text=value("$A16", N, key="user"), files={".env": plain(_doubling(16))}, told=("interpolation-format",)
    ),
    "deep substitutions": Attack(text=value("${A:-", 5 * N // 4, after="}" * (5 * N // 4)), told=("interpolation-format",), place=(4, 11)),
    "open substitutions": Attack(text=value("${A:-", 5 * N // 2), told=("interpolation-format",), place=(4, 11)),
    "substitutions inside each other": Attack(text=value("${A:-x", 45, after="y${B}" * (2 * N) + "}" * 45), told=("MIG013",)),
    "required variables": Attack(
        text=lambda: f"{W}    user: '{_numbered('${A#:?x}', N, '')}'\n", told=("required-variable",), place=(4, 11)
    ),
    "dollars": Attack(text=value("$", 10 * N)),
    "quotes of a command": Attack(text=value('""', 5 * N, key="command")),
    "an open quote": Attack(text=value("a", 10 * N, before='"', key="command"), told=("bad-command",)),
    "parentheses of a command": Attack(text=value("$(a) ", 2 * N, key="command")),
    "words of a command": Attack(text=value("a ", 4 * N, key="command")),
    "colons of a volume": Attack(text=value("a:", 5 * N, before="[", after="]", key="volumes")),
    "a huge text": Attack(text=value("x", 12 * N)),
    "a huge number": Attack(text=lambda: f"{W}    scale: {'9' * 12 * N}\n", told=("cast",)),
    "a huge size": Attack(text=value("9", 12 * N, key="mem_limit"), told=("bad-size",), place=(4, 16)),
    "a huge fraction": Attack(text=lambda: f"{W}    cpus: 0.{'9' * 12 * N}\n"),
    "a huge exponent": Attack(text=lambda: f"{W}    cpus: 1e{'9' * 12 * N}\n", told=("cast",)),
    "a huge octal mode": Attack(text=lambda: f"{W}    secrets: [{{source: a, mode: '{'7' * 12 * N}'}}]\n"),
    "a long duration": Attack(text=value("1s", 6 * N, key="stop_grace_period"), told=("bad-duration",)),
    "an image with many dots": Attack(text=value("a._-", 6 * N, after="/!", key="image"), told=("MIG009",)),
    "a container name with many dots": Attack(text=value("a._-", 6 * N, after="/!", key="container_name")),
    "a container name of no letters": Attack(text=value("!", 10 * N, key="container_name")),
    "a host name of many labels": Attack(text=value("a.", 6 * N, after="!", key="hostname"), told=("MIG063",)),
    "a pull policy of many weeks": Attack(text=value("1w", 6 * N, before="every_", after="!", key="pull_policy"), told=("pattern",)),
    "hosts of one name": Attack(text=lambda: listed("extra_hosts", "'h:1.1.1.#'", N)()),
    # shapes
    "deep lists": Attack(text=plain("a: " + "[" * (5 * N)), told=("yaml-syntax",), place=(1, 103)),
    "deep mappings": Attack(text=plain("a: " + "{a: " * (5 * N)), told=("yaml-syntax",)),
    "deep blocks": Attack(text=lambda: "".join(" " * i + "a:\n" for i in range(1000)), told=("yaml-syntax",)),
    "deep sequences": Attack(text=plain("- " * (5 * N)), told=("yaml-syntax",)),
    "deep keys": Attack(text=plain("? " * (5 * N)), told=("yaml-syntax",)),
    "a long list": Attack(text=plain("x-a: [" + "a," * 120_000 + "]\n" + W), told=("yaml-syntax",), place=(1, 200_007)),
    "a long mapping": Attack(text=lambda: f"x-a: {{{_numbered('k#: ', 110_000)}}}\n{W}", told=("yaml-syntax",)),
    "many documents": Attack(
        text=lambda: _numbered("---\nservices: {s#: {image: i}}\n", N // 4, ""), told=("yaml-syntax",), place=(202, 1)
    ),
    "documents of many ports": Attack(
        text=lambda: "".join(
            f"---\nservices: {{web: {{image: i, ports: [{','.join(f'{1000 * d + i}:1' for i in range(N // 150))}]}}}}\n" for d in range(50)
        )
    ),
    "two files of many ports": Attack(
        text=lambda: "".join(
            f"---\nservices: {{web: {{image: i, ports: [{','.join(f'{d + i}:80' for i in range(N // 4))}]}}}}\n" for d in (1, 10_000)
        ),
        told=("MIG062",),
    ),
    "empty documents": Attack(text=lambda: "---\n" * (5 * N) + W),
    "long chains of waiting": Attack(text=_chain(N // 4, ring=False, key="depends_on: [#]")),
    "a long circle of waiting": Attack(text=_chain(N // 4, ring=True, key="depends_on: [#]"), told=("dependency-cycle",)),
    "everybody waits for all": Attack(
        text=lambda: (
            f"services:\n{_numbered(f'  s#: {{image: i, depends_on: [{_numbered(chr(115) + chr(35), 150)}]}}', 150, chr(10))}\n".replace(
                "#", "0"
            )
        ),
    ),
    "long chains of extends": Attack(text=_chain(N // 4, ring=False, key="extends: #"), told=("extends-cycle",)),
    "a long circle of extends": Attack(text=_chain(N // 4, ring=True, key="extends: #"), told=("extends-cycle",)),
    "many services": Attack(text=_services("image: i", N // 2)),
    "subnets": Attack(text=many("  n#: {ipam: {config: [{subnet: 10.0.0.0/24}]}}\n", N // 4, W + "networks:\n"), told=("MIG058",)),
    "services of the first layout": Attack(text=many("s#: {image: i}\n", N // 2, ""), told=("MIG051",)),
    # env files
    "bad lines of an env file": Attack(text=plain(W + _V), files={"v.env": plain("A!=1\n" * N)}, told=("env-file-syntax",)),
    "empty names of an env file": Attack(text=plain(W + _V), files={"v.env": plain("=\n" * (5 * N))}, told=("MIG061",)),
    "open quotes of an env file": Attack(text=plain(W + _V), files={"v.env": plain('A="x\n' * (N + 1))}, told=("env-file-syntax",)),
    "one long line of an env file": Attack(text=plain(W + _V), files={"v.env": plain("A='x' " * (2 * N))}, told=("MIG061",)),
    "a long name in an env file": Attack(text=plain(W + _V), files={"v.env": plain("A" * (12 * N))}),
    "escapes of an env file": Attack(text=plain(W + _V), files={"v.env": plain('A="' + "\\n" * (5 * N) + '"\n')}),
    "names without value": Attack(text=plain(W + _V), files={"v.env": plain("A\n" * (5 * N))}),
    "a large env file": Attack(
        text=plain(W + _V), files={"v.env": lambda: b"A=1\n" * (3 << 20)}, told=("env-file-missing",), place=(4, 15)
    ),
    "a large file": Attack(text=lambda: W + "# x\n" * (3 << 20), told=("file-missing",), place=(1, 1)),
}


class TooSlow(BaseException):
    """The watchdog's."""


def _bark(number: int, frame: object) -> None:
    raise TooSlow


def measured(attack: Attack) -> Measured:
    """Load and print one project under the limits of memory and time. Raises whatever the loader raises that is no answer."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in {"compose.yaml": attack.text, **attack.files}.items():
            data = content()
            (folder / file).write_bytes(data if isinstance(data, bytes) else data.encode())
            del data
        signal.signal(signal.SIGPROF, _bark)
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        begin = time.process_time()
        try:
            found = load(["compose.yaml"], directory=folder, environment={})
            findings = found.findings
            config_text(found, "json")
        except Unusable as refused:
            findings = refused.findings
        seconds = time.process_time() - begin
        signal.setitimer(signal.ITIMER_PROF, 0)
    places = tuple(_first(findings, kind) for kind in attack.told)
    return Measured(seconds=seconds, findings=len(findings), longest=max((len(f.message) for f in findings), default=0), places=places)


def _first(findings: Iterable[object], kind: str) -> tuple[str, int, int]:
    for finding in findings:
        code, message, span = (getattr(finding, name) for name in ("code", "message", "span"))
        if code == kind or message.endswith(f"[{kind}]"):
            return (kind, span.line, span.column) if span is not None else (kind, 0, 0)
    return ("not told", 0, 0)


def measured_by_name(name: str) -> Measured:
    """As `measured`, of an attack of the table."""
    return measured(ATTACKS[name])


def reference_seconds() -> float:
    """What an ordinary project of the same size costs here and now: services with a handful of keys."""
    body = "image: i, ports: ['80:80'], environment: {A: b}, command: a b c, restart: always"
    return min(measured(Attack(text=_services(body, N // 8))).seconds for _ in range(2))
