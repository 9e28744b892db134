"""The real `docker compose config` beside this loader: how both are asked, and every difference that stays, with its reason.

A difference is here only if the real program's behaviour is an accident (of its printer, of a number's width, of a crash) or newer than
the norm. `test_compose_live.py` shows that each row still differs and that nothing else does.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from migrate.compose import config_text, load, refusals
from migrate.findings import Finding, Unusable
from tests.migrate.compose_cases import Case
from tests.oracle.compose import difference, kind_of, normal

ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "HOME": "/home/user", "V": "val", "EMPTY": "", "N": "2", "T": "true"}


def real_program() -> str | None:
    """Where the test extra has put the real program; None if it is not there."""
    beside = Path(sys.executable).parent / "docker-compose"
    return str(beside) if beside.exists() else shutil.which("docker-compose")


def arguments(case: Case) -> list[str]:
    """The options of a case as the command line has them."""
    options = [part for name in case.names for part in ("-f", name)]
    options += ["-p", case.name] if case.name is not None else []
    options += [part for profile in case.profiles for part in ("--profile", profile)]
    options += [part for file in case.env_files for part in ("--env-file", file)]
    return options + (["--project-directory", case.project_directory] if case.project_directory is not None else [])


def theirs(program: str, case: Case, folder: Path) -> tuple[Any, str]:
    """The project as the real program prints it, or None and its error."""
    command = [program, *arguments(case), "config", "--format", "json"]
    environment = {**ENVIRONMENT, **case.variables}
    said = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return (json.loads(said.stdout) if said.returncode == 0 else None), said.stderr


def ours(case: Case, folder: Path) -> tuple[Any, tuple[Finding, ...]]:
    """The same of this loader."""
    try:
        loaded = load(
            case.names,
            directory=folder,
            environment={**ENVIRONMENT, **case.variables},
            project_name=case.name,
            profiles=case.profiles,
            env_files=case.env_files,
            project_directory=case.project_directory,
            strict=True,
        )
    except Unusable as refused:
        return None, tuple(refused.findings)
    return json.loads(config_text(loaded, "json")), ()


def put(case: Case, folder: Path) -> None:
    """Write the files of a case."""
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    if case.project_directory is not None:
        (folder / case.project_directory).mkdir(exist_ok=True)


# ------------------------------------------------------------------ what differs and stays

Change = Callable[[Any], Any]


def entries(
    value: Any, keep: Callable[[tuple[str, ...], Any], bool], rename: Mapping[str, str] | None = None, path: tuple[str, ...] = ()
) -> Any:
    """A copy with those entries of mappings that `keep` wants, some of them under another name."""
    if isinstance(value, dict):
        names = rename or {}
        kept = {key: child for key, child in value.items() if keep((*path, key), child)}
        return {names.get(key, key): entries(child, keep, rename, (*path, key)) for key, child in kept.items()}
    return [entries(child, keep, rename, path) for child in value] if isinstance(value, list) else value


def _no_extension(path: tuple[str, ...], value: Any) -> bool:
    return not (len(path) > 2 and path[-1].startswith("x-")) and path[-1] != "#extensions"


def _no_zero_limit(path: tuple[str, ...], value: Any) -> bool:
    return not (value == 0 and not isinstance(value, bool) and "ulimits" in path[-3:-1])


def _no_nameless(path: tuple[str, ...], value: Any) -> bool:
    return not (path[-1] == "" and path[-2:-1] == ("environment",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which the real program and this loader differ on purpose.

    `text` is the smallest project that shows it (`files` are more of them). `chosen` is what this loader does instead. What the real
    program's printer does is undone by `undo` in both results; where one of both refuses, `excuse` is what its message says.
    """

    code: str
    reason: str
    chosen: str
    text: str
    files: Mapping[str, str] = field(default_factory=dict)
    undo: Change | None = None
    excuse: str | None = None

    @property
    def case(self) -> Case:
        """The example as a project of the files c.yaml and, where there is one, d.yaml."""
        files = {"c.yaml": self.text, **self.files}
        return Case(files=files, names=tuple(name for name in ("c.yaml", "d.yaml") if name in files))


def web(body: str) -> str:
    """A project of one service."""
    return f"services: {{web: {{image: i, {body}}}}}\n"


