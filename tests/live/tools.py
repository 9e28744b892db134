"""The programs of the live tests: where they lie, and how they are built. `python -m tests.live.tools build`.

They are built once and kept outside the repository under a name made of everything that goes into them; no test builds anything. Only
the standard library is needed here: the build needs no installed package, but Go.
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).resolve().parent / "cluster"
HELM = "v3.22.0"
PROGRAMS = ("plane", "nodes", "helm")
FLAGS = ("-buildvcs=false", "-trimpath")
BUILD_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
NICENESS = 10
KEPT_S = 14 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The built programs."""

    folder: Path

    @property
    def plane(self) -> str:
        """etcd, API server, controller manager, scheduler and kubectl."""
        return str(self.folder / "plane")

    @property
    def nodes(self) -> str:
        """Kubelets that run nothing, and the metrics APIs."""
        return str(self.folder / "nodes")

    @property
    def helm(self) -> str:
        """The judge of charts."""
        return str(self.folder / "helm")


def kubernetes_version() -> str:
    """The version of the control plane, as go.mod pins it.

    >>> kubernetes_version().startswith("v1.")
    True
    """
    found = re.search(r"k8s\.io/kubernetes (v1\.\d+\.\d+)", (MODULE / "go.mod").read_text(encoding="utf-8"))
    assert found is not None, "tests/live/cluster/go.mod pins no k8s.io/kubernetes"
    return found.group(1)


def stamps() -> Mapping[str, str]:
    """The linker flags of each program. Without them a server's version cannot be read, and helm takes every cluster for 1.20."""
    version = kubernetes_version()
    _, minor, _ = version.split(".")
    plane = {"gitVersion": version, "gitMajor": "1", "gitMinor": minor}
    helm = {"internal/version.version": HELM}
    for package in ("pkg/chartutil", "pkg/lint/rules"):
        helm |= {f"{package}.k8sVersionMajor": "1", f"{package}.k8sVersionMinor": minor}
    own = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in plane.items())
    return {
        "plane": f"-s -w {own}",
        "nodes": f"-s -w {own}",
        "helm": "-s -w " + " ".join(f"-X helm.sh/helm/v3/{k}={v}" for k, v in helm.items()),
    }


def go_program() -> str | None:
    """The Go that builds: $GO, else the one on the path or in its usual place; None without one."""
    return os.environ.get("GO") or shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


@functools.cache
def go_version() -> str | None:
    """As in `go1.26.8-linux-amd64`; None without Go."""
    go = go_program()
    if go is None:
        return None
    nowhere = {"PATH": os.environ.get("PATH", ""), **BUILD_ENVIRONMENT}  # without a home: Go counts its calls there
    told = subprocess.run([go, "version"], capture_output=True, text=True, env=nowhere, check=False)
    words = told.stdout.split()
    return f"{words[2]}-{words[3].replace('/', '-')}" if told.returncode == 0 and len(words) >= 4 else None


def go_is_enough() -> bool:
    """Whether Go is there and not older than go.mod says."""
    found = re.match(r"go(\d+)\.(\d+)", go_version() or "")
    wanted = re.search(r"^go (\d+)\.(\d+)", (MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    assert wanted is not None, "tests/live/cluster/go.mod says no Go version"
    return found is not None and tuple(map(int, found.groups())) >= tuple(map(int, wanted.groups()))


def sources_digest() -> str:
    """A digest of everything that the programs are made of, but the compiler."""
    digest = hashlib.sha256()
    files = [MODULE / "go.mod", MODULE / "go.sum", *sorted(MODULE.rglob("*.go"))]
    for file in files:
        digest.update(f"{file.relative_to(MODULE).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    digest.update(repr((HELM, FLAGS, sorted(stamps().items()), sorted(BUILD_ENVIRONMENT.items()))).encode())
    return digest.hexdigest()[:20]


def cache() -> Path:
    """Where built programs are kept: outside the repository, in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "compose-cutover" / "live-tools"


def built() -> Tools | None:
    """The programs of these sources, built by this Go, or, where there is no Go, by any; None if they are not there."""
    version = go_version()
    pattern = f"{sources_digest()}-{version or '*-' + platform.system().lower() + '-*'}"
    folders = sorted(folder for folder in cache().glob(pattern) if all((folder / name).is_file() for name in PROGRAMS))
    return Tools(folder=folders[-1]) if folders else None


def build() -> Tools:
    """Build what is not there yet: about six minutes on two cores from nothing, then nothing. SystemExit tells what is missing."""
    if not go_is_enough():
        raise SystemExit(f"live tools: a newer Go is needed than {go_version() or 'none'} (tests/live/cluster/go.mod says which)")
    cache().mkdir(parents=True, exist_ok=True)
    with _alone(cache() / "lock"):
        found = built()
        if found is None:
            os.nice(NICENESS)
            found = _built_anew(cache() / f"{sources_digest()}-{go_version()}")
        os.utime(found.folder)
        _remove_forgotten()
    return found


def _remove_forgotten() -> None:
    """Programs of other sources, a quarter of a gigabyte each, that nobody asked to build for two weeks."""
    for folder in cache().iterdir():
        if folder.is_dir() and folder.stat().st_mtime < time.time() - KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _built_anew(target: Path) -> Tools:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        staging = Path(folder) / "programs"
        staging.mkdir()
        for name in PROGRAMS:
            began = time.monotonic()
            _build_one(name, staging)
            size = (staging / name).stat().st_size / 1e6
            print(f"live tools: {name} built in {time.monotonic() - began:.0f} s ({size:.0f} MB)", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    return Tools(folder=target)


def _build_one(name: str, staging: Path) -> None:
    go = go_program()
    assert go is not None, "checked before"
    environment = {**os.environ, **BUILD_ENVIRONMENT}
    if name == "helm":
        command, where = [go, "install", *FLAGS, "-ldflags", stamps()[name], f"helm.sh/helm/v3/cmd/helm@{HELM}"], staging
        environment["GOBIN"] = str(staging)
    else:
        command, where = [go, "build", *FLAGS, "-ldflags", stamps()[name], "-o", str(staging / name), f"./{name}"], MODULE
    done = subprocess.run(command, cwd=where, env=environment, check=False)
    if done.returncode != 0:
        raise SystemExit(f"live tools: {name} could not be built: `go {command[1]}` ended with {done.returncode}")


def main(arguments: list[str]) -> int:
    """`build` builds and prints the folder; `path` prints it if it is there; `go` tells whether it could be built here."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.tools", description=main.__doc__)
    parser.add_argument("what", choices=["build", "path", "go"])
    what = parser.parse_args(arguments).what
    if what == "go":
        return 0 if go_is_enough() else 1
    found = build() if what == "build" else built()
    print(found.folder if found is not None else "live tools: not built; make live-tools")
    return 0 if found is not None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
