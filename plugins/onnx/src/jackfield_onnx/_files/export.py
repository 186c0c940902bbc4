"""Export a Hugging Face folder to ONNX with optimum, in a separate process.

optimum needs torch and transformers: a gigabyte, in versions that may conflict with the program's. So it runs under the
Python of another environment if need be, and nothing of it is imported here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jackfield.plugin import install_command
from jackfield_onnx._local_errors import ConverterMissingError, DamagedModelError, PreparationError

from .folder import TEMPLATE_FILE, TEMPLATE_FOLDER

__all__ = ["export_folder"]

_SHOWN_LINES = 15


def export_folder(
    source: Path, target: Path, *, task: str = "text-generation-with-past", python: str = sys.executable
) -> None:
    """Export a model.

    The model's own code never runs, and weights are read from safetensors only: other formats can run code. Nothing is
    downloaded. The target appears by a single rename when it is complete.

    Args:
        source: A folder with `config.json`, `*.safetensors` and the tokenizer's files.
        target: The folder to create; it must not exist.
        task: optimum's name of the task.
        python: The interpreter of an environment with the extra `[export]`.

    Raises:
        DamagedModelError: The source lacks one of these files.
        ConverterMissingError: That environment does not have optimum.
        PreparationError: The target exists, or optimum fails.
    """
    if not (source / "config.json").exists() or not list(source.glob("*.safetensors")):
        raise DamagedModelError(
            "this folder cannot be exported: it needs config.json and weights as *.safetensors", str(source)
        )
    if target.exists():
        raise PreparationError(
            "the target already exists", str(target), "Choose a folder that does not exist."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        made = Path(temporary) / "made"
        _run_optimum(source.resolve(), made, task, python)
        template, others = source / TEMPLATE_FILE, source / TEMPLATE_FOLDER
        if template.exists() and not (made / template.name).exists():
            shutil.copy(template, made)
        if others.is_dir() and not (made / others.name).exists():
            shutil.copytree(others, made / others.name)
        made.replace(target)


def _run_optimum(source: Path, made: Path, task: str, python: str) -> None:
    command = [python, "-m", "optimum.exporters.onnx", "--model", str(source), "--task", task, str(made)]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    # Fixed arguments, no shell. `-m` searches the working directory for modules first: a new folder has none.
    done = subprocess.run(  # noqa: S603
        command, cwd=made.parent, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    said = done.stderr.strip().splitlines()
    if said and "No module named" in said[-1]:
        raise ConverterMissingError(
            f"optimum is not installed for {python}: {said[-1]}",
            "optimum",
            f"Create an environment with it, such as python -m venv export && export/bin/{install_command('jackfield-onnx', 'export')}; then pass its Python.",
        )
    lines = "\n".join(f"  {line}" for line in said[-_SHOWN_LINES:])
    raise PreparationError(f"optimum could not export the model; its output:\n{lines}\n", str(source))
