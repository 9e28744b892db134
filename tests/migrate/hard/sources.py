"""Where the twelve stacks come from, and their conversions in the three modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import migrate
from migrate import Conversion
from tests.migrate.hard.models import MODELS

CIDR = "10.96.0.0/12"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A stack of the corpus (`folder`: how its folder begins) or a model (`folder` empty)."""

    folder: str = ""
    below: str = ""
    files: tuple[str, ...] = ("compose.yaml",)
    options: Mapping[str, Any] = field(default_factory=dict)


SOURCES: dict[str, Source] = {
    "006": Source(folder="006-", files=("sa-vonr-deploy.yaml",)),
    "010": Source(
        folder="010-",
        below="hadoop-ozone/dist/src/main/compose/ozonesecure-ha",
        files=("docker-compose.yaml",),
        options={
            "environment": {
                "OZONE_TESTKRB5_IMAGE": "kdc:1",
                "HADOOP_IMAGE": "hadoop",
                "HADOOP_VERSION": "3",
                "OZONE_RUNNER_IMAGE": "runner",
            }
        },
    ),
    "022": Source(folder="022-", files=("docker-compose.yml",)),
    "036": Source(
        folder="036-",
        below="docker/my-dojo",
        files=("docker-compose.yaml", *(f"overrides/{n}.install.yaml" for n in ("bitcoind", "explorer", "indexer", "whirlpool"))),
    ),
    "036 scripts": Source(),
    "056": Source(folder="056-", files=("docker-compose.yml",), options={"env_files": ["env-example"]}),
    "060": Source(folder="060-", files=("docker/docker-compose.yaml",), options={"project_directory": "."}),
    "061": Source(
        folder="061-",
        files=tuple(f"docker/compose{n}.yaml" for n in ("", ".test", ".integration-tests")),
        options={"env_files": ["docker/defaults.env", "docker/host-dist.env", "docker/test.env"]},
    ),
    "062": Source(),
    "065": Source(),
    "069": Source(folder="069-", files=("docker-compose.yml",)),
    "069 code": Source(),
    "086": Source(),
    "093": Source(),
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """One stack converted; each mode when it is asked for."""

    name: str
    directory: Path

    @classmethod
    def of(cls, name: str, corpus: Path, scratch: Path) -> Made:
        """The stack `name` in its folder; a model is written to `scratch`."""
        source = SOURCES[name]
        if source.folder:
            folder = next(p for p in sorted(corpus.iterdir()) if p.name.startswith(source.folder))
            return cls(name=name, directory=folder / source.below)
        for file, text in MODELS[name].items():
            (scratch / file).parent.mkdir(parents=True, exist_ok=True)
            (scratch / file).write_text(text, encoding="utf-8")
        return cls(name=name, directory=scratch)

    @cached_property
    def names(self) -> Conversion:
        """Mode names."""
        return self._in()

    @cached_property
    def pin(self) -> Conversion:
        """Mode pin, in 10.96.0.0/12."""
        return self._in(addresses="pin", service_cidr=CIDR)

    @cached_property
    def multus(self) -> Conversion:
        """Mode multus."""
        return self._in(addresses="multus")

    def merged(self, *files: str) -> Conversion:
        """Mode names with further files on top."""
        return self._in(more=files)

    def _in(self, more: tuple[str, ...] = (), **mode: Any) -> Conversion:
        source = SOURCES[self.name]
        return migrate.convert([*source.files, *more], directory=self.directory, **source.options, **mode)


def objects(conversion: Conversion, kind: str) -> dict[str, dict[str, Any]]:
    """The objects of one kind by name."""
    return {m["metadata"]["name"]: m for m in conversion.manifests if m["kind"] == kind}


def workloads(conversion: Conversion) -> dict[str, dict[str, Any]]:
    """Deployments and StatefulSets by name: their pod specs."""
    found = {**objects(conversion, "Deployment"), **objects(conversion, "StatefulSet"), **objects(conversion, "DaemonSet")}
    return {name: m["spec"]["template"]["spec"] for name, m in found.items()}


def env(conversion: Conversion, name: str) -> dict[str, str]:
    """The literal variables of a workload's first container."""
    return {e["name"]: e["value"] for e in workloads(conversion)[name]["containers"][0].get("env", ()) if "value" in e}


def command(conversion: Conversion, name: str, container: str | None = None) -> str:
    """Command and arguments of a container as one text."""
    found = next(c for c in workloads(conversion)[name]["containers"] if container in (None, c["name"]))
    return " ".join((*found.get("command", ()), *found.get("args", ())))


def pinned(conversion: Conversion) -> dict[str, str]:
    """Service -> its fixed address."""
    services = objects(conversion, "Service")
    return {n: str(m["spec"]["clusterIP"]) for n, m in services.items() if m["spec"].get("clusterIP") not in (None, "None")}


def ports(conversion: Conversion, name: str) -> set[tuple[int, str]]:
    """(port, protocol) of a Service."""
    return {(p["port"], p.get("protocol", "TCP")) for p in objects(conversion, "Service")[name]["spec"].get("ports", ())}


def told(conversion: Conversion, code: str, *words: str) -> bool:
    """Whether some finding of the code says all the words, in its message or its place."""
    return any(f.code == code and all(w in f"{f.message} {f.span} {f.advice}" for w in words) for f in conversion.findings)


def carried(conversion: Conversion) -> str:
    """All files that ConfigMaps carry, as one text."""
    return "\n".join(text for m in objects(conversion, "ConfigMap").values() for text in (m.get("data") or {}).values())
