"""What holds for every stack: renumbering changes nothing, no addresses no change, what is rewritten stays, pins are sound, modes agree."""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import migrate
from migrate.plan.pins import Wanted, assign, read_range

MORE = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

ENVIRONMENT = (
    ("PEER_HOST", "{a}"), ("API_URL", "https://u:p@{a}:8443/x?y={a}"), ("NODES", "{a}:7000,{b}:7001;{a}"), ("DNS_SERVER", "{a}"),
    ("WHITELIST_IP", "{a},127.0.0.1"), ("SUBNET", "{net}.0/24"), ("MY_IP", "{me}"), ("BIND_ADDR", "{me}:80"), ("CLUSTER", "{me},{a}"),
    ("ADVERTISE_ADDR", "{me}"), ("JSON", '{{"h": "{a}", "p": 5}}'), ("PART", "{net}"), ("OTHER", "{a}0 x{a} 1.{a} v{a}.1 {a}.example"),
    ("IMAGE", "reg/app:{a}"), ("OUTSIDE", "198.51.100.7"),
)  # fmt: skip
FILES = (
    "proxy_pass http://{a}:8080/; # was {a}\n", "# {a} is old\nserver = {a}:9000\n", "bind {me}\nreplicaof {a} 6379\n",
    "allow {a};\nset_real_ip_from {net}.0/24;\n", "nameserver {a}\n", "peers: [{a}, {b}]\nself: {me}\n", "{a}\t{b} {a}:80\n",
    "host {a} port 1\n  range {net}.10-{net}.20\n", "enode://ab@{a}:303\n/ip4/{a}/tcp/4001\n",
)  # fmt: skip
COMMANDS = ("serve --peer {a}:7 --bind {me}", "sh -c 'ping {a} && curl http://{me}:80/'", "run --seeds {a},{b} --advertise {me}")
CHECKS = ("curl -f http://{me}:80/", "nc -z {a} 8080")
PREFIXES = ("172.28.5", "10.5.0", "192.168.77", "203.0.113", "11.22.33", "10.250.255")


@dataclass(frozen=True)
class Drawn:
    """A stack without numbers: who stands where with which last octet (None: none), and texts with places for addresses."""

    octets: tuple[int | None, ...]
    environment: tuple[tuple[str, str, int, int], ...]
    files: tuple[tuple[str, int, int, int], ...]
    commands: tuple[tuple[str, int, int], ...]
    checks: tuple[tuple[str, int], ...]

    def written(self, folder: Path, prefix: str, octets: Mapping[int, int] | None = None) -> None:
        """The files of the stack with its network at `prefix`, last octets changed by `octets`."""
        number = [None if o is None else (octets or {}).get(o, o) for o in self.octets]

        def said(text: str, me: int, a: int, b: int) -> str:
            at = [f"s{i}" if n is None else f"{prefix}.{n}" for i, n in enumerate(number)]
            return text.format(me=at[me], a=at[a], b=at[b], net=prefix)

        services: dict[str, Any] = {}
        for i, n in enumerate(number):
            attachment = {} if n is None else {"ipv4_address": f"{prefix}.{n}"}
            services[f"s{i}"] = {"image": f"img{i}:1", "expose": [8080], "networks": {"n": attachment}, "environment": {}, "volumes": []}
        for owner in range(len(number)):
            mine = [e for e in self.environment if e[2] == owner]
            services[f"s{owner}"]["environment"] = {key: said(text, owner, a, owner) for key, text, _, a in mine}
        for index, (text, owner, a, b) in enumerate(self.files):
            (folder / f"conf{index}.conf").write_text(said(text, owner, a, b))
            services[f"s{owner}"]["volumes"].append(f"./conf{index}.conf:/etc/app/conf{index}.conf:ro")
        for text, owner, a in self.commands:
            services[f"s{owner}"]["command"] = said(text, owner, a, (a + 1) % len(number)).replace("$", "$$")
        for text, owner in self.checks:
            services[f"s{owner}"]["healthcheck"] = {"test": said(text, owner, (owner + 1) % len(number), owner)}
        data = {"name": "drawn", "services": services, "networks": {"n": {"ipam": {"config": [{"subnet": f"{prefix}.0/24"}]}}}}
        (folder / "compose.yaml").write_text(yaml.safe_dump(data, sort_keys=False, width=1000))


