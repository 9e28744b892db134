"""What perfect would be for each of the twelve stacks, line by line: how far it is reached, and a check of what is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.migrate.hard.sources import Made, carried, command, env, objects, pinned, ports, told, workloads

State = Literal["yes", "partly", "no"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of "Perfect". `source` names the stack of `SOURCES` that shows it; without a check nothing of it is there."""

    text: str
    state: State
    source: str
    check: Callable[[Made], bool] | None = None


def _line(source: str, state: State, text: str, check: Callable[[Made], bool] | None = None) -> Line:
    return Line(text=text, state=state, source=source, check=check)


def _own(made: Made, variable: str, owner: str, *others: str) -> bool:
    said = {name: env(made.names, name).get(variable) for name in (owner, *others)}
    return said.pop(owner) == "$(POD_IP)" and set(said.values()) == {owner}


def _bracketed(made: Made) -> bool:
    """Every comment of a Kea file is in what is carried."""
    source = made.directory / "docker/config/agent-kea/kea-dhcp4.conf"
    comments = [line for line in source.read_text(encoding="utf-8").splitlines() if line.strip().startswith("//")]
    return bool(comments) and all(line in carried(made.names) for line in comments)


def _sockets_together(made: Made) -> bool:
    return {"ca", "hsm"} <= set(workloads(made.names)) and told(made.names, "MIG124", "hsm", "one node")


