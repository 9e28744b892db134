"""Stacks put together by a seed from the places of address_kinds.yaml: several services and networks, files and lines of many programs.

The same seed gives the same stack. A service refers only to those it shares a network with, as in a stack that works.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import yaml

_KINDS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("address_kinds.yaml").read_text(encoding="utf-8"))
_FILES = [case for case in _KINDS if "file" in case]
_LINES = [case for case in _KINDS if "line" in case]
_NETS = ("172.28.%d", "10.%d.3", "192.168.%d", "172.16.%d", "203.0.%d", "10.96.%d")
_NAMES = ("web", "db", "my_app", "Cache", "api.core.lan", "node", "x1")
_IMAGES = ("nginx:1", "redis:7", "mysql:8", "bind9:1", "x/y:2", "keepalived:1", "kafka:3", "pihole/pihole:1")
_ADDRESS = re.compile(r"172\.28\.0\.\d+(?!/)")


def made(seed: int, folder: Path) -> None:
    """Write compose.yaml and the files beside it into `folder`."""
    rng = random.Random(seed)
    nets = [rng.choice(_NETS) % rng.randint(0, 200) for _ in range(rng.randint(1, 3))]
    names = [f"{rng.choice(_NAMES)}{i}" for i in range(rng.randint(3, 9))]
    addresses = {
        name: [
            (k, f"{nets[k]}.{rng.choice((i + 2, i + 10, i + 100, i + 200))}")
            for k in rng.sample(range(len(nets)), rng.randint(1, len(nets)))
        ]
        for i, name in enumerate(names)
    }
    joined = {name for name in names[1:] if rng.random() < 0.15}
    services = {name: _service(rng, name, names, addresses, joined, nets, folder) for name in names}
    networks: dict[str, Any] = {f"n{k}": {"ipam": {"config": [{"subnet": f"{net}.0/24"}]}} for k, net in enumerate(nets)}
    if rng.random() < 0.3:
        networks["n0"]["internal"] = True
    if rng.random() < 0.2:
        networks[f"n{len(nets) - 1}"].update({"driver": "macvlan", "driver_opts": {"parent": "eth0"}})
    text = yaml.safe_dump({"services": services, "networks": networks}, sort_keys=False)
    (folder / "compose.yaml").write_text(text, encoding="utf-8")


def _service(
    rng: random.Random,
    name: str,
    names: list[str],
    addresses: dict[str, list[tuple[int, str]]],
    joined: set[str],
    nets: list[str],
    folder: Path,
) -> dict[str, Any]:
    here = {k for k, _ in addresses[name]}
    peers = [a for other in names if other not in joined for k, a in addresses[other] if k in here]
    if name in joined or not peers:
        peers = [addresses[name][0][1]]

    def renumbered(text: str) -> str:
        own = {"172.28.0.10": addresses[name][0][1], "172.28.0.1": f"{nets[0]}.1"}
        return _ADDRESS.sub(lambda m: own.get(m[0]) or rng.choice(peers), text)

    service: dict[str, Any] = {"image": rng.choice(_IMAGES)}
    if name in joined:
        service["network_mode"] = f"service:{names[0]}"
    else:
        service["networks"] = {f"n{k}": {"ipv4_address": a} for k, a in addresses[name]}
        if rng.random() < 0.2:
            next(iter(service["networks"].values()))["aliases"] = [rng.choice(("al_ias", "a.b.c", "short"))]
        if rng.random() < 0.3:
            service["hostname"] = rng.choice(("h1", "h.x", "H_2"))
        if rng.random() < 0.3:
            service["ports"] = [f"{8000 + names.index(name)}:{rng.choice((80, 6379, 53))}"]
    for case in rng.sample(_FILES, rng.randint(0, 3)):
        path = folder / name / Path(case["file"]).name
        path.parent.mkdir(exist_ok=True)
        path.write_text(renumbered(case["text"]), encoding="utf-8")
        service.setdefault("volumes", []).append(f"./{name}/{path.name}:{case['file']}{rng.choice((':ro', ''))}")
    for case in rng.sample(_LINES, rng.randint(0, 3)):
        said = yaml.safe_load(renumbered(case["line"]))
        service.update({k: v for k, v in said.items() if name not in joined or k not in ("ports", "extra_hosts", "dns")})
    return service
