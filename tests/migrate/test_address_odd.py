"""Odd stacks in every mode: malformed and foreign addresses, tiny and absurd subnets, modes that exclude each other. Nothing breaks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import migrate

SUBNETS = ("172.20.0.0/24", "10.0.0.0/8", "172.20.0.0/31", "172.20.0.5/32", "fd00::/64", "fd00::/128", "0.0.0.0/0", "x", "")
ADDRESSES = (
    "172.20.0.2", "172.20.0.2", "172.20.0.1", "10.1.2.3", "fd00::5", "fd00::1", "172.20.0.300", "${X}", "${P}.4", "255.255.255.255",
    "0.0.0.0", "1.1.1.1", "192.168.1.1",
)  # fmt: skip
PLANS = (
    "",
    "addresses: {172.20.0.2: pin, 10.1.2.3: multus}\nproject: {cluster: {serviceCidr: '10.96.0.0/24,fd01::/112'}}\n",
    "services: {s0: {addresses: multus}, s1: {addresses: pin}}\nproject: {cluster: {serviceCidr: 10.96.0.0/16}}\n",
    "project: {pin: all, pinRange: own, reserved: [x, 10.96.0.0/25], clusterDns: 1.2.3.4, "
    "cluster: {podCidr: zz, serviceCidr: 10.96.0.0/16}, multus: {n: {master: e, subnet: q}}}\n",
)
RANGES = ("10.96.0.0/12", "10.96.0.0/29", "fd00:1::/112", "172.20.0.0/24")


def odd(made: random.Random) -> str:
    """The text of a stack that nobody should write."""
    one = made.choice

    def maybe(text: str, ratio: float) -> list[str]:
        return [text] if made.random() < ratio else []

    lines = ["services:"]
    for i in range(made.randint(1, 5)):
        point = [
            *maybe(f'ipv4_address: "{one(ADDRESSES)}"', 0.7), *maybe(f'ipv6_address: "{one(ADDRESSES)}"', 0.3),
            *maybe("mac_address: zz", 0.1), *maybe("interface_name: averyveryverylongname", 0.1),
            *maybe("link_local_ips: [169.254.1.1, x]", 0.1),
        ]  # fmt: skip
        networks = f"networks: {{n: {{{', '.join(point)}}}}}"
        stands = one((networks, networks, "network_mode: host", "network_mode: none", 'network_mode: "service:s0"' if i else networks))
        texts = (
            f'DNS_SERVER: "{one(ADDRESSES)}", H: "http://{one(ADDRESSES)}:80/", P: "{one(("172.20.0", "10.1"))}", W: "{one(ADDRESSES)}/24"'
        )
        keys = [f'image: "i{i}:1"', stands, *maybe(f"environment: {{{texts}}}", 0.6), *maybe("expose: [80]", 0.5)]
        if stands == networks:
            keys += maybe(f'dns: ["{one(ADDRESSES)}"]', 0.3) + maybe(
                f'extra_hosts: ["a{i}.b_c:{one(ADDRESSES)}", "x:{one(ADDRESSES)}"]', 0.3
            )
        keys += maybe(one(("deploy: {replicas: 3}", "deploy: {mode: global}", "scale: 0", "hostname: a.b.c", 'restart: "no"')), 0.2)
        keys += maybe(f'command: "ip route add default via {one(ADDRESSES)}"', 0.2)
        keys += maybe(one(('ipc: "service:s0"', 'pid: "service:s0"')), 0.2) if i else []
        lines.append(f"  s{i}: {{{', '.join(keys)}}}")
    driver = one(("bridge", "macvlan", "ipvlan", "overlay", "x"))
    option = one(("", "internal: true,", "driver_opts: {parent: eth0},"))
    first = f'{{subnet: "{one(SUBNETS)}", gateway: "{one(ADDRESSES)}", ip_range: "{one(SUBNETS)}"}}'
    lines += ["networks:", f'  n: {{driver: {driver}, {option} ipam: {{config: [{first}, {{subnet: "{one(SUBNETS)}"}}]}}}}']
    return "\n".join(lines)


@pytest.mark.parametrize("mode", ["names", "pin", "multus"])
@pytest.mark.parametrize("seed", range(4))
def test_odd_stacks_end_in_findings_and_valid_objects(tmp_path: Path, mode: Any, seed: int) -> None:
    made = random.Random(seed)
    converted = 0
    for number in range(12):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "compose.yaml").write_text(odd(made))
        (folder / "plan.yaml").write_text(f"version: 1\n{made.choice(PLANS)}")
        try:
            conversion = migrate.convert(
                "compose.yaml", directory=folder, plan=folder / "plan.yaml", addresses=mode, service_cidr=made.choice(RANGES)
            )
        except migrate.Unusable:
            continue
        converted += 1
        assert [f.message for f in conversion.verified if f.code in ("MIG930", "MIG931", "MIG932", "MIG933")] == []
    assert converted >= 6
