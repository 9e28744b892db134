"""Real stacks through the whole conversion: no crash, valid manifests, no address left without a word, the network as it was.

A case is a folder with a Compose file, as `source.json` names it (`path`), else as `docker compose` finds it. `run` judges each folder,
or each folder inside a folder of cases. Of cases that `tests/truth` has labels for, `summary` tells how far the uses agree with them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.truth.score import Score, compared, labels, seen

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_EXAMPLES = (".env.example", ".env.sample", ".env.dist", ".env.template", "env-example", "example.env", "env.example", "sample.env")
_IN_PATH = re.compile(r"([\w./-]*)\$\{?([A-Za-z_]\w*)\}?(/[\w./-]+)")
_UNSET = re.compile(r"variable (\w+) has no value")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*?)(?:\s+#.*)?$")
_COMMENT = re.compile(r"^\s*(#|//|;|--\s).*$|(?<=\s)#.*$", re.MULTILINE)


class Results(list[tuple[str, str | None]]):
    """(identifier, reason it fails or None) for each case, in order; `remarks` are lines to print beside them."""

    remarks: tuple[str, ...] = ()


def run(paths: Iterable[str | Path]) -> Results:
    """The verdict on every case below `paths`; remarks: precision and recall over the cases that have labels."""
    scores: dict[str, Score] = {}
    results = Results((case.name, judged(case, scores)) for path in paths for case in cases(Path(path)))
    results.remarks = tuple(_agreement(scores)) if scores else ()
    return results


def _agreement(scores: Mapping[str, Score]) -> Iterator[str]:
    whole = Score()
    for name, score in scores.items():
        whole.add(score)
        yield from (f"{name}: {difference}" for difference in score.differences)
    yield f"{len(scores)} cases with {whole.labels} labelled places: " + ", ".join(f"{n} {share:.4f}" for n, share in whole.shares.items())


def cases(path: Path) -> Iterator[Path]:
    """`path` itself if it is a case, else the cases in it, sorted."""
    if compose_file(path) is not None and not any((p / "source.json").is_file() for p in path.iterdir() if p.is_dir()):
        yield path
        return
    yield from (p for p in sorted(path.iterdir()) if p.is_dir())


def compose_file(case: Path) -> Path | None:
    """The Compose file of a case: `path` of its source.json, from its longest tail that is there; else the usual names, else any depth."""
    if not case.is_dir():
        return None
    source = case / "source.json"
    said = Path(str(json.loads(source.read_text(encoding="utf-8")).get("path", ""))) if source.is_file() else Path()
    tails = [case.joinpath(*said.parts[i:]) for i in range(len(said.parts))]
    usual = [case / name for name in _NAMES]
    deep = [p for name in (said.name, *_NAMES) if name for p in sorted(case.rglob(name))]
    return next((p for p in (*tails, *usual, *deep) if p.is_file()), None)


def judged(case: Path, scores: dict[str, Score] | None = None) -> str | None:
    """Why a case fails, in one line; None if it passes. How it agrees with its labels, if it has any, is noted in `scores`."""
    import migrate

    file = compose_file(case)
    if file is None:
        return "no Compose file"
    try:
        conversion = converted(file)
        if scores is not None and (truth := labels().get(case.name)) is not None:
            scores[case.name] = compared(truth, seen(conversion, case, file.parent))
        return faults(conversion)
    except migrate.Unusable as nothing:
        if not _is_yaml(file) and all(f.code == "MIG001" and f.span is not None and f.span.line for f in nothing.findings):
            return None  # a template that no YAML reader takes: refused with its line is the answer
        return f"nothing to convert: {nothing.findings[0].code} {nothing.findings[0].message}" if nothing.findings else "nothing to convert"
    except Exception as bug:  # a traceback is a fault of the program, whatever it is
        return f"{type(bug).__name__}: {str(bug).splitlines()[0] if str(bug) else ''}"


def converted(file: Path) -> Any:
    """The conversion. If nothing can be converted for want of what only the caller has, again with `_outside` and every profile."""
    import migrate

    environment: dict[str, str] = {}
    profiles: tuple[str, ...] = ()
    while True:
        try:
            return migrate.convert(file.name, directory=file.parent, environment=environment, profiles=profiles)
        except migrate.Unusable as nothing:
            found = {**_outside(file, nothing.findings), **environment}
            all_profiles = ("*",) if any(f.code == "MIG059" for f in nothing.findings) else profiles
            if (found, all_profiles) == (environment, profiles):
                raise
            environment, profiles = found, all_profiles


def _outside(file: Path, findings: Iterable[Any]) -> dict[str, str]:
    """Stand-ins for the caller's variables: what an example of an env file beside the Compose file says, an image for one that nothing but
    a variable names, and for a variable in the path of a missing file the one folder that holds such a file."""
    found = dict(_example(file.parent))
    lines = file.read_text(encoding="utf-8").splitlines()
    for finding in findings:
        named = _UNSET.match(finding.message)
        if finding.code == "MIG013" and named is not None and str(finding.path).endswith(".image"):
            found.setdefault(named[1], "stand-in:1")
        line = lines[finding.span.line - 1] if finding.code == "MIG004" and finding.span and 0 < finding.span.line <= len(lines) else ""
        if (path := _IN_PATH.search(line)) is not None:
            depth = len(Path(path[1]).parts)
            fitting = {p.relative_to(file.parent).parts[depth] for p in file.parent.glob(f"{path[1]}*{path[3]}")}
            if len(fitting) == 1:
                found.setdefault(path[2], fitting.pop())
    return found


def _example(folder: Path) -> Iterator[tuple[str, str]]:
    """The variables of the first example of an env file."""
    found = next((folder / name for name in _EXAMPLES if (folder / name).is_file()), None)
    for line in found.read_text(encoding="utf-8").splitlines() if found is not None else ():
        if (said := _ASSIGNMENT.match(line)) is not None:
            yield said[1], said[2].strip("\"'")


def _is_yaml(file: Path) -> bool:
    try:
        list(yaml.compose_all(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return False
    return True


def faults(conversion: Any) -> str | None:
    """Invalid manifests, lost or new connections, addresses left without a finding that names them."""
    refused = [f for f in conversion.verified if f.code in ("MIG930", "MIG931", "MIG932", "MIG933")]
    if refused:
        return f"{len(refused)} faults in manifests: {refused[0].code} {refused[0].message}"
    network = [f for f in conversion.verified if f.code in ("MIG350", "MIG351") and f.severity.value == "error"]
    if network:
        return f"{len(network)} differences of the network: {network[0].code} {network[0].message}"
    left = leftovers(conversion)
    return f"address left without a finding: {left[0]}" if left else None


def leftovers(conversion: Any) -> list[str]:
    """Declared addresses that some manifest still holds, token-exact and outside comments, and no finding names."""
    told = {f.address for f in conversion.findings if f.address is not None}
    told |= {token for f in conversion.findings for token in re.findall(r"\d+(?:\.\d+){3}", f.message)}
    declared = dict.fromkeys(a.owner.address for a in conversion.addresses if a.owner.service is not None)
    texts = [_COMMENT.sub("", text) for manifest in conversion.manifests for text in strings(manifest)]
    joined = "\n".join(texts)
    return [a for a in declared if a not in told and re.search(rf"(?<![\w.-]){re.escape(a)}(?![\w]|[.-]\w)", joined)]


def strings(value: Any) -> Iterator[str]:
    """Every text of an object, keys apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)
