"""Modes pin and multus on real stacks: literal-only resolvers, BIND, unbound, routed labs; and twins by address and by name."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from tests.oracle.corpus import compose_file, leftovers

LITERAL_ONLY = (
    "006-herlesupreeth-docker_open5gs", "015-bytearch-docker-app", "048-HJF9w-docker-compose", "056-cytopia-devilbox",
    "057-cytopia-devilbox", "068-hashicorp-learn-consul-docker", "069-mailcow-mailcow-dockerized", "078-Usioumeo-dns-lab",
    "081-greedy52-teleport-database-test-setup", "096-docker-awesome-compose", "120-sk1t0n-wireguard-pihole-dnscrypt-docker",
    "151-hyperledger-indy-node", "155-kaczmar2-pihole-unbound",
)  # fmt: skip
"""Pi-hole upstreams, BIND, unbound, dnsmasq, zones, Consul, cluster meetings: places that refuse names."""
ROUTED = (
    "001-seed-labs-seed-labs", "002-seed-labs-seed-labs", "003-seed-labs-seed-labs", "004-seed-labs-seed-labs", "107-zakharb-labshock",
)  # fmt: skip
RANGE = "10.96.0.0/12"


def convert(shared: Path, case: str, **options: Any) -> migrate.Conversion:
    file = compose_file(shared / "corpus" / case)
    assert file is not None
    return migrate.convert(file.name, directory=file.parent, **options)


def codes(conversion: migrate.Conversion) -> list[str]:
    return [f.code for f in conversion.findings]


@pytest.mark.parametrize("case", LITERAL_ONLY)
def test_literal_only_places_are_pinned_and_nothing_is_refused(shared: Path, case: str) -> None:
    before = convert(shared, case)
    after = convert(shared, case, addresses="pin", service_cidr=RANGE)
    literal = [
        u
        for a in before.addresses
        for u in a.uses
        if u.action == "refused" or u.use.rule == "A7" or (u.use.place == "dns" and a.owner.service)
    ]
    assert literal != []
    pins = {m["spec"]["clusterIP"] for m in after.manifests if m["kind"] == "Service" and m["spec"].get("clusterIP", "None") != "None"}
    assert pins and all(pin.startswith("10.96.") for pin in pins)
    for address in after.addresses:
        for used in address.uses:
            if used.action == "pinned" and used.use.kind == "address":
                assert used.new in pins
    assert not {"MIG210", "MIG235", "MIG350", "MIG351", "MIG930", "MIG931", "MIG933"} & set(codes(after))
    assert leftovers(after) == []


@pytest.mark.parametrize("case", (*LITERAL_ONLY, *ROUTED))
def test_second_networks_keep_every_address_and_every_text(shared: Path, case: str) -> None:
    made = convert(shared, case, addresses="multus")
    attached = {ip.partition("/")[0] for m in made.manifests for entry in networks(m) for ip in entry.get("ips", ())}
    kept = [a for a in made.addresses if a.owner.service is not None and not a.owner.address.startswith("${")]
    assert kept and all(a.outcome == "multus" and a.owner.address in attached for a in kept)
    assert not {"MIG210", "MIG235", "MIG236", "MIG207", "MIG350", "MIG351", "MIG930", "MIG931"} & set(codes(made))
    changed = [u for a in kept for u in a.uses if u.new is not None and u.use.place != "script"]
    assert changed == []
    defined = {m["metadata"]["name"] for m in made.manifests if m["kind"] == "NetworkAttachmentDefinition"}
    assert {entry["name"] for m in made.manifests for entry in networks(m)} == defined


def networks(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    template = (manifest.get("spec") or {}).get("template") or {}
    said = (template.get("metadata") or {}).get("annotations", {}).get("k8s.v1.cni.cncf.io/networks", "[]")
    found: list[dict[str, Any]] = json.loads(said)
    return found


@pytest.mark.parametrize("case", ROUTED[:4])
def test_a_routed_lab_is_refused_by_names_and_by_pins(shared: Path, case: str) -> None:
    for options in ({}, {"addresses": "pin", "service_cidr": RANGE}):
        assert "MIG236" in codes(convert(shared, case, **options))


# twins ---------------------------------------------------------------------------------------------------------------------------


def test_open5gs_by_address_and_by_name_are_alike(shared: Path) -> None:
    """006 has every address in one .env, 171 has names alone. Alike: for every network function of both the same kind of workload and of
    Service; its own address is the pod's; every function that the one calls by name the other calls by the same name."""
    by_address, by_name = convert(shared, "006-herlesupreeth-docker_open5gs"), convert(shared, "171-Borjis131-docker-open5gs")
    both = [n for n in by_name.plan.services if n in by_address.plan.services]
    assert both == ["nrf", "ausf", "udm", "udr", "nssf", "bsf", "pcf", "amf", "smf", "upf"]
    for name in both:
        one, other = by_address.plan.services[name], by_name.plan.services[name]
        assert (one.object_name, one.kind) == (other.object_name, other.kind)
        assert one.service is not None and other.service is not None and one.service.headless == other.service.headless
        variables = {e.name: e.value for e in one.settings.env}
        assert variables[f"{name.upper()}_IP"] == "$(POD_IP)"
        files = "".join(text for (_, n), data in by_name.plan.data.items() if n.startswith(name) for text in data.text.values())
        assert "@@POD_IP@@" in files and not re.search(r"open5gs\.org", files)
        for reference in by_name.stack.references:
            if reference.caller == name and reference.callee in both:
                assert variables[f"{reference.callee.upper()}_IP"] == reference.callee
                assert re.search(rf"(://|address: ){reference.callee}\b", files)