def drawn(seed: int, *, fixed: bool = True) -> Drawn:
    """A stack made of a number; `fixed` gives most services an address."""
    made = random.Random(seed)
    size = made.randint(2, 6)
    octets = made.sample(range(2, 250), size)
    pick = lambda: made.randrange(size)  # noqa: E731

    def choose(pool: tuple[Any, ...]) -> Any:
        """One of a pool; without fixed addresses none that says the service's own name: that is its address, for a listener."""
        return made.choice([one for one in pool if fixed or "{me}" not in str(one)])

    return Drawn(
        octets=tuple(o if fixed and made.random() < 0.8 else None for o in octets),
        environment=tuple((*choose(ENVIRONMENT), pick(), pick()) for _ in range(made.randint(1, 8))),
        files=tuple((choose(FILES), pick(), pick(), pick()) for _ in range(made.randint(0, 4))),
        commands=tuple((made.choice(COMMANDS), pick(), pick()) for _ in range(made.randint(0, 2) if fixed else 0)),
        checks=tuple((made.choice(CHECKS), pick()) for _ in range(made.randint(0, 1) if fixed else 0)),
    )


def convert(stack: Drawn, prefix: str, octets: Mapping[int, int] | None = None, **options: Any) -> migrate.Conversion:
    with tempfile.TemporaryDirectory() as folder:
        stack.written(Path(folder), prefix, octets)
        conversion = migrate.convert("compose.yaml", directory=folder, **options)
        assert conversion.findings is not None  # read while the files are there
        return conversion


def text_of(conversion: migrate.Conversion) -> str:
    """The objects as text, without digests of texts."""
    return re.sub(r'"compose-cutover/checksum": "\w+"', "", json.dumps(conversion.manifests))


seeds = st.integers(min_value=0, max_value=10**9)


@given(seed=seeds, pair=st.permutations(PREFIXES))
@MORE
def test_renumbering_a_subnet_changes_nothing_but_texts_that_keep_the_old_one(seed: int, pair: list[str]) -> None:
    """The objects of both numberings are the same once the old numbers that were left (access rules, ranges, comments, what no rule
    touches) are read as the new ones; where nothing was left they are the same byte for byte. Findings tell the same facts."""
    old, new = pair[:2]
    stack = drawn(seed)
    one, other = convert(stack, old), convert(stack, new)
    assert text_of(one).replace(old, new) == text_of(other)
    if old not in text_of(one):
        assert one.manifests == other.manifests
    told = [[(f.code, f.severity, f.action, f.service, f.path) for f in c.findings if f.code != "MIG232"] for c in (one, other)]
    assert sorted(told[0], key=str) == sorted(told[1], key=str)


@given(seed=seeds, shift=st.integers(min_value=1, max_value=200))
@MORE
def test_other_last_octets_change_nothing_either(seed: int, shift: int) -> None:
    stack = drawn(seed)
    stack = replace(  # without texts that make other numbers of the same digits
        stack,
        files=tuple(f for f in stack.files if "range" not in f[0]),
        environment=tuple(e for e in stack.environment if "{a}0" not in e[1]),
    )
    octets = {o: 2 + (o - 2 + shift) % 248 for o in stack.octets if o is not None}
    one, other = convert(stack, "172.28.5"), convert(stack, "172.28.5", octets)
    if not any(u.action in ("left", "refused") for a in one.addresses for u in a.uses) and "172.28.5" not in text_of(one):
        assert one.manifests == other.manifests
    outcomes = [
        [(a.owner.service, a.outcome, [(u.use.rule, u.action, u.use.letter) for u in a.uses]) for a in c.addresses] for c in (one, other)
    ]
    assert sorted(outcomes[0], key=str) == sorted(outcomes[1], key=str)


@given(seed=seeds)
@MORE
def test_a_stack_without_fixed_addresses_is_untouched(seed: int) -> None:
    """By the engine of addresses: every text of such a stack is after it what it was before, whatever addresses it mentions."""
    conversion = convert(drawn(seed, fixed=False), "172.28.5")
    for name, service in conversion.project.services.items():
        after = conversion.plan.addressing.services[name]
        assert dict(after.environment) == {k: v.value for k, v in service.environment.items()}
        assert not after.needs_pod_ip and not after.needs_host_ip and not after.host_aliases and after.nameservers is None
        assert not any(f.changed for f in after.files.values())
    assert all(a.owner.service is None for a in conversion.addresses)
    assert conversion.plan.addressing.rendered == frozenset() and conversion.plan.networks == ()