DIFFERENCES: Final = (
    Difference(
        code="nested-extensions",
        reason="the JSON printer leaves x- keys below the top out, and makes '#extensions' of x- names of labels, variables and options",
        chosen="x- keys stay where they stand, and a label or variable may begin with x-",
        text=web("labels: {x-a: b, c: d}, logging: {driver: d, x-n: 1}"),
        undo=lambda value: entries(value, _no_extension),
    ),
    Difference(
        code="blkio-names",
        reason="the printer writes Path, Weight and Rate with capitals, which no Compose file may have",
        chosen="path, weight and rate, so that the result can be read again",
        text=web("blkio_config: {device_read_bps: [{path: /d, rate: 1m}]}"),
        undo=lambda value: entries(value, lambda path, child: True, {"Path": "path", "Weight": "weight", "Rate": "rate"}),
    ),
    Difference(
        code="zero-ulimits",
        reason="the printer drops zeros, and with them a limit of 0",
        chosen="0 is a limit and is printed",
        text=web("ulimits: {core: 0, nofile: {soft: 0, hard: 5}}"),
        undo=lambda value: entries(value, _no_zero_limit),
    ),
    Difference(
        code="variable-without-name",
        reason="the last line of an env file without = and line end, and a line that begins with =, become a variable with an empty name",
        chosen="the last line is read like all others, a line without a name is told and left out",
        text=web("env_file: a.env"),
        files={"a.env": "=x\nA=1\n"},
        undo=lambda value: entries(value, _no_nameless),
    ),
    Difference(
        code="infinite-number",
        reason="the printer cannot write .inf and .nan as JSON and gives up",
        chosen="they are texts where texts are wanted",
        text=web("labels: {a: .inf}"),
        excuse=r"unsupported value: [-+]?(Inf|NaN)",
    ),
    Difference(
        code="ssh-key-with-path",
        reason="the printer's JSON for a key with a path is none, and it gives up",
        chosen="a list of NAME=PATH, as a file may say it",
        text=web("build: {context: ., ssh: [default=/k]}"),
        excuse=r"MarshalJSON for type types\.SSHKey",
    ),
    Difference(
        code="wide-numbers",
        reason="numbers beyond the width of their field wrap around: 99999999999 becomes port 1215752191",
        chosen="they are refused",
        text=web("ports: [{target: 99999999999}]"),
        excuse=r"is not a number (at least|from)|a whole number is wanted here, not a number|is not a size|a size such as 512m",
    ),
    Difference(
        code="dates",
        reason="a date where a text is wanted is read, dropped or a crash, depending on the key; versions differ (rule 19)",
        chosen="refused except where a number would be read as text",
        text=web("command: 2024-01-02"),
        excuse=r"not a date",
    ),
    Difference(
        code="merge-word",
        reason="<< as a value is taken for a merge, and its key is lost",
        chosen="the text <<",
        text=web("labels: {a: <<, b: c}"),
        excuse=r'is not expected: "<<"',
    ),
    Difference(
        code="swapped-names",
        reason="container_name is not checked (its pattern is not anchored)",
        chosen="a container_name that is an image reference beside a bare image was swapped with it (MIG055)",
        text=web('container_name: "h.io/a/b:1"'),
        excuse=r'\.container_name: ".*[:/].*" expected',
    ),
    Difference(
        code="crash",
        reason="the real program panics on some values that its schema lets pass, such as pid without a value",
        chosen="the value is nothing, or refused by name",
        text=web("pid: "),
        excuse=r"panic: |goroutine \d+ \[",
    ),
    Difference(
        code="gpus-all-twice",
        reason="`gpus: all` in two files conflicts with itself, and what extends it replaces it, because it is a text or a list by turns",
        chosen="all, and what is added",
        text=web("gpus: all"),
        files={"d.yaml": "services: {web: {gpus: all}}\n"},
        excuse=r"cannot override services\.\S+\.gpus|\.gpus: ",
    ),
    Difference(
        code="control-characters",
        reason="the real program's YAML reader takes DEL, which YAML does not allow",
        chosen="a fault of the text, as YAML says",
        text=web('labels: {a: "\x7f"}'),
        excuse=r"control characters are not allowed|special characters are not allowed",
    ),
    Difference(
        code="build-secrets-twice",
        reason="a build secret in short form in two files is there twice, because the first has its long form by then",
        chosen="once",
        text=web("build: {context: ., secrets: [s]}") + "secrets: {s: {file: f}}\n",
        files={"d.yaml": "services: {web: {build: {secrets: [s]}}}\n"},
        excuse=r"\.build\.secrets: ",
    ),
    Difference(
        code="other-kinds-in-later-files",
        reason="a later file may say numbers or nested values where lists or pairs are merged; they are lost or printed as Go prints them",
        chosen="a conflict of kinds, or the wrong type",
        text=web("dns: [1.1.1.1], labels: {a: b}"),
        files={"d.yaml": "services: {web: {dns: 5}}\n"},
        excuse=r"ours: .*(merge-type-conflict|a text( or a number)? is wanted here, not a (mapping|list))",
    ),
    Difference(
        code="watch-twice",
        reason="a watched path with a text for include or ignore in two files is there twice, because the first has its long form by then",
        chosen="once",
        text=web("develop: {watch: [{path: p, action: rebuild, ignore: a}]}"),
        files={"d.yaml": "services: {web: {develop: {watch: [{path: p, action: rebuild, ignore: a}]}}}\n"},
        excuse=r"\.develop\.watch: ",
    ),
    Difference(
        code="no-hosts-twice",
        reason="two empty extra_hosts in a row become a list that the real program's own schema refuses",
        chosen="no hosts",
        text=web("extra_hosts: {}"),
        files={"d.yaml": "services: {web: {extra_hosts: {}}}\n"},
        excuse=r"extra_hosts must be a mapping",
    ),
    Difference(
        code="label-files",
        reason="5.6.1 prints the names of label files; 2.40.3 folds them into the labels (rule 58)",
        chosen="folded, because a conversion needs the labels",
        text=web("label_file: l.env"),
        files={"l.env": "a=b\n"},
    ),
    Difference(
        code="pre-start-inheritance",
        reason="5.6.1 prints each pre_start step with what it inherits from its service; 2.40.3 knows no such steps",
        chosen="printed as written; the conversion decides what an init container inherits",
        text=web("user: u, pre_start: [{command: [x]}]"),
    ),
    Difference(
        code="jobs",
        reason="the section is newer than the norm; 2.40.3 refuses it",
        chosen="an unknown key, so that it is told that nothing becomes of it",
        text=web("user: u") + "jobs: {j: {image: i, triggers: {manual: true}}}\n",
    ),
)  # fmt: skip


