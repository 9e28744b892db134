"""Mutated Compose projects for the loader, by number: texts, trees, bytes, env files, several files and every option.

    python -m tests.migrate.compose_fuzz --inputs 200000 --jobs 2      # the long run; prints its figures, exits 1 if anything failed
    python -m tests.migrate.compose_fuzz --only 4711                   # one input again, with its files printed

Input N of a seed is always the same (beside the same recorded cases and corpus). Each runs under a watchdog of CPU time, and the process
under a limit of memory. What must hold of each: a project or `Unusable` with its findings; known codes; printable messages; places that
exist; text that is read back; and a project without faults that gives itself when it is loaded again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import yaml

from migrate.compose import config_text, load
from migrate.compose.model import Project
from migrate.findings import Finding, Unusable
from migrate.rules import rules
from tests.migrate.compose_projects import project

SLOWEST_S: Final = 2.0
MOST_MEMORY: Final = 512 << 20
SHARED: Final = Path(__file__).resolve().parents[3] / "shared"
MEMORY: Final = "/dev/shm"
"""A folder in memory, where there is one: the files of an input live for milliseconds."""

SLICE: Final = 500
"""Inputs that one process makes before it reports."""

TOKENS: Final = (
    *"~ [] {} [~] 0 -1 1e999 true ${X ${X:?m} $X &a *a - # { } [ ] , | > 1-9000 2024-01-01 .nan .inf [[a]] / ~/x host".split(),  # noqa: SIM905
    *"services: image: build: ports: volumes: networks: environment: deploy: healthcheck: secrets: service:web container:x".split(),  # noqa: SIM905
    *"${A:-${B:-${C:-x}}} ${A:+$A} $$ ${} ${1} 1-65535:1-65535 0x1F 1_000 010 -0 <<: &b !!int !!binary !!set !!null %YAML".split(),  # noqa: SIM905
    *("{a: }", "<<: *a", "!reset null", "!override []", "!!binary x", "- ", ": ", "\n", "  ", "\t", '"', "'", '"${"', "x-a: 1", "\x00"),
    *(
        "\u2028",
        "extends: web",
        "include: [x]",
        "? a",
        "---\n",
        "...\n",
        "9" * 40,
        '""',
        "{a: {b: c}}",
        "\r\n",
        "\ufeff",
        "\\",
        "\U0001f600",
    ),
)
VALUES: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3.5,
        1e300,
        float("inf"),
        2**70,
        "",
        " ",
        "a" * 300,
        "a b",
        "\x01",
        "é",
        [],
        {},
        [None],
        [""],
        [[]],
        [{}],
    ),
    *"a 0 1 -1 80:80 1-3:1-3 yes null ${V} ${U:?x} ${V / ~ .. ./x service:web service:nope container:c host 10m 30 1h * a=b = A".split(),  # noqa: SIM905
    *"2024-01-01 1.2.3.4 ::1 10.0.0.0/8 a:b a:/b /a:/b:ro unix:///x".split(),  # noqa: SIM905
    *(
        ["a", "a"],
        {"a": None},
        {"a": {}},
        {"a": []},
        {"": 1},
        {"x-a": 1},
        {"<<": {"a": 1}},
        {"web": None},
        {"source": "a"},
        {"path": "a.env"},
    ),
    *(
        {"target": 80},
        {"type": "bind"},
        {"condition": "service_healthy"},
        {"service": "web"},
        {"external": True},
        {"name": "n"},
        {"file": "f"},
    ),
)
KEYS: Final = (
    *"services networks volumes secrets configs models include name version web b c default image build command entrypoint ports".split(),  # noqa: SIM905
    *"environment env_file label_file labels depends_on deploy healthcheck extends profiles network_mode links volumes_from tmpfs".split(),  # noqa: SIM905
    *"source target file external driver ipam config subnet context dockerfile args condition required x-a <<".split(),  # noqa: SIM905
)
ENVIRONMENTS: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {"V": "v", "HOME": "/h"},
    {"V": "", "COMPOSE_PROJECT_NAME": "p", "COMPOSE_PROFILES": "a,*"},
    {"V": "a\nb: $X \udcff", "COMPOSE_FILE": "compose.yaml:a.env", "COMPOSE_ENV_FILES": "a.env,b.env"},
    {"COMPOSE_PATH_SEPARATOR": "", "COMPOSE_FILE": "", "COMPOSE_PROJECT_NAME": "No Name", "COMPOSE_DISABLE_ENV_FILE": "1", "HOME": ""},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Files by name, and the arguments of `load`."""

    files: Mapping[str, bytes]
    arguments: Mapping[str, Any]
    kind: str


