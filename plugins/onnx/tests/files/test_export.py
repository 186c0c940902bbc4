"""What an export does around optimum; optimum itself is in `exported/`."""

import subprocess
import sys

import pytest

from jackfield_onnx._files.export import export_folder
from jackfield_onnx._local_errors import ConverterMissingError, DamagedModelError, PreparationError


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


@pytest.fixture
def optimum(monkeypatch):
    """Put a process in the place of optimum's: it ends as told, and remembers how it was called."""
    calls = []

    def end(code, stderr=""):
        def run(command, *, env, **options):
            calls.append((command, env))
            made = options["cwd"] / "made"
            if code == 0:
                made.mkdir()
                (made / "model.onnx").touch()
            return subprocess.CompletedProcess(command, code, "", stderr)

        monkeypatch.setattr(subprocess, "run", run)
        return calls

    return end


def test_a_complete_export_appears_at_once(source, tmp_path, optimum):
    calls = optimum(0)

    export_folder(source, tmp_path / "new" / "target", python="py")

    assert sorted(path.name for path in (tmp_path / "new" / "target").iterdir()) == [
        "chat_template.jinja",
        "model.onnx",
    ]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["target"]
    command, environment = calls[0]
    assert command[:3] == ["py", "-m", "optimum.exporters.onnx"]
    assert not any("trust" in word for word in command)
    assert environment["HF_HUB_OFFLINE"] == environment["ORT_DISABLE_TELEMETRY"] == "1"


def test_templates_with_names_are_exported_too(source, tmp_path, optimum):
    optimum(0)
    (source / "additional_chat_templates").mkdir()
    (source / "additional_chat_templates" / "tool_use.jinja").write_text("{{ tools }}")

    export_folder(source, tmp_path / "target", python="py")

    copied = tmp_path / "target" / "additional_chat_templates" / "tool_use.jinja"
    assert copied.read_text() == "{{ tools }}"


def test_a_failed_export_leaves_nothing_and_says_what_optimum_said(source, tmp_path, optimum):
    optimum(1, "Traceback\nValueError: unknown architecture")

    with pytest.raises(PreparationError, match="unknown architecture"):
        export_folder(source, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_environment_without_optimum_is_told_with_the_command(source, tmp_path):
    # A real process: an interpreter that sees no installed packages.
    isolated = tmp_path / "python"
    isolated.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    isolated.chmod(0o755)

    with pytest.raises(ConverterMissingError, match=r"onnx\[export\]"):
        export_folder(source, tmp_path / "target", python=str(isolated))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_safetensors_is_refused(source, tmp_path, missing):
    (source / missing).unlink()
    (source / "pytorch_model.bin").touch()

    with pytest.raises(DamagedModelError, match="safetensors"):
        export_folder(source, tmp_path / "target")


def test_nothing_is_overwritten(source, tmp_path):
    with pytest.raises(PreparationError, match="exists"):
        export_folder(source, source)
