"""A base builds to the plain objects, an overlay to those of its environment; its lines change what they name and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from benchmarks.convert import corpus_files
from migrate.write import File, FileTree, save
from migrate.write.kustomize import ENVIRONMENTS, kustomize
from migrate.write.overlay import operations_between
from tests.migrate.kustomize_builds import build
from tests.migrate.written_stacks import ENVIRONMENTS as PLAN
from tests.migrate.written_stacks import rich

SAMPLES = ("ghost", "shop", "slides")


def by_name(objects: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(o["kind"], o["metadata"]["name"]): o for o in objects}


def edited(tree: FileTree, name: str, change: Any) -> FileTree:
    """The tree with one file's YAML changed."""
    value = yaml.safe_load(tree.files[name].data)
    change(value)
    return FileTree(files={**tree.files, name: File(text=yaml.safe_dump(value))})


def changes(before: FileTree, after: FileTree, folder: str) -> dict[tuple[str, str], list[str]]:
    """(kind, name) -> the places that differ between two builds."""
    old, new = by_name(build(before, folder)), by_name(build(after, folder))
    assert old.keys() == new.keys()
    found = {key: [o["path"] for o in operations_between(old[key], new[key])] for key in old}
    return {key: paths for key, paths in found.items() if paths}


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_build_to_the_plain_objects(repository: Path, sample: str) -> None:
    conversion = migrate.convert("docker-compose.yml", directory=repository / "samples" / sample)
    tree = conversion.tree("kustomize")
    for folder in ("base", *(f"overlays/{name}" for name in ENVIRONMENTS)):
        assert by_name(build(tree, folder)) == by_name(conversion.manifests)


def test_corpus_stacks_build_to_the_plain_objects(shared: Path) -> None:
    built = 0
    for file in corpus_files()[::5]:
        try:
            conversion = migrate.convert(file.name, directory=file.parent)
        except migrate.Unusable:
            continue
        tree = conversion.tree("kustomize")
        assert by_name(build(tree, "base")) == by_name(build(tree, "overlays/dev")) == by_name(conversion.manifests), file
        built += 1
    assert built >= 19


def test_environments_of_the_plan_build_to_what_it_says_of_them(tmp_path: Path) -> None:
    conversion = rich(tmp_path, PLAN)
    tree = conversion.tree("kustomize")
    assert {name.split("/")[1] for name in tree.files if name.startswith("overlays/")} == {"dev", "production"}
    assert by_name(build(tree, "base")) == by_name(conversion.manifests)
    for name, manifests in conversion.environments.items():
        assert by_name(manifests) != by_name(conversion.manifests)
        assert by_name(build(tree, f"overlays/{name}")) == by_name(manifests)


def test_findings_of_an_environment_bear_its_name(tmp_path: Path) -> None:
    plan = "version: 1\nenvironments: {dev: {services: {nobody: {replicas: 1}}}}\n"
    told = [f.message for f in rich(tmp_path, plan).findings if f.message.startswith("environment dev: ")]
    assert any("nobody" in message for message in told)


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".", "Dev", ""])
def test_an_environment_is_named_like_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(migrate.Unusable) as refused:
        rich(tmp_path, f"version: 1\nenvironments: {{'{name}': {{}}}}\n")
    assert [f.code for f in refused.value.findings] == ["MIG009"]


def test_a_tag_in_an_overlay_changes_the_pods_of_that_image(tmp_path: Path) -> None:
    tree = rich(tmp_path).tree("kustomize")
    name = "overlays/dev/kustomization.yaml"

    def newer(value: Any) -> None:
        (entry,) = [e for e in value["images"] if e["name"] == "postgres"]
        entry["newTag"] = "17"

    assert changes(tree, edited(tree, name, newer), "overlays/dev") == {("StatefulSet", "db"): ["/spec/template/spec/containers/0/image"]}
    assert changes(tree, edited(tree, name, newer), "overlays/production") == {}


def test_a_count_in_an_overlay_changes_the_replicas(tmp_path: Path) -> None:
    tree = rich(tmp_path).tree("kustomize")
    name = "overlays/staging/kustomization.yaml"

    def more(value: Any) -> None:
        (entry,) = [e for e in value["replicas"] if e["name"] == "web"]
        entry["count"] = 7

    assert changes(tree, edited(tree, name, more), "overlays/staging") == {("Deployment", "web"): ["/spec/replicas"]}
    counted = yaml.safe_load(tree.files[name].data)["replicas"]
    assert "scaled" not in [e["name"] for e in counted]  # its autoscaler counts