def undone(value: Any) -> Any:
    """A result without the accidents of the real program's printer, as the README of the recorded cases compares it."""
    for row in DIFFERENCES:
        if row.undo is not None:
            value = row.undo(value)
    return normal(value)


def disagreement(program: str, case: Case, folder: Path) -> str | None:
    """Where both differ beyond the table; None if they agree."""
    found = unexcused(program, case, folder)
    return None if found is None or any(row.excuse and re.search(row.excuse, found) for row in DIFFERENCES) else found


def unexcused(program: str, case: Case, folder: Path) -> str | None:
    """Where both differ, the printer's accidents set aside."""
    expected, error = theirs(program, case, folder)
    found, findings = ours(case, folder)
    faults = refusals(findings)
    told = "; ".join(f"{fault.code} {fault.message}" for fault in faults or findings)
    if expected is not None and found is not None:
        return difference(undone(expected), undone(found))
    if expected is not None:
        return f"the real program loads it; ours: {told}"
    if found is not None:
        return f"ours loads it; the real program: {error}"
    wanted = class_of(error)
    if wanted and not wanted & {kind_of(fault) for fault in faults}:
        return f"class {' or '.join(sorted(wanted))} expected for {error}; ours: {told}"
    return None


# ------------------------------------------------------------------ classes of refusal

CLASSES: Final[tuple[tuple[str, str], ...]] = (
    (r"mapping key .* already defined", "duplicate-key"),
    (r"non-string key", "non-string-key"),
    (r"required variable", "required-variable"),
    (r"invalid interpolation format|Invalid template", "interpolation-format"),
    (r"error while interpolating (?!\S+\.ulimits\.\[\]).*failed to cast to expected type", "cast"),
    (r"additional properties|false schema", "unknown-key"),
    (r"missing property", "missing-key"),
    (r"value must be one of", "bad-enum"),
    (r"does not match pattern", "pattern"),
    (r"items at \d+ and \d+ are equal", "not-unique"),
    (r"cannot override", "merge-type-conflict"),
    (r"Circular reference", "extends-cycle"),
    (r"include cycle detected", "include-cycle"),
    (r"refers to undefined network", "undefined-network"),
    (r"refers to undefined volume", "undefined-volume"),
    (r"refers to undefined (config|secret)", "undefined-config undefined-secret"),
    (r"refers to undefined build secret", "undefined-build-secret"),
    (r"refers to undefined model", "undefined-model"),
    (r"depends on undefined service|declares unknown service", "undefined-service"),
    (r"dependency cycle detected", "dependency-cycle"),
    (r"neither an image nor a build", "no-image-or-build"),
    (r"mutually exclusive|mutualy exclusive|attributes are exclusive", "exclusive"),
    (r"can't set distinct values", "conflict-values"),
    (r"can't set container_name", "container-name-scale"),
    (r"container name .* is already in use", "container-name-duplicate"),
    (r"already mounted as", "duplicate-mount"),
    (r"invalid (containerPort|hostPort|proto|port range|ranges)|no port specified", "bad-port"),
    (r"invalid (IP|ip) address", "bad-ip"),
    (r"invalid spec|invalid empty volume spec", "bad-volume-spec"),
    (r"time: (missing unit|unknown unit|invalid duration)", "bad-duration"),
    (r"invalid size|invalid suffix", "bad-size"),
    (r"invalid command line string", "bad-command"),
    (r"healthcheck.test must start", "bad-healthcheck"),
    (r"one of .* must be set", "resource-source"),
    (r"conflicting parameters \"external\"", "conflict-external"),
    (r"env file .* not found|couldn't find env file", "env-file-missing"),
    (r"unterminated quoted value|unexpected character .* in variable name|key cannot contain a space", "env-file-syntax"),
    (r"is declared with a trailing space", "bad-env-name"),
    (r"invalid additional host|bad host name", "bad-host"),
    (r"project name", "project-name"),
    (r"top-level object must be a mapping", "wrong-type"),
)
"""What a message of the real program says, and the classes that may be meant. Messages that fit several causes are not here."""


def class_of(error: str) -> set[str]:
    """The classes that an error of the real program may be of; none if its text says too little."""
    return next((set(classes.split()) for pattern, classes in CLASSES if re.search(pattern, error)), set())