@given(seed=seeds, mode=st.sampled_from(["names", "pin"]))
@MORE
def test_what_is_rewritten_has_nothing_more_to_rewrite(seed: int, mode: str) -> None:
    """The stack whose texts are the rewritten ones: no use of an address in them is rewritten again."""
    options: dict[str, Any] = {"addresses": mode, "service_cidr": "10.96.0.0/12"} if mode == "pin" else {}
    stack = drawn(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stack.written(folder, "172.28.5")
        first = migrate.convert("compose.yaml", directory=folder, **options)
        data = yaml.safe_load((folder / "compose.yaml").read_text())
        for service, after in first.plan.addressing.services.items():
            data["services"][service]["environment"] = {k: (v or "").replace("$", "$$") for k, v in after.environment.items()}
            if after.command is not None:
                data["services"][service]["command"] = [w.replace("$", "$$") for w in after.command]
            if after.healthcheck is not None:
                data["services"][service]["healthcheck"] = {"test": [w.replace("$", "$$") for w in after.healthcheck]}
            for path, file in after.files.items():
                Path(path).write_text(file.text)
        (folder / "compose.yaml").write_text(yaml.safe_dump(data, sort_keys=False, width=1000))
        second = migrate.convert("compose.yaml", directory=folder, **options)
        again = [
            (u.use.token, u.use.place, u.use.key, u.action, u.new)
            for a in second.addresses
            for u in a.uses
            if u.new not in (None, u.use.token)
        ]
        assert again == []
        for service, after in first.plan.addressing.services.items():
            assert {p: f.text for p, f in second.plan.addressing.services[service].files.items()} == {
                p: f.text for p, f in after.files.items()
            }


@given(seed=seeds)
@MORE
def test_second_networks_leave_every_text_byte_for_byte(seed: int) -> None:
    conversion = convert(drawn(seed), "172.28.5", addresses="multus")
    fixed = {s for s, service in conversion.project.services.items() if service.networks["n"].ipv4_address}
    for name in conversion.project.services:
        after = conversion.plan.addressing.services[name]
        uses = [u for a in conversion.addresses for u in a.uses if u.use.service == name and u.new is not None]
        assert uses == [] or all(u.use.kind == "name" for u in uses)
        assert not after.needs_host_ip
    assert {a.owner.service for a in conversion.addresses if a.outcome == "multus"} == fixed


@pytest.mark.parametrize(
    "options", [{}, {"addresses": "pin", "service_cidr": "10.96.0.0/12"}, {"addresses": "multus"}], ids=["names", "pin", "multus"]
)
@given(seed=seeds)
@MORE
def test_the_new_network_gives_what_the_old_one_gave(options: Mapping[str, Any], seed: int) -> None:
    conversion = convert(drawn(seed), "172.28.5", **options)
    assert [f.message for f in conversion.verified if f.severity == "error"] == []


# pins ----------------------------------------------------------------------------------------------------------------------------

address = st.integers(min_value=0, max_value=2**32 - 1).map(lambda n: str(ip_address(n)))
wanted = st.lists(st.tuples(st.integers(min_value=0, max_value=2), address), min_size=1, max_size=60)
ranges = st.sampled_from(["10.96.0.0/12", "10.96.0.0/24", "10.43.0.0/27", "172.20.0.0/16", "10.96.0.0/29"])


@given(
    said=wanted,
    within=ranges,
    reserved=st.lists(st.sampled_from(["10.96.0.5", "10.96.0.16/28", "10.43.0.2"]), max_size=2),
    order=st.randoms(),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_pins_are_inside_free_and_the_same_in_any_order(
    said: list[tuple[int, str]], within: str, reserved: list[str], order: random.Random
) -> None:
    asked = [Wanted(who=f"s{i}", network=network, address=old) for i, (network, old) in enumerate(said)]
    found = assign(asked, read_range(within), reserved)
    pool = ip_network(within)
    taken = [ip_address(p.address) for p in found.pins.values()]
    assert len(set(taken)) == len(taken) and all(a in pool for a in taken)
    forbidden = {pool[0], pool[1], pool[-1], *([pool[10]] if pool.num_addresses > 10 else [])}
    assert not forbidden & set(taken) and not any(a in ip_network(r) for a in taken for r in reserved)
    assert len(found.pins) + len(found.missing) == len(asked)
    if found.missing:
        kept = {a for r in reserved for a in ip_network(r) if a in pool}
        assert len(taken) == pool.num_addresses - len(forbidden | kept)
    shuffled = list(asked)
    order.shuffle(shuffled)
    assert assign(shuffled, read_range(within), reserved).pins == found.pins