def test_two_tags_of_one_image_are_no_line_of_images() -> None:
    def thing(name: str, image: str) -> dict[str, Any]:
        spec = {"template": {"spec": {"containers": [{"name": name, "image": image}]}}, "replicas": 1}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"}, "spec": spec}

    base = [thing("a", "redis:6"), thing("b", "redis:7")]
    wanted = [thing("a", "redis:6.2"), thing("b", "redis:7")]
    tree = kustomize(base, {"dev": wanted})
    assert "images" not in yaml.safe_load(tree.files["overlays/dev/kustomization.yaml"].data)
    assert by_name(build(tree, "overlays/dev")) == by_name(wanted)


def test_files_are_files_and_a_generator_reads_them(tmp_path: Path) -> None:
    tree = rich(tmp_path).tree("kustomize")
    (generator,) = yaml.safe_load(tree.files["base/kustomization.yaml"].data)["configMapGenerator"]
    assert generator["name"] == "files-plain"
    assert tree.files["base/files/files-plain/dos.ini"].data == b"[a]\r\nb=1\r\n"
    assert tree.files["base/files/files-plain/icon.ico"].data == b"\x00\x01\xff\xfe\x00"
    kept = [d["metadata"]["name"] for name, file in tree.files.items() if re.fullmatch(r"base/\d\d-.*\.yaml", name)
            for d in yaml.safe_load_all(file.data) if d["kind"] == "ConfigMap"]  # fmt: skip
    # Control characters are binary in a ConfigMap, and text for a generator; variables are read by name.
    assert kept == ["files-conf", "web-env"]


def test_secrets_are_private_and_named_by_the_gitignore(tmp_path: Path) -> None:
    tree = rich(tmp_path).tree("kustomize")
    assert tree.files[".gitignore"].text == "base/05-secrets.yaml\n"
    assert tree.files["base/05-secrets.yaml"].mode == 0o600
    holders = [name for name, file in tree.files.items() if b"s3cret" in file.data or b"top {{ secret }}" in file.data]
    assert holders == ["base/05-secrets.yaml"]
    assert b"not for version control" in tree.files["base/kustomization.yaml"].data


def test_another_form_takes_the_place_of_the_first(tmp_path: Path) -> None:
    conversion = rich(tmp_path)
    folder = tmp_path / "out"
    conversion.write(folder)
    (folder / "mine").mkdir()
    (folder / "mine" / "notes.yaml").write_text("mine\n")
    conversion.write(folder, form="kustomize")
    (folder / "overlays" / "dev" / "mine.yaml").write_text("mine\n")
    conversion.write(folder, form="helm")
    left = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.yaml") if p.read_text() == "mine\n")
    assert left == ["mine/notes.yaml", "overlays/dev/mine.yaml"]
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == ["files", "mine", "overlays", "templates"]
    assert save(conversion.tree("helm"), folder).writes is False


def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "out"
    tree = FileTree(files={"a": File(text="a"), "base/b": File(text="b")})
    save(FileTree(files={"a": File(text="a")}), folder)
    (folder / "base").symlink_to(elsewhere)
    with pytest.raises(migrate.OutputError, match="in the way"):
        save(tree, folder)
    assert list(elsewhere.iterdir()) == [] and sorted(p.name for p in folder.iterdir()) == [".compose-cutover", "a", "base"]


def test_images_that_cannot_be_taken_apart_have_no_line_and_stay() -> None:
    def thing(name: str, image: str) -> dict[str, Any]:
        spec = {"template": {"spec": {"containers": [{"name": name, "image": image}]}}, "replicas": 1}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"}, "spec": spec}

    base = [thing("a", "r.example.com/a:1"), thing("b", "r.example.com/b:"), thing("c", "r.example.com/${C}:1")]
    tree = kustomize(base)
    assert yaml.safe_load(tree.files["overlays/dev/kustomization.yaml"].data)["images"] == [{"name": "r.example.com/a", "newTag": "1"}]
    assert by_name(build(tree, "overlays/dev")) == by_name(base)
    # The name of `b:` would be changed by the line of `b:1`.
    tree = kustomize([*base, thing("d", "r.example.com/b:1")])
    assert "images" not in yaml.safe_load(tree.files["overlays/dev/kustomization.yaml"].data)


def test_a_dot_of_an_image_name_stands_for_any_character() -> None:
    def thing(name: str, image: str) -> dict[str, Any]:
        spec = {"template": {"spec": {"containers": [{"name": name, "image": image}]}}, "replicas": 1}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"}, "spec": spec}

    base = [thing("a", "a-b/c:2"), thing("b", "a.b/c:1")]
    tree = kustomize(base)
    assert "images" not in yaml.safe_load(tree.files["overlays/dev/kustomization.yaml"].data)
    assert by_name(build(tree, "overlays/dev")) == by_name(base)
