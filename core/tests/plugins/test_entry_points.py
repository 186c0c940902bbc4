"""What is installed is found as importlib.metadata finds it, wherever it lies."""

import importlib.metadata
import sys
import zipfile
from pathlib import Path

import pytest

from jackfield._plugins.entry_points import find_entry_points

GROUP = "jackfield.providers.v1"


def install(
    folder: Path, name: str, version: str = "1.0", points: str = "acme = acme_plugin", **more: str
) -> Path:
    """Write the record of a distribution, as an installer does."""
    record = folder / f"{name.replace('-', '_').replace('.', '_')}-{version}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n\nName: no\n")
    (record / "entry_points.txt").write_text(more.get("text", f"[{GROUP}]\n{points}\n"))
    return record


def as_importlib_says() -> set[tuple[str, str, str, str, str]]:
    everything = importlib.metadata.entry_points()
    return {
        (entry.group, entry.name, entry.value, entry.dist.name, entry.dist.version)
        for group in everything.groups
        if group.startswith("jackfield.")
        for entry in everything.select(group=group)
        if entry.dist is not None
    }


def as_we_say() -> set[tuple[str, str, str, str, str]]:
    return {
        (entry.group, entry.name, entry.value, *entry.distribution)
        for entry in find_entry_points("jackfield.")
    }


def test_what_is_installed_here_is_found() -> None:
    assert as_we_say() == as_importlib_says() != set()


@pytest.mark.parametrize(
    "text",
    [
        f"[{GROUP}]\nacme = acme_plugin\n",
        f"[{GROUP}]\n\n  acme=acme_plugin:plugin [extra]  \n# acmee = no\n[console_scripts]\nx = y:z\n",
        f"[console_scripts]\njackfield.x = y:z\n[{GROUP}]\na = b\nc = d : e.f\n",
        "",
        "[console_scripts]\nsays = jackfield.cli:main\n",
        "[jackfield.providers.v2]\nacme = acme_plugin\n",
    ],
)
def test_every_way_to_write_a_record_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    install(tmp_path, "Acme.Jackfield-plugin", text=text)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert as_we_say() == as_importlib_says()


def test_of_two_copies_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "near", "jackfield-acme", "2.0")
    install(tmp_path / "far", "Jackfield.Acme", "1.0", "older = acme_plugin")
    monkeypatch.setattr(
        sys, "path", [str(tmp_path / "near"), str(tmp_path / "far"), str(tmp_path / "absent")]
    )
    assert as_we_say() == as_importlib_says() == {(GROUP, "acme", "acme_plugin", "jackfield-acme", "2.0")}


def test_an_egg_is_a_record_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "jackfield_acme.egg-info"
    record.mkdir()
    (record / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: jackfield-acme\nVersion: 3.0\n")
    (record / "entry_points.txt").write_text(f"[{GROUP}]\nacme = acme_plugin\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert as_we_say() == {(GROUP, "acme", "acme_plugin", "jackfield-acme", "3.0")}


def test_an_archive_on_the_path_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = install(tmp_path / "tree", "jackfield-acme")
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in record.iterdir():
            packed.write(file, f"{record.name}/{file.name}")
        packed.writestr("acme_plugin_packed.py", "plugin = 7\n")
    monkeypatch.setattr(sys, "path", [str(archive), *sys.path])
    assert (GROUP, "acme", "acme_plugin", "jackfield-acme", "1.0") in as_we_say()


def test_a_finder_of_somebody_else_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "jackfield-acme")

    class Finder:
        @staticmethod
        def find_spec(*_: object) -> None:
            return None

        @staticmethod
        def find_distributions(context: importlib.metadata.DistributionFinder.Context) -> object:
            return importlib.metadata.MetadataPathFinder.find_distributions(
                importlib.metadata.DistributionFinder.Context(path=[str(tmp_path)])
            )

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert (GROUP, "acme", "acme_plugin", "jackfield-acme", "1.0") in as_we_say()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("os.path", "posixpath"),
        ("os:path.join", "join"),
        ("os : path.join [extra]", "join"),
        ("os:sep", None),
    ],
)
def test_what_an_entry_names_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: str | None
) -> None:
    install(tmp_path, "jackfield-acme", points=f"acme = {value}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    loaded = next(entry for entry in find_entry_points("jackfield.") if entry.name == "acme").load()
    assert getattr(loaded, "__name__", None) == expected


UNREADABLE = [
    b"[jackfield.providers.v1]\n\xff\xfe = x\n",
    b"[jackfield.providers.v1\n\xff = = =\n",
    "[jackfield.providers.v1]\nacme = acme_plugin\n".encode("utf-16"),
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_damaged_record_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    (install(tmp_path, "broken-one") / "entry_points.txt").write_bytes(text)
    (install(tmp_path, "broken-two") / "METADATA").write_bytes(b"Name: \xff\xfe\n")
    install(tmp_path, "jackfield-acme")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert (GROUP, "acme", "acme_plugin", "jackfield-acme", "1.0") in as_we_say()


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_damaged_record_hides_no_other_where_importlib_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    (install(tmp_path, "broken-one") / "entry_points.txt").write_bytes(text)
    install(tmp_path, "jackfield-acme")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr("jackfield._plugins.entry_points._is_all_in_folders", lambda: False)
    assert (GROUP, "acme", "acme_plugin", "jackfield-acme", "1.0") in as_we_say()
