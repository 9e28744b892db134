"""Which place an address stands in: keys, blocks, syntaxes, and the order of the lists."""

from __future__ import annotations

import pytest

from migrate.stack.contexts import context_of, syntaxes_of
from migrate.stack.outline import in_command, in_file, in_variable

_AT = "10.0.0.5"


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("redis-server --bind 10.0.0.5", "bind"),
        ("mongod --bind_ip 10.0.0.5", "bind"),
        ("redis-cli --cluster create 10.0.0.1:6379 10.0.0.5:6379", "literal_only"),
        ("iptables -A FORWARD -s 10.0.0.5 -j DROP", "literal_only"),
        ("ip route add default via 10.0.0.5", "literal_only"),
        ("echo x; curl http://10.0.0.5/", "other"),
        ("consul agent -advertise 10.0.0.5", "literal_only"),
        ("redis-server --cluster-announce-ip 10.0.0.5", "literal_only"),
        ("rtpengine --interface 10.0.0.5", "own_literal"),
        ("nebula --local_ip=10.0.0.5", "advertise"),
    ],
)
def test_commands(text: str, context: str) -> None:
    assert context_of(in_command(text, text.index(_AT))) == context


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("PIHOLE_DNS_", "literal_only"),
        ("DNS1", "literal_only"),
        ("ALLOWED_HOSTS", "served_name"),
        ("VIRTUAL_HOST", "served_name"),
        ("MYSQL_ROOT_HOST", "acl"),
        ("API_WHITELIST_IP", "acl"),
        ("KAFKA_ADVERTISED_LISTENERS", "advertise"),
        ("bindIp", "bind"),
        ("DB_HOST", "other"),
    ],
)
def test_variables(name: str, context: str) -> None:
    assert context_of(in_variable(name, _AT, 0)) == context


@pytest.mark.parametrize(
    ("path", "text", "context"),
    [
        ("nginx.conf", "http {\n  server {\n    listen 10.0.0.5:80;\n  }\n}\n", "bind"),
        ("nginx.conf", "server {\n  location / {\n    allow 10.0.0.5;\n  }\n}\n", "acl"),
        ("nginx.conf", "upstream u {\n  server 10.0.0.5:80;\n}\n", "other"),
        ("named.conf", "options {\n  forwarders {\n    10.0.0.5;\n  };\n};\n", "literal_only"),
        ("named.conf", "options {\n  listen-on { 10.0.0.5; };\n};\n", "bind"),
        ("named.conf", 'acl "trusted" {\n  10.0.0.5;\n};\n', "acl"),
        ("dnsmasq.conf", "server=10.0.0.5\n", "literal_only"),
        ("dnsmasq.conf", "listen-address=10.0.0.5\n", "advertise"),
        ("unbound.conf", "forward-zone:\n  name: x\n  forward-addr: 10.0.0.5\n", "literal_only"),
        ("keepalived.conf", "vrrp_instance A {\n  virtual_ipaddress {\n    10.0.0.5\n  }\n}\n", "literal_only"),
        ("db.example", "@ IN SOA ns.\nweb IN A 10.0.0.5\n", "literal_only"),
        ("pg_hba.conf", "host all all 10.0.0.5/32 md5\n", "acl"),
        ("hosts", "10.0.0.5 web\n", "literal_only"),
        ("scylla.yaml", "listen_address: 10.0.0.5\n", "advertise"),
        ("app.yaml", "peers:\n  allow:\n    - 10.0.0.5\n", "acl"),
        ("kea.conf", '{"Dhcp4": {"high-availability": [{"url": "http://10.0.0.5:8000/"}]}}', "other"),
        ("kea-dhcp4.conf", '{"Dhcp4": {"high-availability": [{"url": "http://10.0.0.5:8000/"}]}}', "literal_only"),
        ("sentinel.conf", "sentinel monitor m 10.0.0.5 6379 2\n", "literal_only"),
        ("sentinel.conf", "sentinel resolve-hostnames yes\nsentinel monitor m 10.0.0.5 6379 2\n", "other"),
        ("my.cnf", "[mysqld]\nbind-address = 10.0.0.5\n", "bind"),
        ("consul.hcl", 'advertise_addr = "10.0.0.5"\n', "literal_only"),
        ("grants.sql", "CREATE USER 'u'@'10.0.0.5';\n", "acl"),
    ],
)
def test_files(path: str, text: str, context: str) -> None:
    assert context_of(in_file(text, text.index(_AT)), syntaxes_of([path], text), text) == context
