"""The processes of one control plane and the folder that they live in: started in order, gone with their owner however it ends.

Whoever starts a cluster holds the other end of every process's standard input. The system closes it when the owner dies, by whatever
signal, and the processes end themselves. The folder carries a lock that dies with the owner, too; the next run removes what lies there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.live.tools import Tools

ENDS_WITH_PARENT = "LIVE_ENDS_WITH_PARENT"
ATTEMPTS = 3
READY_S = 60.0
PORTS = ("etcd", "peers", "api", "controllers", "scheduler", "nodes")
FIRST_PORT, LAST_PORT = 20000, 30000  # below the ports that systems give to outgoing connections
METRICS = (("metrics.k8s.io", "v1beta1"), ("custom.metrics.k8s.io", "v1beta2"), ("external.metrics.k8s.io", "v1beta1"))
TRUSTING = ssl._create_unverified_context()


class NotStarted(Exception):
    """The control plane did not come up; the message holds the end of the logs."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """How a running cluster is reached: what a worker process must know."""

    folder: str
    kubeconfig: str
    token: str
    ports: Mapping[str, int]

    def text(self) -> str:
        """As JSON, for another process."""
        return json.dumps({"folder": self.folder, "kubeconfig": self.kubeconfig, "token": self.token, "ports": dict(self.ports)})

    @staticmethod
    def of(text: str) -> Address:
        """The address that `text` wrote."""
        return Address(**json.loads(text))


@dataclass(kw_only=True)
class Machine:
    """A control plane that runs. `stop` ends it; so does the end of this process."""

    tools: Tools
    address: Address
    lock: IO[str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def stop(self) -> None:
        """Kill the processes, newest first, and remove the folder: nothing of it has to survive."""
        for process in reversed(self.processes):
            process.kill()
        for process in self.processes:
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self.processes.clear()
        shutil.rmtree(self.address.folder, ignore_errors=True)
        self.lock.close()
        with contextlib.suppress(OSError):  # another run may live beside it
            runs_folder().rmdir()

    def memory_mib(self) -> Mapping[str, float]:
        """Resident memory of each process."""
        names = ("etcd", "apiserver", "controller-manager", "scheduler", "nodes")
        return {name: _resident_mib(process.pid) for name, process in zip(names, self.processes, strict=True)}


def _resident_mib(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def start(tools: Tools, *, flags: Mapping[str, tuple[str, ...]] | None = None) -> Machine:
    """Start a control plane with nothing in it: about four seconds. `flags` are added to a part's own.

    NotStarted if it does not come up.
    """
    remove_abandoned()
    for attempt in range(ATTEMPTS):
        folder, lock = _new_folder()
        machine = Machine(tools=tools, address=_address(folder), lock=lock)
        try:
            _start(machine, flags or {})
        except NotStarted:
            machine.stop()
            if attempt == ATTEMPTS - 1:
                raise
        except BaseException:
            machine.stop()
            raise
        else:
            return machine
    raise AssertionError("unreachable")


# ------------------------------------------------------------------ the folder


def runs_folder() -> Path:
    """Where the folders of all runs of this user lie."""
    return Path(tempfile.gettempdir()) / f"compose-cutover-live-{os.getuid()}"


def remove_abandoned() -> list[Path]:
    """Remove the folders of runs whose owner is gone."""
    removed = []
    for folder in sorted(runs_folder().glob("run-*")):
        with contextlib.suppress(OSError), (folder / "owner").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def _new_folder() -> tuple[Path, IO[str]]:
    while True:
        runs_folder().mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another run that ends at this moment removes the empty folder
            folder = Path(tempfile.mkdtemp(prefix="new-", dir=runs_folder()))
            break
    lock = (folder / "owner").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    named = folder.with_name(folder.name.replace("new-", "run-"))
    folder.rename(named)  # only now another run may look at it: it is locked
    return named, lock


def _address(folder: Path) -> Address:
    token = secrets.token_hex(16)
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(_kubeconfig(ports["api"], token, str(folder / "certificates-api" / "apiserver.crt"))), encoding="utf-8"
    )
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n", encoding="utf-8")
    address = Address(folder=str(folder), kubeconfig=str(kubeconfig), token=token, ports=ports)
    (folder / "address.json").write_text(address.text(), encoding="utf-8")
    return address


def _kubeconfig(port: int, token: str, authority: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "live", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": authority}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "live", "context": {"cluster": "live", "user": "admin"}}],
        "current-context": "live",
    }


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on, from a random place: two runs that start at once seldom meet, and then one starts again."""
    chance = random.SystemRandom()
    while True:
        first = chance.randrange(FIRST_PORT, LAST_PORT - count)
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# ------------------------------------------------------------------ the processes


def _start(machine: Machine, flags: Mapping[str, tuple[str, ...]]) -> None:
    folder, ports = Path(machine.address.folder), machine.address.ports
    subprocess.run([machine.tools.plane, "key", str(folder / "sa.key")], check=True, env={}, stdin=subprocess.DEVNULL)
    plane = [machine.tools.plane]
    _spawn(
        machine, "etcd", [*plane, "etcd", "--folder", str(folder / "etcd"), "--clients", str(ports["etcd"]), "--peers", str(ports["peers"])]
    )
    _spawn(machine, "apiserver", [*plane, "apiserver", *api_flags(machine.address), *flags.get("apiserver", ())])
    _until(machine, "the API server", lambda: _answers(machine, "api", "/readyz"))
    _spawn(machine, "controllers", [*plane, "controller-manager", *controller_flags(machine.address), *flags.get("controllers", ())])
    _spawn(machine, "scheduler", [*plane, "scheduler", *scheduler_flags(machine.address), *flags.get("scheduler", ())])
    _spawn(machine, "nodes", [machine.tools.nodes, *node_flags(machine.address)])
    _until(machine, "the controller manager", lambda: _answers(machine, "controllers", "/healthz"))
    _until(machine, "the scheduler", lambda: _answers(machine, "scheduler", "/healthz"))
    _until(machine, "the service account", lambda: _answers(machine, "api", "/api/v1/namespaces/default/serviceaccounts/default"))
    _until(machine, "the kubelets", lambda: _answers(machine, "nodes", "/apis/metrics.k8s.io/v1beta1"))
    _register_metrics(machine)
    for group, version in METRICS:
        _until(machine, group, lambda path=f"/apis/{group}/{version}": _answers(machine, "api", path))