TWELVE: dict[str, tuple[Line, ...]] = {
    "006 docker_open5gs, standalone with IMS": (
        _line("006", "yes", "a workload for each of the 23 services", lambda m: len(workloads(m.names)) == 23),
        _line(
            "006",
            "yes",
            "`X_IP` is the pod's own address in X and a name in the 22 others, though one file is injected whole",
            lambda m: _own(m, "AMF_IP", "amf", "smf", "upf", "pcf") and _own(m, "SMF_IP", "smf", "amf", "upf"),
        ),
        _line(
            "006",
            "yes",
            "what is told in GTP-U and PFCP stays a literal, the pod's own",
            lambda m: env(m.names, "upf")["UPF_ADVERTISE_IP"] == "$(POD_IP)" and env(m.names, "rtpengine")["INTERFACE"] == "$(POD_IP)",
        ),
        _line(
            "006",
            "yes",
            "Services have SCTP 38412 and UDP 2152 and 8805",
            lambda m: (38412, "SCTP") in ports(m.names, "amf") and {(2152, "UDP"), (8805, "UDP")} <= ports(m.names, "upf"),
        ),
        _line(
            "006",
            "yes",
            "the DNS Service is pinned, and the IMS functions ask it (`dnsPolicy: None`)",
            lambda m: pinned(m.pin)["dns"] == "10.96.0.15" and workloads(m.pin)["pyhss"]["dnsPolicy"] == "None",
        ),
        _line(
            "006", "yes", "variables named after a resolver get the pinned address", lambda m: env(m.pin, "smf")["DNS_IP"] == "10.96.0.15"
        ),
        _line(
            "006",
            "yes",
            "privilege and sysctls are kept",
            lambda m: (
                workloads(m.names)["upf"]["containers"][0]["securityContext"]["privileged"] is True
                and {"name": "net.ipv4.ip_forward", "value": "1"} in workloads(m.names)["upf"]["securityContext"]["sysctls"]
            ),
        ),
        _line(
            "006",
            "yes",
            "addresses of the same subnet that nobody here has are left and told",
            lambda m: told(m.names, "MIG227", "172.22.0.22"),
        ),
        _line("006", "no", "the range of RTP ports and the addresses that real radios need are told as needing a load balancer or Multus"),
        _line(
            "006",
            "no",
            "A records of the BIND zones (the zone files are not among the stack's files here; the models of 061 and 093 show the rule)",
        ),
    ),
    "010 ozone, secure and highly available": (
        _line(
            "010",
            "yes",
            "names with dots are legal objects and still resolve, by hostname and subdomain; the choice is told",
            lambda m: (
                workloads(m.names)["scm1-org"]["hostname"] == "scm1"
                and workloads(m.names)["scm1-org"]["subdomain"] == "org"
                and told(m.names, "MIG108", "scm1.org")
            ),
        ),
        _line(
            "010",
            "yes",
            "`extra_hosts` of the stack's own addresses are gone",
            lambda m: not any(w.get("hostAliases") for w in workloads(m.names).values()),
        ),
        _line(
            "010", "yes", "what waits by `scm3.org:9894` keeps the name", lambda m: env(m.names, "datanode1")["WAITFOR"] == "scm3.org:9894"
        ),
        _line(
            "010",
            "partly",
            "Kerberos principals: the short name and the two labels match; `hostname -f` gives the longer name of the cluster",
            lambda m: workloads(m.names)["scm1-org"]["hostname"] == "scm1",
        ),
        _line(
            "010",
            "partly",
            "keytabs that all share: one claim, and all pods on one node, unless a class for many writers is named",
            lambda m: told(m.names, "MIG503", "datanode1"),
        ),
        _line("010", "yes", "the mount of the built tree is told as part of the image", lambda m: told(m.names, "MIG530", "/opt/hadoop")),
        _line(
            "010",
            "yes",
            "services wait for the KDC to be healthy",
            lambda m: any("kdc" in str(i.get("command")) for i in workloads(m.names)["datanode1"].get("initContainers", ())),
        ),
        _line(
            "010",
            "no",
            "the env file that becomes Hadoop XML (it is not among the stack's files here, which is told as an error)",
            lambda m: told(m.names, "MIG015", "docker-config"),
        ),
    ),
    "022 quorum-examples": (
        _line(
            "022",
            "yes",
            "beginnings of addresses are found: before `${NODE_ID}` and before a group of `sed`",
            lambda m: told(m.names, "MIG211", ":35:75", "172.16.239.101") and told(m.names, "MIG211", ":50:106", "172.16.239.11"),
        ),
        _line(
            "022",
            "yes",
            "mode pin keeps them true: each Service has its old last octet, and the text begins as the range does",
            lambda m: (
                pinned(m.pin)["node3"] == "10.96.0.13"
                and pinned(m.pin)["txmanager3"] == "10.96.0.103"
                and "10.96.0.10${NODE_ID}:9000" in command(m.pin, "node3", "node3")
            ),
        ),
        _line(
            "022",
            "yes",
            "the list of other nodes is by name, the own one included",
            lambda m: "http://txmanager1:9000/,http://txmanager2:9000/" in command(m.names, "node2", "txmanager2"),
        ),
        _line(
            "022", "yes", "`$(hostname -i)` is kept for the shell", lambda m: "$$(hostname -i)" in command(m.names, "node2", "txmanager2")
        ),
        _line("022", "yes", "`$$` is unescaped once", lambda m: "nodekey${NODE_ID}" in command(m.names, "node2", "node2")),
        _line(
            "022",
            "yes",
            "transaction managers share the pod of their node, whose socket they share",
            lambda m: told(m.names, "MIG123", "node1"),
        ),
        _line("022", "no", "a word on the flag that lets Raft resolve names"),
    ),
    "036 samourai-dojo": (
        _line(
            "036",
            "yes",
            "five files merge in their order",
            lambda m: {"bitcoind", "indexer", "explorer", "whirlpool"} <= set(workloads(m.names)),
        ),
        _line(
            "036",
            "yes",
            "the three networks are policies",
            lambda m: set(objects(m.names, "NetworkPolicy")) >= {"net-dmznet", "net-dojonet", "net-whirlnet"},
        ),
        _line(
            "036 scripts",
            "yes",
            "scripts in images are laid over at their COPY targets, own binds on all interfaces, peers by name",
            lambda m: "-bind=0.0.0.0 -rpcbind=0.0.0.0 -proxy=tor:9050" in carried(m.names) and told(m.names, "MIG217", "/restart.sh"),
        ),
        _line("036 scripts", "yes", "hidden services point at a name", lambda m: '"80 bitcoind:8333"' in carried(m.names)),
        _line(
            "036 scripts",
            "partly",
            "Tor's policy by subnet is left and told; it is not widened to a range of pods",
            lambda m: "accept 172.28.0.0/16" in carried(m.names) and told(m.names, "MIG214", "172.28.0.0/16"),
        ),
        _line(
            "036 scripts",
            "partly",
            "templates of env files: what looks secret goes to a Secret; that they are templates is not noticed",
            lambda m: "bitcoind-env" in objects(m.names, "Secret"),
        ),
    ),
    "056 and 057 devilbox": (
        _line(
            "056",
            "yes",
            "BIND is pinned, PHP asks it, and the line that forwards the cluster's names is told",
            lambda m: (
                pinned(m.pin)["bind"] == "10.96.0.100"
                and workloads(m.pin)["php"]["dnsConfig"]["nameservers"] == ["10.96.0.100"]
                and told(m.pin, "MIG240", "cluster.local")
            ),
        ),
        _line(
            "056",
            "yes",
            "the address between colons becomes a name",
            lambda m: env(m.names, "httpd")["MAIN_VHOST_BACKEND"] == "conf:phpfpm:tcp:php:9000",
        ),
        _line("056", "yes", "variables of `env-example` are taken when it is given", lambda m: not told(m.names, "MIG013")),
        _line(
            "056",
            "partly",
            "the project directory that all share: one claim on one node, for many writers only with a class",
            lambda m: told(m.names, "MIG503"),
        ),
        _line(
            "056",
            "partly",
            "names of the Docker host: the entries go and are told; nothing in the text uses them",
            lambda m: told(m.names, "MIG224", "host.docker.internal"),
        ),
        _line(
            "056",
            "yes",
            "the override with more PHP versions is merged on request",
            lambda m: len(workloads(m.merged("compose/docker-compose.override.yml-php-multi.yml"))) > len(workloads(m.names)),
        ),
    ),
    "060 stork": (
        _line(
            "060",
            "yes",
            "URLs of Kea's pairs are literals: written at start, or pinned",
            lambda m: '"url": "http://@@ADDR:agent-kea-ha2@@:8004"' in carried(m.names) and "http://10.96.0.110:8004" in carried(m.pin),
        ),
        _line(
            "060",
            "yes",
            "the primaries that zones are fetched from are literals",
            lambda m: "@@ADDR:agent-bind9@@ key" in carried(m.names) and "10.96.0.53 key" in carried(m.pin),
        ),
        _line("060", "yes", "comments in JSON stay", _bracketed),
        _line(
            "060",
            "yes",
            "relay networks are second networks in mode multus, and nothing is rewritten",
            lambda m: (
                {"subnet-00", "subnet-03", "subnet6-00"} <= set(objects(m.multus, "NetworkAttachmentDefinition"))
                and '"ip-addresses": [ "172.100.0.200" ]' in carried(m.multus)
            ),
        ),
        _line(
            "060",
            "yes",
            "`extra_hosts` of the stack's own addresses are gone",
            lambda m: not any("172.24" in str(w.get("hostAliases")) for w in workloads(m.names).values()),
        ),
        _line("060", "no", "in the other modes the simulator of DHCP clients is told as not functional"),
        _line(
            "060",
            "yes",
            "own URLs that Kea listens on are the pod's address in every mode",
            lambda m: '"url": "http://@@POD_IP@@:' in carried(m.names) and '"url": "http://@@POD_IP@@:' in carried(m.pin),
        ),
    ),
    "061 Internet.nl": (
        _line("061", "yes", "env files count in their order", lambda m: any(a.owner.address == "172.16.43.100" for a in m.names.addresses)),
        _line(
            "061",
            "yes",
            "zone records are written at start from the Services",
            lambda m: "@@ADDR:webserver@@" in carried(m.names) and told(m.names, "MIG242", "172.16.43.100"),
        ),
        _line("061", "yes", "AAAA records ask for the IPv6 address", lambda m: "@@ADDR6:webserver@@" in carried(m.names)),
        _line(
            "061", "no", "the own AAAA record of the server that serves the zone: the pod's first address is written, whatever its family"
        ),
        _line("061", "partly", "the black hole as resolver is dropped and told; a plan keeps it", lambda m: told(m.names, "MIG241")),
        _line(
            "061",
            "yes",
            "the public network is kept apart by policies",
            lambda m: any("public" in name for name in objects(m.names, "NetworkPolicy")),
        ),
        _line("061", "yes", "profiles are selected before, and the others are listed", lambda m: told(m.names, "MIG912")),
    ),
    "062 boulder (model)": (
        _line(
            "062",
            "yes",
            "the resolver is Consul's pinned Service",
            lambda m: workloads(m.pin)["ca"]["dnsConfig"]["nameservers"] == [pinned(m.pin)["consul"]],
        ),
        _line(
            "062",
            "yes",
            "what Consul answers follows the pinned addresses, ports as they were",
            lambda m: f'address = "{pinned(m.pin)["ca"]}"\n  port    = 9095' in carried(m.pin) and "@@ADDR:ca@@" in carried(m.names),
        ),
        _line(
            "062",
            "partly",
            "the socket in a volume brings both containers onto one node; into one pod only on the same networks, and one has none",
            _sockets_together,
        ),
        _line(
            "062",
            "partly",
            "IP SANs: without pins refused as literals, with pins they are those; DNS SANs are not written",
            lambda m: told(m.names, "MIG210", "10.77.77.4") and told(m.pin, "MIG243", "10.77.77.4"),
        ),
        _line(
            "062",
            "partly",
            "public addresses of its own: the entry goes, its name is the Service's, the variable is the pod's address",
            lambda m: env(m.names, "ca")["FAKE_DNS"] == "$(POD_IP)" and told(m.names, "MIG202", "ca.example.org"),
        ),
        _line("062", "yes", "public ranges inside are told", lambda m: told(m.names, "MIG232", "64.112.117.0/25")),
    ),
    "065 bigbluebutton (model)": (
        _line(
            "065",
            "yes",
            "pods on the host's network with `ClusterFirstWithHostNet`",
            lambda m: all(
                (workloads(m.names)[n]["hostNetwork"], workloads(m.names)[n]["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
                for n in ("nginx", "kurento")
            ),
        ),
        _line(
            "065",
            "yes",
            "each has a Service, so that the name that meant the gateway is its name",
            lambda m: (
                "kurento" in objects(m.names, "Service")
                and env(m.names, "web")["KURENTO_URL"] == "ws://kurento:8888/kurento"
                and told(m.names, "MIG225", "kurento")
            ),
        ),
        _line("065", "yes", "upstreams of nginx are names", lambda m: carried(m.names).count("proxy_pass http://web:8080;") == 2),
        _line("065", "yes", "the range of media ports is told", lambda m: told(m.names, "MIG315", "24577")),
        _line(
            "065",
            "partly",
            "the outside address as a required value: that the variable is unset is told",
            lambda m: told(m.names, "MIG013", "EXTERNAL_IPv4"),
        ),
        _line("065", "no", "pinning to a node"),
    ),
    "069 mailcow": (
        _line(
            "069",
            "yes",
            "seventeen names by alias Services",
            lambda m: {"redis", "dovecot", "phpfpm", "unbound", "sogo"} <= set(objects(m.names, "Service")),
        ),
        _line(
            "069",
            "yes",
            "unbound is pinned, and the line that forwards the cluster's names is told",
            lambda m: pinned(m.pin)["unbound-mailcow"] == "10.96.0.254" and told(m.pin, "MIG240", "unbound-mailcow"),
        ),
        _line(
            "069 code",
            "yes",
            "code that completes the beginning is found by file and line, with the name to write",
            lambda m: told(m.names, "MIG211", "lua/rspamd.local.lua:1:", "postfix") and told(m.names, "MIG211", "auth.php:2:", "sogo"),
        ),
        _line(
            "069 code",
            "yes",
            "or the beginning stays true: all its addresses pinned within one range",
            lambda m: env(m.pin, "rspamd")["IPV4_NETWORK"] == "10.96.0" and pinned(m.pin)["postfix"] == "10.96.0.253",
        ),
        _line(
            "069",
            "partly",
            "of the whole stack the beginning is not kept: not every owner has a known port, and only Services with ports can be pinned",
            lambda m: told(m.pin, "MIG211", "172.22.1 is the beginning"),
        ),
        _line("069", "yes", "the container that drives Docker is told as not portable", lambda m: told(m.names, "MIG125", ":617:")),
        _line(
            "069",
            "partly",
            "the one that edits the host's packet filter: host network and privilege are told, its uselessness is not",
            lambda m: told(m.names, "MIG812") and told(m.names, "MIG802"),
        ),
        _line("069", "yes", "volumes that several pods write are listed", lambda m: told(m.names, "MIG503", "postfix-mailcow")),
    ),
    "086 scylla-manager (model)": (
        _line(
            "086",
            "yes",
            "own addresses are the pod's, in a node whose literal others need, else the name of the own headless Service",
            lambda m: (
                "--listen-address $(POD_IP) --rpc-address $(POD_IP)" in command(m.names, "dc1n1")
                and "--listen-address dc2n1 " in command(m.names, "dc2n1")
                and objects(m.names, "Service")["dc2n1"]["spec"]["clusterIP"] == "None"
            ),
        ),
        _line(
            "086",
            "no",
            "an own address behind an option that does not say that it listens (`--alternator-address`): mode pin takes the pin",
            lambda m: "--alternator-address 10.96.0.11" in command(m.pin, "dc1n1"),
        ),
        _line(
            "086",
            "yes",
            "seeds by name, in every member the same",
            lambda m: all("--seeds dc1n1,dc1n2 " in command(m.names, n) for n in ("dc1n1", "dc2n2")),
        ),
        _line("086", "yes", "one network, and both old addresses of a node mean it", lambda m: "192.168" not in command(m.names, "dc1n1")),
        _line(
            "086",
            "partly",
            "a StatefulSet for each node, not one for each data centre: merging is asked for in the plan",
            lambda m: len(objects(m.names, "StatefulSet")) == 4,
        ),
        _line(
            "086",
            "partly",
            "IP SANs are written at start and told; DNS SANs are not",
            lambda m: "IP.1 = @@ADDR:dc1n1@@" in carried(m.names) and told(m.names, "MIG243", "db.cfg:4"),
        ),
        _line(
            "086",
            "yes",
            "Prometheus' targets and the object store's endpoint are names",
            lambda m: "- dc2n1:9180" in carried(m.names) and env(m.names, "agent")["S3_ENDPOINT"] == "http://minio:9000",
        ),
        _line(
            "086",
            "yes",
            "properties of racks and data centres stay with their pods",
            lambda m: {"dc=dc1", "dc=dc2"} <= set(carried(m.names).splitlines()),
        ),
        _line("086", "yes", "lines of the Makefile are told as outside", lambda m: told(m.names, "MIG219", "Makefile:2:")),
    ),
    "093 sssd-ci-containers (model)": (
        _line(
            "093",
            "yes",
            "the targets of delegations are pinned, with the resolver itself",
            lambda m: {"dns", "ipa", "samba"} <= set(pinned(m.pin)),
        ),
        _line(
            "093",
            "yes",
            "`server=` and `address=` have those addresses, or are written at start",
            lambda m: (
                f"server=/samba.test/{pinned(m.pin)['samba']}" in carried(m.pin)
                and "address=/client.test/@@ADDR:client@@" in carried(m.names)
            ),
        ),
        _line(
            "093",
            "yes",
            "names in records are left alone",
            lambda m: "srv-host=_ldap._tcp.ipa.test,master.ipa.test,389" in carried(m.names),
        ),
        _line(
            "093",
            "yes",
            "the line that forwards the cluster's names is added to the server's own file",
            lambda m: "server=/cluster.local/10.96.0.10" in carried(m.pin),
        ),
        _line(
            "093",
            "partly",
            "host names with two labels are kept by hostname and subdomain; those with three are told",
            lambda m: workloads(m.names)["client"]["subdomain"] == "test" and told(m.names, "MIG109", "master.ipa.test"),
        ),
        _line("093", "yes", "PTR records are told", lambda m: told(m.names, "MIG242", "172.28.100.10", "PTR")),
        _line(
            "093",
            "yes",
            "seccomp and AppArmor are unconfined as they were",
            lambda m: workloads(m.names)["ipa"]["containers"][0]["securityContext"]["seccompProfile"] == {"type": "Unconfined"},
        ),
        _line("093", "yes", "device rules are told as lost", lambda m: told(m.names, "MIG806")),
        _line(
            "093",
            "yes",
            "the directory outside is kept and named as outside",
            lambda m: "server=/ad.test/172.28.200.10" in carried(m.names) and told(m.names, "MIG208", "172.28.200.10"),
        ),
    ),
}