def seeds() -> list[tuple[dict[str, str], list[str]]]:
    """What is mutated: generated projects and, where they are beside the checkout, the recorded cases and the corpus."""
    found = [project(number) for number in range(97)]
    for folder in sorted((SHARED / "oracle" / "compose").glob("[0-9]*-*")):
        files = {str(path.relative_to(folder)): path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file()}
        files = {name: text for name, text in files.items() if not name.startswith(("expected", "meta", "args", "env", "cwd"))}
        names = [name for name in files if name.endswith((".yaml", ".yml")) and "/" not in name]
        if names:
            found.append((files, names[:2]))
    index = SHARED / "corpus" / "index.json"
    for stack in json.loads(index.read_text()) if index.is_file() else ():
        file = SHARED / "corpus" / stack["id"] / stack["path"]
        if file.stat().st_size < 20_000:
            found.append(({"compose.yaml": file.read_text(errors="replace")}, ["compose.yaml"]))
    return found


# ---------------------------------------------------------------- mutations


def mutated_text(text: str, chance: random.Random) -> str:
    """The text with one to four changes: of a value, a line, or anything anywhere."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        lines = text.split("\n")
        row = chance.randrange(len(lines))
        place = chance.randrange(len(text) + 1)
        if kind < 0.5:
            lines[row] = re.sub(r"(: |\[|, )[^,:\[\]{}]*", lambda found: found.group(1) + chance.choice(TOKENS), lines[row], count=1)
            text = "\n".join(lines)
        elif kind < 0.7:
            lines.insert(chance.randrange(len(lines) + 1), lines[row])
            text = "\n".join(lines)
        elif kind < 0.9:
            text = text[:place] + chance.choice(TOKENS) + text[place + chance.randint(0, 8) :]
        else:
            text = text[:place] + text[place + chance.randint(1, 20) :]
    return text


def mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    """The bytes in another encoding, with other line ends, cut, or with some changed."""
    kind = chance.randrange(7)
    if kind == 0:
        return data.decode(errors="replace").encode(chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))
    if kind == 1:
        return data.decode(errors="replace").encode("latin-1", "replace")
    if kind == 2:
        return data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\xc2\x85", b"\xe2\x80\xa8")))
    if kind == 3:
        return data[: chance.randrange(len(data) + 1)]
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.randint(0, 2)] = bytes([chance.randrange(256)])
    return bytes(changed)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (collection, key or index) of a tree; shared parts once."""
    found: list[tuple[Any, Any]] = []
    waiting, seen = [tree], {id(tree)}
    while waiting and len(found) < 5000:
        node = waiting.pop()
        for key, child in list(node.items()) if isinstance(node, dict) else list(enumerate(node)):
            found.append((node, key))
            if isinstance(child, (dict, list)) and id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)
    return found


