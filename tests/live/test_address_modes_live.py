"""Modes pin and multus against a real API server: pins are given, old subnets become ranges, second networks are taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import migrate
from migrate import live
from migrate.write import dump_stream
from tests.live import machine
from tests.live.cluster import Cluster, Space, lifeline, until
from tests.live.conftest import FOREIGN, spaces
from tests.live.tools import Tools

STACK = """
services:
  cloudflared: {image: "cloudflared:1", expose: ["5054/udp"], networks: {n: {ipv4_address: %(net)s.77}}}
  pihole: {image: "pihole:1", environment: {PIHOLE_DNS_: "%(net)s.77#5054"}, networks: {n: {ipv4_address: %(net)s.78}}}
  app: {image: "app:1", dns: [%(net)s.78], networks: [n]}
networks:
  n: {ipam: {config: [{subnet: %(net)s.0/24}]}}
"""
PORTS = STACK.replace('image: "pihole:1",', 'image: "pihole:1", expose: ["53/udp"],')
RANGE = "10.96.0.0/16"  # that of the control plane


def converted(folder: Path, space: Space, net: str, **options: Any) -> migrate.Conversion:
    (folder / "compose.yaml").write_text(PORTS % {"net": net})
    return migrate.convert("compose.yaml", directory=folder, namespace=space.name, **options)


def address(space: Space, name: str) -> str:
    found: str = space.get("v1/services", name)["spec"]["clusterIP"]
    return found


def test_the_server_gives_pinned_addresses_and_gives_them_again(tmp_path: Path, space: Space) -> None:
    made = converted(tmp_path, space, "172.20.0", addresses="pin", service_cidr=RANGE)
    for _ in range(2):
        space.apply(*made.manifests)
        assert (address(space, "cloudflared"), address(space, "pihole")) == ("10.96.0.77", "10.96.0.78")


@pytest.fixture
def apart(tools: Tools, tmp_path: Path) -> Iterator[Space]:
    """A namespace in a control plane of its own: while the ranges of Services change, the server gives no address to anybody."""
    if os.environ.get(FOREIGN):
        pytest.skip("somebody else's cluster: its ranges of Services stay as they are")
    running = machine.start(tools)
    try:
        address = running.address
        own = Cluster(
            tools=tools,
            server=live.connect(address.kubeconfig),
            kubeconfig=address.kubeconfig,
            folder=tmp_path,
            lifeline=lifeline(),
            address=address,
        )
        yield from spaces(own)
    finally:
        running.stop()


@pytest.mark.played
def test_old_subnets_become_ranges_and_keep_the_very_addresses(tmp_path: Path, apart: Space) -> None:
    space, cluster = apart, apart.cluster
    (tmp_path / "plan.yaml").write_text("version: 1\nproject: {pinRange: own}\n")
    made = converted(tmp_path, space, "172.31.9", addresses="pin", service_cidr=RANGE, plan=tmp_path / "plan.yaml")
    (cidr,) = [m for m in made.manifests if m["kind"] == "ServiceCIDR"]
    try:
        space.apply(cidr)
        path = f"/apis/networking.k8s.io/v1/servicecidrs/{cidr['metadata']['name']}"

        def is_ready() -> bool:
            conditions = cluster.get(path).get("status", {}).get("conditions", ())
            return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

        until(is_ready, "the range of Services")
        everything = space.file(dump_stream(made.manifests))
        until(lambda: space.kubectl("apply", "-f", everything).code == 0, "the objects")  # the allocator hears of a range after a moment
        assert (address(space, "cloudflared"), address(space, "pihole")) == ("172.31.9.77", "172.31.9.78")
    finally:
        for name in ("cloudflared", "pihole"):
            space.kubectl("delete", "service", name)
        cluster.kubectl("delete", "servicecidr", cidr["metadata"]["name"], "--wait=false")


DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "network-attachment-definitions.k8s.cni.cncf.io"},
    "spec": {
        "group": "k8s.cni.cncf.io",
        "scope": "Namespaced",
        "names": {
            "plural": "network-attachment-definitions",
            "singular": "network-attachment-definition",
            "kind": "NetworkAttachmentDefinition",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "properties": {"config": {"type": "string"}}}},
                    }
                },
            }
        ],
    },
}


def test_second_networks_are_taken_where_the_kind_is_known(tmp_path: Path, cluster: Cluster, space: Space) -> None:
    made = converted(tmp_path, space, "172.20.0", addresses="multus")
    path = "/apis/k8s.cni.cncf.io/v1/namespaces/" + space.name + "/network-attachment-definitions"
    try:
        space.apply(DEFINITION)
        until(lambda: cluster.ask("GET", path).accepted, "the kind of second networks")
        done = space.kubectl("apply", "-f", space.file(dump_stream(made.manifests)))
        assert done.code == 0, done.err
        assert [d["metadata"]["name"] for d in cluster.get(path)["items"]] == ["n"]
        until(lambda: len(space.items("v1/pods")) == 3, "the pods")
        said = {p["metadata"]["labels"]["app.kubernetes.io/name"]: p for p in space.items("v1/pods")}
        assert all("k8s.v1.cni.cncf.io/networks" in p["metadata"]["annotations"] for p in said.values())
        until(lambda: all(p["spec"].get("nodeName") for p in space.items("v1/pods")), "a node for every pod")
        assert len({p["spec"]["nodeName"] for p in space.items("v1/pods")}) == 1  # a bridge reaches the pods of one node
    finally:
        cluster.kubectl("delete", "customresourcedefinition", "network-attachment-definitions.k8s.cni.cncf.io", "--wait=false")
