"""The story of the addresses in a report: what is told, in which order, and what is never shown."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from migrate.cli import main
from migrate.report.changes import shown_of

STACK = """
services:
  web:
    build: .
    image: "web:1"
    ports: ["8080:80"]
    environment:
      DB_URL: "postgres://app:hunter2@172.28.0.20:5432/x"
      MY_IP: 172.28.0.10
      LAN: 172.28.0.99
      WHITELIST_IP: 172.28.0.20
      PAY: 198.51.100.7
    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro", "./app.key:/etc/app.key:ro"]
    networks: {n: {ipv4_address: 172.28.0.10}}
  db: {image: "postgres:16", networks: {n: {ipv4_address: 172.28.0.20}}}
  idle: {image: "idle:1", networks: {n: {ipv4_address: 172.28.0.30}}}
  dns: {image: "dns:1", expose: ["53/udp"], networks: {n: {ipv4_address: 172.28.0.53}}}
  app: {image: "app:1", environment: {DNS_SERVER: 172.28.0.53}, networks: [n]}
networks:
  n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""
FILES = {
    "nginx.conf": "proxy_pass http://172.28.0.20:5432/; # db\\nproxy_set_header Authorization s3cret@172.28.0.20;\\n",
    "app.key": "k3y-material 172.28.0.20\\n",
    "Dockerfile": "FROM x\\nCOPY run.sh /run.sh\\nENV DB=172.28.0.20\\n",
    "run.sh": "#!/bin/sh\\npsql -h 172.28.0.20 --password=hunter3\\n",
    "Makefile": "ping:\\n\\tping 172.28.0.20\\n",
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Suffix -> the report of the stack, in mode pin."""
    folder: Path = tmp_path_factory.mktemp("reported")
    (folder / "compose.yaml").write_text(dedent(STACK))
    for name, content in FILES.items():
        (folder / name).write_text(content.replace("\\n", "\n").replace("\\t", "\t"))
    names = {suffix: folder / f"r.{suffix}" for suffix in ("txt", "md", "html")}
    arguments = [a for path in names.values() for a in ("--report", str(path))]
    code = main(["convert", "-q", "-f", str(folder / "compose.yaml"), "--addresses", "pin", "--service-cidr", "10.96.0.0/12", "--dry-run"])
    assert code in (0, 1)
    main(["convert", "-q", "-f", str(folder / "compose.yaml"), "--addresses", "pin", "--service-cidr", "10.96.0.0/12", *arguments])
    return {suffix: path.read_text() for suffix, path in names.items()}


TITLES = (
    "Dropped: declared, and nothing needs them (1)", "Rewritten (7)", "Kept as fixed addresses (1)", "Left alone (2)",
    "What is open wider than before (", "Baked into images (2)", "Outside the project (1)", "For scripts outside the containers (1)",
)  # fmt: skip


@pytest.mark.parametrize("suffix", ["txt", "md", "html"])
def test_every_part_is_told_in_the_order_of_questions(reports: dict[str, str], suffix: str) -> None:
    text = reports[suffix]
    places = [text.index(title) for title in TITLES]
    assert places == sorted(places)


@pytest.mark.parametrize("suffix", ["txt", "md", "html"])
def test_no_secret_is_in_any_report(reports: dict[str, str], suffix: str) -> None:
    for secret in ("hunter2", "hunter3", "s3cret", "k3y-material"):
        assert secret not in reports[suffix]


def test_what_was_rewritten_is_a_diff_by_file_and_line(reports: dict[str, str]) -> None:
    text = reports["txt"]
    part = text[text.index("Rewritten (7)") : text.index("Kept as fixed")]
    lines = [line.strip() for line in part.splitlines()]
    for expected in (
        ["@@ line 8: environment DB_URL of web", "- 172.28.0.20", "+ db"],
        ["@@ line 9: environment MY_IP of web", "- 172.28.0.10", "+ $(POD_IP)"],
        ["@@ line 1: file of web", "- proxy_pass http://172.28.0.20:5432/;", "+ proxy_pass http://db:5432/;"],
        ["@@ line 2: file of web", "- proxy_set_header … 172.28.0.20;", "+ proxy_set_header … db;"],
        ["@@ line 1: file of web", "- … 172.28.0.20", "+ … db"],
        ["@@ line 2: file of the image of web", "- psql … 172.28.0.20", "+ psql … db"],
        ["@@ line 18: environment DNS_SERVER of app", "- 172.28.0.53", "+ 10.96.0.53"],
    ):
        assert any(lines[i : i + 3] == expected for i in range(len(lines))), expected


def test_pinned_left_wider_baked_outside_and_scripts(reports: dict[str, str]) -> None:
    text = reports["txt"]
    assert "172.28.0.53  dns  pinned as a cluster address  10.96.0.53" in text
    assert "172.28.0.99  lies in a subnet of the stack and belongs to nobody" in text
    assert "172.28.0.20  an access rule: callers come from pod addresses" in text
    assert "every pod of the cluster may reach web at 80/tcp" in text
    assert "MIG217" in text and "172.28.0.20 is baked into the image of web; it should be db" in text
    assert "172.28.0.20  db  kubectl port-forward service/db 5432" in text


def test_the_page_shows_the_diff_and_escapes_it(reports: dict[str, str]) -> None:
    page = reports["html"]
    assert "<del>proxy_pass http://172.28.0.20:5432/;</del>" in page and "<ins>proxy_pass http://db:5432/;</ins>" in page
    assert page.count('<figure class="diff">') == 4


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("server 10.0.0.5:80;", "server web:80;", ("server 10.0.0.5:80;", "server web:80;")),
        ("  a: 1, host: 10.0.0.5, z: 2", "  a: 1, host: web, z: 2", ("a: … 10.0.0.5,", "a: … web,")),
        ("requirepass x bind 10.0.0.5", "requirepass x bind 0.0.0.0", ("requirepass … 10.0.0.5", "requirepass … 0.0.0.0")),
        ('{"password":"x","h":"10.0.0.5"}', '{"password":"x","h":"web"}', ('…,"h":"10.0.0.5"}', '…,"h":"web"}')),
        ("pw=abc 10.0.0.5 10.0.0.6", "pw=abc a b", ("… 10.0.0.5 10.0.0.6", "… a b")),
        ("t0ken@10.0.0.5:80", "t0ken@web:80", ("10.0.0.5", "web")),
        ("http://10.0.0.5:80/a?k=abc", "http://web:80/a?k=abc", ("10.0.0.5", "web")),
        ("10.0.0.5/32 a=10.0.0.5:1,10.0.0.6;", "web a=web:1,api;", ("10.0.0.5/32 a=10.0.0.5:1,10.0.0.6;", "web a=web:1,api;")),
        ("redis://:pw@10.0.0.5:6379", "redis://:pw@r:6379", ("10.0.0.5", "r")),
        ("x" * 200 + "@10.0.0.5", "x" * 200 + "@web", ("10.0.0.5", "web")),
    ],
)
def test_what_is_shown_of_a_line(old: str, new: str, expected: tuple[str, str]) -> None:
    assert shown_of(old, new) == expected


def test_of_a_secret_file_the_bare_change(tmp_path: Path) -> None:
    assert shown_of("user x 10.0.0.5", "user x web", private=True) == ("… 10.0.0.5", "… web")