def mutated_tree(tree: Any, chance: random.Random) -> Any:
    """The tree with one to five values or keys replaced, moved, doubled, wrapped, shared or removed."""
    for _ in range(chance.randint(1, 5)):
        places = _places(tree) if isinstance(tree, (dict, list)) else []
        if not places:
            return chance.choice(VALUES)
        node, key = places[max(chance.randrange(len(places)), chance.randrange(len(places)))]  # rather deep than at the top
        kind = chance.randrange(9)
        if kind <= 2:
            node[key] = _fresh(chance.choice(VALUES))
        elif kind == 3:
            other, where = chance.choice(places)
            node[key] = other[where] if not _reaches(other[where], node) else None
        elif kind == 4:
            del node[key]
        elif kind == 5 and isinstance(node, dict):
            node[_misspelt(str(key), chance)] = node.pop(key)
        elif kind == 6:
            node[key] = chance.choice(([node[key]], [node[key], node[key]], {"a": node[key]}, {"<<": node[key]}))
        elif kind == 7 and isinstance(node, dict):
            node[chance.choice(KEYS)] = _fresh(chance.choice(VALUES))
        else:
            node[key] = (
                mutated_text(str(node[key])[:200], chance) if not isinstance(node[key], (dict, list)) else _fresh(chance.choice(VALUES))
            )
    return tree


def _fresh(value: Any) -> Any:
    return json.loads(json.dumps(value)) if isinstance(value, (dict, list)) else value


def _reaches(value: Any, node: Any) -> bool:
    """Whether putting `value` into `node` would close a circle."""
    if value is node:
        return True
    if isinstance(value, dict):
        return any(_reaches(child, node) for child in value.values())
    return any(_reaches(child, node) for child in value) if isinstance(value, list) else False


def _misspelt(word: str, chance: random.Random) -> str:
    place = chance.randrange(len(word) + 1)
    return chance.choice(
        (word[:place] + word[place + 1 :], word[:place] + "x" + word[place:], word.upper(), word.replace("_", "-"), f"x-{word}")
    )


def _mutated_file(text: str, chance: random.Random, kind: str) -> str:
    if kind == "tree":
        try:
            trees = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
            tree = mutated_tree(trees[0] if trees else {}, chance)
            return yaml.dump(tree, Dumper=yaml.CSafeDumper, default_flow_style=chance.choice((True, False, None)), sort_keys=False)
        except (yaml.YAMLError, ValueError, RecursionError):
            pass
    return mutated_text(text, chance)


def made(number: int, seed: int, known: list[tuple[dict[str, str], list[str]]]) -> Input:
    """Input `number` of a seed."""
    chance = random.Random(f"{seed} {number}")
    texts, names = chance.choice(known)
    files, names = dict(texts), list(names)
    kind = chance.choices(("text", "tree", "bytes", "mixed"), (20, 65, 5, 10))[0]
    if kind == "mixed":
        more, others = chance.choice(known)
        files |= {f"m-{name}" if name in names else name: text for name, text in more.items()}
        names += [f"m-{name}" if name in names else name for name in others[:1]]
    targets = [names[0]] if chance.random() < 0.6 else chance.sample(sorted(files), min(len(files), 2))
    for name in targets:
        files[name] = _mutated_file(files[name], chance, "tree" if kind in ("tree", "mixed") else "text")
    data = {name: text.encode("utf-8", "replace") for name, text in files.items()}
    if kind == "bytes":
        data[names[0]] = mutated_bytes(data[names[0]], chance)
    if chance.random() < 0.1:
        data[".env"] = (
            data.get("a.env", b"V=1\n")
            if chance.random() < 0.5
            else mutated_text("V=1\nW='x'\n# c\nX=\"$V\"\n", chance).encode("utf-8", "replace")
        )
    return Input(files=data, arguments=_arguments(names, sorted(files), chance), kind=kind)