def api_flags(at: Address) -> tuple[str, ...]:
    """The API server: no throttling (many tests share it), no endpoints of its own (they may not be loopback), and privileged pods, which
    installers of clusters allow too."""
    return (
        f"--etcd-servers=http://127.0.0.1:{at.ports['etcd']}",
        "--bind-address=127.0.0.1",
        f"--secure-port={at.ports['api']}",
        "--advertise-address=127.0.0.1",
        "--external-hostname=localhost",
        f"--cert-dir={at.folder}/certificates-api",
        f"--token-auth-file={at.folder}/tokens.csv",
        "--service-account-issuer=https://localhost",
        f"--service-account-key-file={at.folder}/sa.key",
        f"--service-account-signing-key-file={at.folder}/sa.key",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--anonymous-auth=false",
        "--endpoint-reconciler-type=none",
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=0",
        "--max-mutating-requests-inflight=0",
    )


def _client_flags(at: Address, part: str) -> tuple[str, ...]:
    return (
        f"--kubeconfig={at.kubeconfig}",
        f"--authentication-kubeconfig={at.kubeconfig}",
        f"--authorization-kubeconfig={at.kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={at.ports[part]}",
        f"--cert-dir={at.folder}/certificates-{part}",
        "--leader-elect=false",
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
    )


def controller_flags(at: Address) -> tuple[str, ...]:
    """The controller manager: periods that shorten tests and leave the algorithms as they are."""
    return (
        *_client_flags(at, "controllers"),
        f"--service-account-private-key-file={at.folder}/sa.key",
        "--use-service-account-credentials=false",
        "--allocate-node-cidrs=false",
        f"--flex-volume-plugin-dir={at.folder}/flex",
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--horizontal-pod-autoscaler-downscale-stabilization=6s",
        "--concurrent-deployment-syncs=20",
        "--concurrent-replicaset-syncs=20",
        "--concurrent-statefulset-syncs=20",
        "--concurrent-horizontal-pod-autoscaler-syncs=20",
    )


def scheduler_flags(at: Address) -> tuple[str, ...]:
    """The scheduler."""
    return _client_flags(at, "scheduler")


def node_flags(at: Address) -> tuple[str, ...]:
    """The kubelets and the metrics APIs."""
    return (
        "--kubeconfig",
        at.kubeconfig,
        "--port",
        str(at.ports["nodes"]),
        "--token-file",
        f"{at.folder}/tokens.csv",
        "--certificate",
        f"{at.folder}/nodes.crt",
    )


def environment(folder: str) -> dict[str, str]:
    """What a program of the run gets of the environment: nothing of it may lead outside the run's folder."""
    inside = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), f"{folder}/home")
    inside |= {"KUBECACHEDIR": f"{folder}/kubecache", "KUBERC": "off"}
    inside |= {name: f"{folder}/{name.lower()}" for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), ENDS_WITH_PARENT: "yes", **inside}


def _spawn(machine: Machine, name: str, command: list[str]) -> None:
    folder = machine.address.folder
    Path(folder, "home").mkdir(exist_ok=True)
    with Path(folder, f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder, env=environment(folder), start_new_session=True
        )
    machine.processes.append(process)


def _until(machine: Machine, what: str, is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_S
    while not is_so():
        for process in machine.processes:
            if process.poll() is not None:
                raise NotStarted(f"{what} is not ready: {Path(process.args[0]).name} ended with {process.returncode}\n{_logs(machine)}")  # type: ignore[index, arg-type]
        if time.monotonic() > end:
            raise NotStarted(f"{what} is not ready after {READY_S:.0f} s\n{_logs(machine)}")
        time.sleep(0.03)


def _logs(machine: Machine) -> str:
    texts = []
    for log in sorted(Path(machine.address.folder).glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        texts.append(f"--- {log.name}\n" + "\n".join(lines[-8:]))
    return "\n".join(texts)


def _answers(machine: Machine, part: str, path: str) -> bool:
    try:
        return _ask(machine, part, path) == 200
    except (OSError, urllib.error.URLError):
        return False


def _ask(machine: Machine, part: str, path: str, body: Any = None) -> int:
    request = urllib.request.Request(
        f"https://127.0.0.1:{machine.address.ports[part]}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {machine.address.token}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=TRUSTING))
    with opener.open(request, timeout=5) as answer:
        answer.read()
        return int(answer.status)


def _register_metrics(machine: Machine) -> None:
    """The aggregator dials an ExternalName directly, and a loopback name is allowed there."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    _ask(machine, "api", "/api/v1/namespaces/kube-system/services", service)
    for group, version in METRICS:
        spec = {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "metrics", "namespace": "kube-system", "port": machine.address.ports["nodes"]},
        }
        body = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{version}.{group}"}, "spec": spec}
        _ask(machine, "api", "/apis/apiregistration.k8s.io/v1/apiservices", body)
