"""What a stack means: ports, mounts, references, identity, peers."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from migrate.stack.dockerfile import parse
from tests.migrate.stacks import meaning


def _ports(folder: Path, text: str, service: str, files: dict[str, str] | None = None) -> set[tuple[int, str, str]]:
    return {(p.port, p.protocol, p.evidence) for p in meaning(folder, text, files).members[service].ports}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s: {image: 'x:1', ports: ['8080:80', '53:53/udp']}", {(80, "tcp", "ports"), (53, "udp", "ports")}),
        ("s: {image: 'x:1', expose: ['9000-9001/udp']}", {(9000, "udp", "expose"), (9001, "udp", "expose")}),
        ("s: {image: 'redis:7'}", {(6379, "tcp", "image")}),
        ("s: {image: 'redis:7', command: redis-server --port 6380}", {(6380, "tcp", "image")}),
        ("s: {image: 'x/rabbitmq:3-management'}", {(5672, "tcp", "image"), (15672, "tcp", "image")}),
        ("s: {image: 'x:1'}\n  c: {image: 'y:1', environment: {URL: 'http://s:99/'}}", {(99, "tcp", "reference")}),
        ("s: {image: 'x:1'}\n  c: {image: 'y:1', environment: {URL: 'https://s/'}}", {(443, "tcp", "reference")}),
        ("s: {image: 'x:1'}\n  c: {image: 'y:1', environment: {DNS: 's:5353'}}", {(5353, "tcp", "reference"), (5353, "udp", "reference")}),
        ("s: {image: 'x:1', healthcheck: {test: 'curl http://localhost:81/'}}", {(81, "tcp", "healthcheck")}),
        ("s: {image: 'x:1'}\n  c: {image: 'y:1', environment: {URL: 'http://other:99/'}}", set()),
    ],
)
def test_known_ports(tmp_path: Path, text: str, expected: set[tuple[int, str, str]]) -> None:
    assert _ports(tmp_path, f"services:\n  {text}\n", "s") == expected


def test_exposed_by_the_dockerfile_before_the_image_table(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM a AS one\nEXPOSE 1\nFROM b\nEXPOSE 90 91/udp\n"}
    assert _ports(tmp_path, "services: {s: {image: 'redis:7', build: .}}", "s", files) == {
        (90, "tcp", "dockerfile"),
        (91, "udp", "dockerfile"),
    }


def test_names_are_hosts_in_host_position_only(tmp_path: Path) -> None:
    text = """
    services:
      web: {image: "w:1", command: "run db --upstream=db", environment: {NOTE: "the db", DB_HOST: db, CACHE: "cache:6379", P: /db/x}}
      db: {image: "d:1"}
      cache: {image: "c:1"}
    """
    found = {(r.callee, r.place, r.key, r.port) for r in meaning(tmp_path, text).references}
    assert found == {("db", "command", "2", None), ("db", "environment", "DB_HOST", None), ("cache", "environment", "CACHE", 6379)}


def test_no_reference_across_networks(tmp_path: Path) -> None:
    text = """
    services:
      a: {image: "x:1", environment: {B_HOST: b}, networks: [n1]}
      b: {image: "y:1", networks: [n2]}
    networks: {n1: {}, n2: {}}
    """
    assert meaning(tmp_path, text).references == ()


@pytest.mark.parametrize(
    ("volume", "service", "kind"),
    [
        ("./a.conf:/etc/a.conf", "image: 'x:1'", "file"),
        ("./conf:/etc/x:ro", "image: 'x:1'", "configuration"),
        ("./data:/somewhere", "image: 'x:1'", "data"),
        ("./conf:/var/lib/mysql", "image: 'mysql:8'", "data"),
        ("./absent:/x", "image: 'x:1'", "data"),
        ("./absent.yml:/x.yml", "image: 'x:1'", "missing"),
        (".:/app", "build: .", "source-tree"),
        ("..:/app", "image: 'x:1'", "source-tree"),
        ("/etc/localtime:/etc/localtime:ro", "image: 'x:1'", "dropped"),
        ("/var/run/docker.sock:/var/run/docker.sock", "image: 'x:1'", "docker-socket"),
        ("/dev:/dev", "image: 'x:1'", "system"),
        ("/srv/media:/media", "image: 'x:1'", "host-directory"),
        ("named:/x", "image: 'x:1'", "named"),
        ("/x", "image: 'x:1'", "anonymous"),
    ],
)
def test_mount_classes(tmp_path: Path, volume: str, service: str, kind: str) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    files = {"a.conf": "a", "conf/b.conf": "b", "data/c": "c", "Dockerfile": "FROM x\nCOPY . /app\n"}
    meant = meaning(folder, f"services: {{s: {{{service}, volumes: ['{volume}']}}}}\nvolumes: {{named: {{}}}}", files)
    assert [m.kind for m in meant.members["s"].mounts] == [kind]


def test_self_identity_and_peers(tmp_path: Path) -> None:
    text = """
    services:
      k1: {image: "kafka:3", environment: {KAFKA_ADVERTISED_LISTENERS: "PLAINTEXT://k1:9092", VOTERS: "1@k1:9093,2@k2:9093"}}
      k2: {image: "kafka:3", environment: {VOTERS: "1@k1:9093,2@k2:9093"}}
      lb: {image: "nginx:1", environment: {UPSTREAM: "k1:9092,k2:9092"}}
    """
    members = meaning(tmp_path, text).members
    assert (members["k1"].self_identity, members["k2"].self_identity, members["lb"].self_identity) == (True, True, False)
    assert (members["k1"].peers, members["k2"].peers, members["lb"].peers) == ({"k1", "k2"}, {"k1", "k2"}, frozenset())
    assert members["lb"].server_evidence is False


def test_a_joined_namespace_is_one_network_position(tmp_path: Path) -> None:
    text = """
    services:
      vpn: {image: "v:1", networks: [n]}
      app: {image: "a:1", network_mode: "service:vpn", environment: {DB_HOST: db}}
      db: {image: "d:1", networks: [n]}
    networks: {n: {}}
    """
    meant = meaning(tmp_path, text)
    assert meant.namesakes["app"] == {"vpn", "app"}
    assert [(r.caller, r.callee) for r in meant.references] == [("app", "db")]


def test_dockerfile_facts() -> None:
    text = dedent("""
        ARG VERSION=1
        FROM base:${VERSION} AS build
        COPY secret /secret
        FROM base
        WORKDIR /srv
        COPY --from=build /x /y
        COPY conf/a.conf conf/b.conf ./etc/
        COPY ["docker/run.sh", "/run.sh"]
        ADD . .
        USER 1000:1000
        HEALTHCHECK --interval=5s CMD curl -f http://localhost/ || exit 1
        STOPSIGNAL SIGQUIT
        VOLUME /data
    """)
    facts = parse(Path("Dockerfile"), text)
    assert dict(facts.copies) == {
        "conf/a.conf": ("/srv/etc/",), "conf/b.conf": ("/srv/etc/",), "docker/run.sh": ("/run.sh",), ".": ("/srv/",),
    }  # fmt: skip
    assert (facts.user, facts.stop_signal, facts.volumes) == ("1000:1000", "SIGQUIT", ("/data",))
    assert facts.healthcheck == ("CMD-SHELL", "curl -f http://localhost/ || exit 1")


def test_files_are_read_within_bounds(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (tmp_path / "secret.conf").write_text("172.28.0.2")
    (folder / "conf").mkdir()
    (folder / "conf" / "link.conf").symlink_to(tmp_path / "secret.conf")
    (folder / "conf" / "big.conf").write_text("172.28.0.2 " * 100_000)
    (folder / "conf" / "bin.conf").write_bytes(b"\0172.28.0.2")
    text = """
    services: {s: {image: "x:1", volumes: ["./conf:/etc/x:ro"], networks: {n: {ipv4_address: 172.28.0.2}}}}
    networks: {n: {}}
    """
    meant = meaning(folder, text)
    assert [t for t in meant.texts if t.place == "file"] == []
    assert [f.code for f in meant.findings if f.code == "MIG424"] == ["MIG424"]


def test_an_image_reference_is_no_host(tmp_path: Path) -> None:
    text = """
    services:
      web: {image: "w:1", environment: {DB_IMAGE: "db:16", DB_VERSION: "172.28.0.2"}, networks: [n]}
      db: {image: "d:1", networks: {n: {ipv4_address: 172.28.0.2}}}
    networks: {n: {}}
    """
    meant = meaning(tmp_path, text)
    assert meant.references == () and meant.members["db"].ports == ()