def _arguments(names: list[str], files: list[str], chance: random.Random) -> dict[str, Any]:
    arguments: dict[str, Any] = {"files": names, "environment": chance.choice(ENVIRONMENTS) if chance.random() < 0.3 else {"V": "v"}}
    if chance.random() < 0.2:
        arguments["profiles"] = chance.choice((["a"], ["*"], ["dbg", "debug"], [""]))
    if chance.random() < 0.1:
        arguments["env_files"] = [chance.choice([*files, "nope.env"])]
    if chance.random() < 0.1:
        arguments["project_directory"] = chance.choice((".", "base", "/", ""))
    if chance.random() < 0.05:
        arguments["project_name"] = chance.choice(("demo", "Not Legal", "", "-"))
    if chance.random() < 0.05:
        arguments["files"] = chance.choice(([], ["-"], [*names, *names], [chance.choice(files)]))
    for option in ("strict", "all_resources"):
        arguments[option] = chance.random() < 0.1
    arguments["interpolate"] = chance.random() > 0.05
    return arguments


# ---------------------------------------------------------------- what must hold


class TooSlow(BaseException):
    """The watchdog's: no handler of the program under test may take it for its own."""


def _bark(number: int, frame: object) -> None:
    raise TooSlow


def checked(given: Input, folder: Path) -> tuple[str, set[str], float]:
    """Load and print one input in `folder`: how it ended, the classes of its faults, CPU seconds.

    Raises AssertionError for what must not be.
    """
    for name, data in given.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    stdin = given.files[sorted(given.files)[0]].decode(errors="replace")
    begin = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SLOWEST_S)
    try:
        found = load(directory=folder, stdin=stdin, **given.arguments)
        text, written = config_text(found, "json"), config_text(found, "yaml")
    except Unusable as refused:
        assert refused.findings, "refused without a finding"
        _check_findings(refused.findings)
        return "refused", _kinds(refused.findings), time.process_time() - begin
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    took = time.process_time() - begin
    _check_findings(found.findings)
    clean = not any(finding.severity == "error" for finding in found.findings)
    if clean and found.services and given.arguments["interpolate"]:
        _check_itself(found, text, written, folder)
    else:
        assert yaml.load(written, Loader=yaml.CSafeLoader) is not None
    return "clean" if clean else "repaired", _kinds(found.findings), took


def _check_findings(findings: tuple[Finding, ...]) -> None:
    known = rules()
    for finding in findings:
        assert finding.code in known, finding
        assert finding.message.isprintable(), finding
        assert finding.span is None or (finding.span.file and finding.span.line >= 1 and finding.span.column >= 1), finding


def _check_itself(found: Project, text: str, written: str, folder: Path) -> None:
    """What `config` prints is a project that gives itself.

    Not where it prints, as the real program does, what reads otherwise: a `$` in a key (doubled, and keys are not interpolated), an empty
    name, content or context (left out), a host without address or twice. Most of these are faults when they are read again.
    """
    again = load(
        ["-"],
        stdin=written,
        directory=folder,
        environment={},
        env_files=["/dev/null"],  # the project's own .env would give a name and values to what was printed without
        project_directory=str(found.directory),
        all_resources=True,
        profiles=["*"],
    )
    first, second = json.loads(text), json.loads(config_text(again, "json"))
    if any(finding.severity == "error" for finding in again.findings) or re.search(r'\$[^"\n]*": ', text):
        return
    for service in (*first["services"].values(), *second["services"].values()):
        service["extra_hosts"] = sorted({*service.get("extra_hosts", ())})
        service.get("build", {}).setdefault("context", str(found.directory))
        service["ports"] = sorted({json.dumps(port) for port in service.get("ports", ())})
    for section in ("networks", "volumes", "secrets", "configs"):
        for key, entry in first.get(section, {}).items():
            entry.setdefault("name", second[section][key]["name"])
    assert first == second, _difference(first, second)