CASES = {
    "171-Borjis131-docker-open5gs": r"(?<=[ /])({name})\.open5gs\.org",
    "211-minhhungit-mongodb-cluster-docker-compose": r"(?<=[ /,])({name})(?=:\d)",
}


@pytest.mark.parametrize("case", CASES)
def test_a_stack_by_name_and_the_same_by_address_give_the_same_objects(shared: Path, tmp_path: Path, case: str) -> None:
    """The twin of a real stack: every service gets a fixed address, and every text calls it by that. What is made differs in nothing but
    the lines that objects come from. (034, the twin of 211 by address, is not in the corpus.)"""
    shutil.copytree(shared / "corpus" / case, tmp_path / "names")
    shutil.copytree(shared / "corpus" / case, tmp_path / "addresses")
    file = compose_file(tmp_path / "names")
    assert file is not None
    twin = tmp_path / "addresses" / file.relative_to(tmp_path / "names")
    services = list(yaml.safe_load(file.read_text())["services"])
    addresses = {name: f"172.30.0.{i + 10}" for i, name in enumerate(services)}
    replaced = _call_by_address(tmp_path / "addresses", twin, addresses, CASES[case])
    assert replaced > 0 or case.startswith("211")
    one = migrate.convert(file.name, directory=file.parent, project_name="twin")
    other = migrate.convert(twin.name, directory=twin.parent, project_name="twin")
    assert sum(a.owner.service is not None for a in other.addresses) == len(services)
    assert [_placeless(m) for m in other.manifests] == [_placeless(m) for m in one.manifests]


def _call_by_address(folder: Path, compose: Path, addresses: Mapping[str, str], pattern: str) -> int:
    """Rewrite the copy of a stack; how many names became addresses."""
    count = 0
    for path in (p for p in sorted(folder.rglob("*")) if p.is_file() and p != compose and p.suffix == ".yaml"):
        text = path.read_text()
        for name, address in addresses.items():
            text, more = re.subn(pattern.format(name=re.escape(name)), address, text)
            count += more
        path.write_text(text)
    data = yaml.safe_load(compose.read_text())
    network = next(iter(data.get("networks") or {}), "default")
    for name, service in data["services"].items():
        attachment = (service.get("networks") or {network: None})[network] or {}
        service["networks"] = {network: {**attachment, "ipv4_address": addresses[name]}}
    held = (data.setdefault("networks", {}).get(network)) or {}
    data["networks"][network] = {**held, "ipam": {"config": [{"subnet": "172.30.0.0/24"}]}}
    compose.write_text(yaml.safe_dump(data, sort_keys=False))
    return count


def _placeless(value: Any) -> Any:
    """An object without the places in files that it remembers, and what follows from them."""
    if isinstance(value, Mapping):
        return {k: _placeless(v) for k, v in value.items() if k != "compose-cutover/source"}
    if isinstance(value, (list, tuple)):
        return [_placeless(v) for v in value]
    return value


MONGO = """
services:
  config1: {image: "mongo:7", command: "mongod --configsvr --replSet rs_config --port 27019", %(config1)s}
  config2: {image: "mongo:7", command: "mongod --configsvr --replSet rs_config --port 27019", %(config2)s}
  shard1: {image: "mongo:7", command: "mongod --shardsvr --replSet rs1 --port 27018", %(shard1)s}
  router: {image: "mongo:7", command: "mongos --configdb rs_config/{config1}:27019,{config2}:27019 --port 27017", %(router)s}
  setup:
    image: "mongo:7"
    command: >-
      mongosh --host {router} --eval 'sh.addShard("rs1/{shard1}:27018")'
    restart: "no"
    networks: [n]
networks:
  n: {ipam: {config: [{subnet: 172.20.0.0/24}]}}
"""


def test_a_sharded_database_by_address_and_by_name_is_the_same(tmp_path: Path) -> None:
    names = ("config1", "config2", "shard1", "router")
    octets = {name: f"172.20.0.{12 + i}" for i, name in enumerate(names)}
    made = []
    for by, said in (("name", dict(zip(names, names, strict=True))), ("address", octets)):
        text = MONGO % {n: f"networks: {{n: {{ipv4_address: {octets[n]}}}}}" for n in names}
        for name, word in said.items():
            text = text.replace(f"{{{name}}}", word)
        (tmp_path / by).mkdir()
        (tmp_path / by / "compose.yaml").write_text(text)
        made.append(migrate.convert("compose.yaml", directory=tmp_path / by, project_name="twin"))
    assert [_placeless(m) for m in made[0].manifests] == [_placeless(m) for m in made[1].manifests]
    router = next(m for m in made[1].manifests if m["metadata"]["name"] == "router" and "template" in m["spec"])
    assert "rs_config/config1:27019,config2:27019" in router["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("mode", ["pin", "multus"])
def test_every_stack_in_every_mode_gives_valid_objects_and_the_same_network(shared: Path, mode: Any) -> None:
    """No error about objects or about the network, no literal refused in mode pin, no route in mode multus, over the whole corpus."""
    refused = {"MIG350", "MIG351", "MIG930", "MIG931", "MIG932", "MIG933", "MIG210"} | ({"MIG236"} if mode == "multus" else set())
    told, converted = {}, 0
    for case in sorted(p.name for p in (shared / "corpus").iterdir() if compose_file(p) is not None):
        try:
            made = convert(shared, case, addresses=mode, service_cidr=RANGE if mode == "pin" else None)
        except migrate.Unusable:
            continue
        converted += 1
        told.update({(case, f.code, f.message): None for f in made.findings if f.code in refused and f.severity == "error"})
    assert list(told) == [] and converted >= 95
