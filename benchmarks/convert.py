"""Whole conversions in one process, against the start of Python with PyYAML; and how the time grows with the services."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

import migrate
from benchmarks.timing import process_seconds, seconds

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
CORPUS = SAMPLES.parent.parent / "shared" / "corpus"
GROWTH = (100, 1000)


def stack_of(services: int) -> str:
    """A Compose text of so many services in a ring: each has an address and calls the next by it."""
    addresses = [f"10.77.{1 + number // 200}.{1 + number % 200}" for number in range(services)]
    blocks = [
        f"  s{number}:\n    image: example/app:1.{number}\n    expose: ['8080']\n"
        f"    environment: {{NEXT: 'http://{addresses[(number + 1) % services]}:8080/x'}}\n"
        f"    networks: {{n: {{ipv4_address: {addresses[number]}}}}}\n"
        for number in range(services)
    ]
    return "services:\n" + "".join(blocks) + "networks:\n  n: {ipam: {config: [{subnet: 10.77.0.0/16}]}}\n"


def convert(path: Path) -> migrate.Conversion:
    """One conversion in process."""
    return migrate.convert([str(path)])


def corpus_files() -> list[Path]:
    """The Compose file of every corpus stack, where the corpus is beside the checkout."""
    index = CORPUS / "index.json"
    return [CORPUS / stack["id"] / stack["path"] for stack in json.loads(index.read_text())] if index.is_file() else []


def run() -> dict[str, object]:
    """Median and p95 per corpus stack, a small stack against `import yaml`, and the growth from 100 to 1,000 services."""
    small = SAMPLES / "ghost" / "docker-compose.yml"
    convert(small)
    peer = min(process_seconds(["-c", "import yaml"]) for _ in range(5))
    best = min(seconds(lambda: convert(small)) for _ in range(7))
    figures: dict[str, object] = {"small stack in process / start of import yaml": round(best / peer, 2)}
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for services in GROWTH:
            path = Path(folder) / f"{services}.yaml"
            path.write_text(stack_of(services))
            times.append(min(seconds(lambda path=path: convert(path)) for _ in range(2)))
    figures[f"{GROWTH[1]} services / {GROWTH[0]} services"] = round(times[1] / times[0], 1)
    corpus = []
    for path in corpus_files():
        try:
            corpus.append(seconds(lambda path=path: convert(path)))
        except migrate.Unusable:
            continue
    if corpus:
        figures["corpus stacks"] = len(corpus)
        figures["corpus stack median / start of import yaml"] = round(statistics.median(corpus) / peer, 2)
        figures["corpus stack p95 / start of import yaml"] = round(sorted(corpus)[int(0.95 * len(corpus))] / peer, 2)
    return figures