def _difference(one: Any, two: Any, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(two, dict):
        return next(
            (_difference(one.get(key), two.get(key), f"{path}.{key}") for key in sorted({*one, *two}) if one.get(key) != two.get(key)), path
        )
    return f"loaded again, {path} is {two!r} instead of {one!r}"


def _kinds(findings: tuple[Finding, ...]) -> set[str]:
    named = (re.search(r"\[([a-z-]+)\]$", finding.message) for finding in findings)
    return {match.group(1) if match else finding.code for match, finding in zip(named, findings, strict=True)}


# ---------------------------------------------------------------- many of them


@dataclass(slots=True)
class Figures:
    """What a run saw: inputs by how they ended and how they were made, classes of faults, times, memory, and failures with their text."""

    ends: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)
    seconds: float = 0.0
    memory: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    shown: int = 0

    def join(self, other: Figures) -> None:
        """Add the figures of another slice."""
        for mine, theirs in ((self.ends, other.ends), (self.kinds, other.kinds), (self.classes, other.classes)):
            mine.update(theirs)
        self.slowest = max(self.slowest, other.slowest)
        self.seconds += other.seconds
        self.memory = max(self.memory, other.memory)
        self.failures += other.failures


def run(first: int, count: int, seed: int) -> Figures:
    """Inputs `first` and following, here and now; the watchdog counts CPU seconds, so that a busy machine is no hang."""
    known = seeds()
    figures = Figures()
    before = signal.signal(signal.SIGPROF, _bark)
    folder = Path(tempfile.mkdtemp(prefix="compose-fuzz-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    try:
        for number in range(first, first + count):
            given = made(number, seed, known)
            _one(number, given, folder, figures)
    finally:
        signal.signal(signal.SIGPROF, before)
        shutil.rmtree(folder)
    figures.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return figures


def _one(number: int, given: Input, parent: Path, figures: Figures) -> None:
    folder = parent / str(number)
    folder.mkdir()
    try:
        end, classes, took = checked(given, folder)
        figures.ends[end] += 1
        figures.classes.update(classes)
        figures.seconds += took
        figures.slowest = max(figures.slowest, (took, number))
    except (Exception, TooSlow):
        figures.ends["failed"] += 1
        figures.failures.append((number, traceback.format_exc(limit=-6)))
    figures.kinds[given.kind] += 1
    shutil.rmtree(folder)


def _limited(first: int, count: int, seed: int) -> Figures:
    """A slice in a process of its own, which may not have more than MOST_MEMORY."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    return run(first, count, seed)


def run_all(inputs: int, seed: int, jobs: int, told: Callable[[Figures, int], None]) -> Figures:
    """All inputs in slices over processes; `told` hears the figures so far."""
    figures = Figures()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        slices = [pool.submit(_limited, first, min(SLICE, inputs - first), seed) for first in range(0, inputs, SLICE)]
        for number, slice_ in enumerate(slices, 1):
            figures.join(slice_.result())
            told(figures, min(number * SLICE, inputs))
    return figures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.migrate.compose_fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    if options.only is not None:
        given = made(options.only, options.seed, seeds())
        for name, data in given.files.items():
            print(f"# ---- {name}\n{data.decode(errors='replace')}")
        print(f"# ---- {given.kind} {given.arguments}")
        figures = run(options.only, 1, options.seed)
    else:
        figures = run_all(options.inputs, options.seed, options.jobs, _tell)
    if options.only is not None:
        _tell(figures, 1)
    print(f"\n{sum(figures.kinds.values())} inputs {dict(sorted(figures.kinds.items()))}")
    print(f"ended {dict(sorted(figures.ends.items()))}; {len(figures.classes)} classes of faults")
    slowest = f"slowest {figures.slowest[0]:.2f} s CPU (input {figures.slowest[1]})"
    print(f"{slowest}, {figures.seconds:.0f} s in all; {figures.memory >> 20} MB at most")
    print(f"{len(figures.failures)} failed")
    return 1 if figures.failures else 0


def _tell(figures: Figures, done: int) -> None:
    for number, text in figures.failures[figures.shown :]:
        print(f"input {number}:\n{text}", file=sys.stderr, flush=True)
    figures.shown = len(figures.failures)
    if done % 10_000 < SLICE:
        print(f"{done} inputs, {len(figures.failures)} failed, {figures.memory >> 20} MB", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
