"""The old network against the new: what is lost, what is new, on manifests alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import migrate
from migrate.verify.network import equivalence
from migrate.verify.pairs import Sides
from migrate.verify.reach import World

_TEXT = """
services:
  web: {image: "w:1", ports: ["8080:80"], environment: {DB: "http://172.28.0.20:5432", API_HOST: "my_api:81"}, networks: [front, back]}
  db: {image: "d:1", networks: {back: {ipv4_address: 172.28.0.20}}}
  my_api: {image: "a:1", networks: [front]}
  waits: {image: "i:1", depends_on: {db: {condition: service_healthy}}, networks: [back]}
networks:
  front: {}
  back: {ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""


@pytest.fixture(scope="module")
def conversion(tmp_path_factory: pytest.TempPathFactory) -> migrate.Conversion:
    folder: Path = tmp_path_factory.mktemp("stack")
    (folder / "compose.yaml").write_text(dedent(_TEXT))
    return migrate.convert("compose.yaml", directory=folder)


def _told(conversion: migrate.Conversion, change: Callable[[list[dict[str, Any]]], Any]) -> list[tuple[str, str]]:
    manifests = copy.deepcopy(list(conversion.manifests))
    change(manifests)
    found = equivalence(conversion.stack, conversion.plan.addressing, manifests, conversion.plan.answers)
    return [(f.code, f.message) for f in found if f.code in ("MIG350", "MIG351")]


def _named(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)


def test_what_convert_writes_is_equivalent(conversion: migrate.Conversion) -> None:
    assert _told(conversion, lambda manifests: None) == []


def test_a_service_that_is_gone(conversion: migrate.Conversion) -> None:
    told = _told(conversion, lambda m: m.remove(_named(m, "Service", "my-api")))
    assert told == [("MIG350", "web no longer reaches my_api: no Service answers the name my-api")]


def test_a_port_that_is_gone(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "Service", "db")["spec"]["ports"] = [{"name": "x", "port": 1, "targetPort": 1}]

    assert _told(conversion, change) == [("MIG350", "web no longer reaches db: the Service db has no port 5432")]


def test_a_selector_that_selects_another(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "Service", "db")["spec"]["selector"] = _named(manifests, "Service", "web")["spec"]["selector"]

    assert ("MIG350", "web no longer reaches db: the Service db selects no pod of db") in _told(conversion, change)


def test_a_published_port_that_is_gone(conversion: migrate.Conversion) -> None:
    told = _told(conversion, lambda m: m.remove(_named(m, "Service", "web-published")))
    assert told == [("MIG350", "outside no longer reaches web at 8080: nothing exposes its port 80")]


def test_a_policy_that_separates(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "NetworkPolicy", "net-back")["spec"]["ingress"] = []

    assert any(code == "MIG350" and "web" in message and "db" in message for code, message in _told(conversion, change))


def test_without_policies_the_networks_flow_together(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        manifests[:] = [m for m in manifests if m["kind"] != "NetworkPolicy"]

    told = _told(conversion, change)
    assert any(code == "MIG351" and "db" in message and "my_api" in message for code, message in told)


def test_a_wait_for_a_name_that_nobody_has(conversion: migrate.Conversion) -> None:
    told = _told(conversion, lambda m: m.remove(_named(m, "Service", "db-ready")))
    assert told == [("MIG350", "waits waits for the name db-ready, which no pod answers")]


# what the plan decided -----------------------------------------------------------------------------------------------------------


def converted(folder: Path, text: str, plan: str = "", **options: Any) -> migrate.Conversion:
    (folder / "compose.yaml").write_text(dedent(text))
    if plan:
        (folder / "plan.yaml").write_text("version: 1\n" + plan)
        options["plan"] = folder / "plan.yaml"
    return migrate.convert("compose.yaml", directory=folder, **options)


def nothing(manifests: list[dict[str, Any]]) -> None:
    """Change nothing."""


@pytest.mark.parametrize(
    "plan", ["services: {web: {exposure: clusterip}}\n", "project: {exposure: clusterip}\n", "project: {exposure: nodeport}\n"]
)
def test_a_port_that_the_plan_closed_or_moved_is_no_loss(tmp_path: Path, plan: str) -> None:
    assert _told(converted(tmp_path, _TEXT, plan), nothing) == []


def test_a_data_store_that_the_plan_opens_must_be_open(tmp_path: Path) -> None:
    text = 'services:\n  db: {image: "postgres:16", ports: ["5432:5432"]}\n'
    assert _told(converted(tmp_path, text), nothing) == []
    opened = converted(tmp_path, text, "services: {db: {exposure: loadbalancer}}\n")
    assert _told(opened, nothing) == []
    told = _told(opened, lambda m: m.remove(_named(m, "Service", "db-published")))
    assert told == [("MIG350", "outside no longer reaches db at 5432: nothing exposes its port 5432")]


def test_a_port_that_nobody_published_is_new(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "Service", "web-published")["spec"]["ports"].append({"name": "x", "port": 9, "targetPort": 9})

    assert _told(conversion, change) == [("MIG351", "outside can now reach web: port 9 was not published")]


# members of one pod (G1 to G4) ---------------------------------------------------------------------------------------------------

_MATES = """
services:
  db: {image: "postgres:16", networks: {n: {ipv4_address: 172.28.0.5}}}
  app: {image: "a:1", %s environment: {DB: "postgres://172.28.0.5:5432/x", DB_ADDR: 172.28.0.5}, networks: {n: {ipv4_address: 172.28.0.6}}}
  peer: {image: "p:1", environment: {APP: "http://172.28.0.6:80"}, networks: [n]}
networks:
  n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""


@pytest.mark.parametrize(
    ("more", "plan"),
    [('ipc: "service:db",', ""), ('pid: "service:db",', ""), ("", "services: {app: {group: db}}\n")],
    ids=["G2 ipc", "G2 pid", "G3"],
)
def test_addresses_of_pod_mates_are_own_addresses(tmp_path: Path, more: str, plan: str) -> None:
    made = converted(tmp_path, _MATES % more, plan)
    uses = {u.use.key: (u.use.own, u.use.rule, u.new) for a in made.addresses for u in a.uses if u.use.service == "app"}
    assert uses == {"DB": (True, "A5", "$(POD_IP)"), "DB_ADDR": (True, "A6b", "$(POD_IP)")}
    assert _told(made, nothing) == []


def test_an_own_address_in_the_place_of_a_peer_is_a_loss(tmp_path: Path) -> None:
    """The texts of pod mates under the objects of separate pods: what `$(POD_IP)` says is then another's."""
    mates, apart = converted(tmp_path, _MATES % 'ipc: "service:db",'), converted(tmp_path, _MATES % "")
    found = equivalence(apart.stack, mates.plan.addressing, apart.manifests)
    assert {f.message for f in found if f.code == "MIG350"} == {"app no longer reaches db: $(POD_IP) is the pod of app itself"}


def test_a_pod_joins_the_networks_of_its_members(tmp_path: Path) -> None:
    text = """
    services:
      a: {image: "a:1", networks: [front]}
      b: {image: "b:1", ipc: "service:a", networks: [back]}
      c: {image: "c:1", networks: [back]}
    networks: {front: {}, back: {}}
    """
    assert _told(converted(tmp_path, text), nothing) == [
        ("MIG351", "c can now reach a: they had no network in common"),
        ("MIG351", "a can now reach c: they had no network in common"),
    ]


# literals: pins, hosts files, second networks --------------------------------------------------------------------------------------

_LITERAL = """
services:
  dns: {image: "d:1", expose: ["53/udp"], networks: {n: {ipv4_address: 172.28.0.53}}}
  om.one.org: {image: "o:1", expose: [80], networks: [n]}
  app: {image: "a:1", dns: [172.28.0.53], environment: {DNS: 172.28.0.53, OM: "http://om.one.org:80", P: "172.28.0"}, networks: [n]}
networks:
  n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""


def test_a_pin_that_the_service_does_not_have(tmp_path: Path) -> None:
    made = converted(tmp_path, _LITERAL, addresses="pin", service_cidr="10.96.0.0/12")
    assert _told(made, nothing) == []

    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "Service", "dns")["spec"]["clusterIP"] = "10.96.0.99"

    told = _told(made, change)
    assert set(told) == {("MIG350", "app no longer reaches dns: no Service has the address 10.96.0.53")} and len(told) == 3


def test_a_pin_that_another_service_has(tmp_path: Path) -> None:
    text = _LITERAL.replace("networks: [n]}\n  app", "networks: {n: {ipv4_address: 172.28.0.54}}}\n  app")
    made = converted(tmp_path, text, "project: {pin: all}\n", addresses="pin", service_cidr="10.96.0.0/12")

    def change(manifests: list[dict[str, Any]]) -> None:
        dns, om = _named(manifests, "Service", "dns")["spec"], _named(manifests, "Service", "om-one-org")["spec"]
        dns["clusterIP"], om["clusterIP"] = om["clusterIP"], dns["clusterIP"]

    told = _told(made, change)
    assert ("MIG350", "app no longer reaches dns: the Service om-one-org selects no pod of dns") in told
    assert ("MIG350", "app no longer reaches om.one.org: the Service dns selects no pod of om.one.org") in told


def test_a_hosts_file_that_is_gone(tmp_path: Path) -> None:
    text = _LITERAL.replace("networks: [n]}\n  app", "networks: {n: {ipv4_address: 172.28.0.54}}}\n  app")
    made = converted(tmp_path, text, addresses="pin", service_cidr="10.96.0.0/12")
    assert _told(made, nothing) == []
    told = _told(made, lambda m: _named(m, "Deployment", "app")["spec"]["template"]["spec"].pop("hostAliases"))
    assert [t for t in told if "om.one.org" in t[1]] != []


_LAB = """
services:
  host: {image: "h:1", environment: {S: "http://10.9.1.5:80"}, networks: {a: {ipv4_address: 10.9.0.5}}}
  router: {image: "r:1", networks: {a: {ipv4_address: 10.9.0.11}, b: {ipv4_address: 10.9.1.11}}}
  server: {image: "s:1", networks: {b: {ipv4_address: 10.9.1.5}}}
networks:
  a: {ipam: {config: [{subnet: 10.9.0.0/24}]}}
  b: {ipam: {config: [{subnet: 10.9.1.0/24}]}}
"""


def test_a_routed_lab_needs_its_router(tmp_path: Path) -> None:
    made = converted(tmp_path, _LAB, addresses="multus")
    assert _told(made, nothing) == []
    key = "k8s.v1.cni.cncf.io/networks"

    def cut(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "Deployment", "router")["spec"]["template"]["metadata"]["annotations"].pop(key)

    def undefined(manifests: list[dict[str, Any]]) -> None:
        manifests.remove(_named(manifests, "NetworkAttachmentDefinition", "b"))

    def swapped(manifests: list[dict[str, Any]]) -> None:
        pods = [_named(manifests, "Deployment", n)["spec"]["template"]["metadata"]["annotations"] for n in ("router", "server")]
        pods[0][key], pods[1][key] = pods[1][key], pods[0][key]

    assert _told(made, cut) == [("MIG350", "host no longer reaches server: no second network leads to the address 10.9.1.5")]
    assert _told(made, undefined) == [("MIG350", "host no longer reaches server: no Service has the address 10.9.1.5")]
    assert ("MIG350", "host no longer reaches server: the address 10.9.1.5 on a second network is that of another pod") in _told(
        made, swapped
    )


def test_a_lab_by_names_loses_what_went_through_its_router(tmp_path: Path) -> None:
    assert _told(converted(tmp_path, _LAB), nothing) == [
        ("MIG350", "host no longer reaches server: NetworkPolicies do not let host in at 80")
    ]


def test_what_never_was_possible_is_no_loss(tmp_path: Path) -> None:
    apart = _LAB.replace('  router: {image: "r:1", networks: {a: {ipv4_address: 10.9.0.11}, b: {ipv4_address: 10.9.1.11}}}\n', "")
    assert _told(converted(tmp_path, apart), nothing) == []


# policies ------------------------------------------------------------------------------------------------------------------------


def test_pairs_with_the_same_other_ends_are_one_finding(tmp_path: Path) -> None:
    text = """
    services:
      a1: {image: "a:1", networks: [a]}
      a2: {image: "a:1", networks: [a]}
      b1: {image: "b:1", networks: [b]}
      b2: {image: "b:1", networks: [b]}
      n: {image: "n:1", network_mode: none}
    networks: {a: {}, b: {}}
    """
    made = converted(tmp_path, text, "project: {networkPolicies: none}\n")
    assert _told(made, nothing) == [
        ("MIG351", "b1, b2, n can now reach a1, a2: they had no network in common"),
        ("MIG351", "a1, a2, n can now reach b1, b2: they had no network in common"),
        ("MIG351", "a1, a2, b1, b2 can now reach n: they had no network in common"),
    ]
    found = equivalence(made.stack, made.plan.addressing, made.manifests, made.plan.answers)
    assert {f.severity for f in found if f.code == "MIG351"} == {"warning"}


def test_a_namespace_selector_means_pods_of_that_namespace(tmp_path: Path) -> None:
    """P7: the plan lets another namespace in; nobody of the stack comes in by that."""
    text = """
    services:
      a: {image: "a:1", networks: [ext]}
      b: {image: "b:1", networks: [own]}
    networks: {ext: {external: true}, own: {}}
    """
    assert _told(converted(tmp_path, text, "project: {externalPeers: {ext: [other]}}\n"), nothing) == []


def test_a_policy_that_lets_a_caller_out_nowhere(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        policy = copy.deepcopy(_named(manifests, "NetworkPolicy", "net-back"))
        policy["metadata"]["name"] = "no-way-out"
        selector = _named(manifests, "Deployment", "web")["spec"]["selector"]
        policy["spec"] = {"podSelector": selector, "policyTypes": ["Egress"], "egress": []}
        manifests.append(policy)

    told = _told(conversion, change)
    assert ("MIG350", "web no longer reaches db: NetworkPolicies do not let web in at 5432") in told
    assert ("MIG350", "web no longer reaches db, my_api, waits: NetworkPolicies separate what one network joined") in told


def test_thousands_of_kinds_of_services_are_compared_pair_by_pair() -> None:
    """2,000 services, each with a network of its own: no pair is left out, and one policy too few is seen."""
    names = tuple(f"s{i}" for i in range(2000))
    objects: list[dict[str, Any]] = []
    for name in names:
        selector = {"matchLabels": {f"net-{name}": "member"}}
        template = {"metadata": {"labels": selector["matchLabels"]}, "spec": {}}
        objects.append({"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}})
        if name != "s7":
            spec = {"podSelector": selector, "ingress": [{"from": [{"podSelector": selector}]}]}
            objects.append({"kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec})
    sides = Sides(
        world=World.of(objects), services=names, pods={n: i for i, n in enumerate(names)}, networks={n: frozenset((n,)) for n in names},
        modes=dict.fromkeys(names),
    )  # fmt: skip
    (difference,) = sides.differences()
    assert (difference.lost, difference.callees) == (False, ("s7",))
    assert difference.callers == tuple(n for n in names if n != "s7")
