"""Turn a HuggingFace folder into a folder that the engine runs, with optimum in a process of its own.

optimum needs torch and transformers, a gigabyte in all, and versions of them that a program may not want; so this may
point at another environment's Python, and nothing of it is imported here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jackfield_onnx._local_errors import ConverterMissingError, DamagedModelError, PreparationError

__all__ = ["export_folder"]

_SHOWN_LINES = 15
_INSTALL = 'python -m venv export && export/bin/pip install "jackfield-onnx[export]"'


def export_folder(
    source: Path, target: Path, *, task: str = "text-generation-with-past", python: str = sys.executable
) -> None:
    """Export a model.

    The model's own code is never run, and weights are read from safetensors alone: other formats can run code. Nothing
    is fetched. The target appears by a single rename when it is complete.

    Args:
        source: A folder with `config.json`, `*.safetensors` and the tokenizer's files.
        target: The folder to make; it must not exist.
        task: optimum's word for what the model does.
        python: The interpreter of an environment with the extra `[export]`.

    Raises:
        DamagedModelError: When the source is no such folder.
        ConverterMissingError: When that environment has no optimum.
        PreparationError: When the target exists, or optimum fails.
    """
    if not (source / "config.json").exists() or not list(source.glob("*.safetensors")):
        raise DamagedModelError(
            "this is no folder to export: it needs config.json and weights as *.safetensors", str(source)
        )
    if target.exists():
        raise PreparationError("the target exists already", str(target), "Name a folder that does not exist.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        made = Path(temporary) / "made"
        _run_optimum(source.resolve(), made, task, python)
        template = source / "chat_template.jinja"
        if template.exists() and not (made / template.name).exists():
            shutil.copy(template, made)
        made.replace(target)


def _run_optimum(source: Path, made: Path, task: str, python: str) -> None:
    command = [python, "-m", "optimum.exporters.onnx", "--model", str(source), "--task", task, str(made)]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    # Fixed arguments, no shell. `-m` looks for modules in the working directory first: a fresh folder has none.
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
            f"Make an environment with it, such as {_INSTALL}; then give its python.",
        )
    lines = "\n".join(f"  {line}" for line in said[-_SHOWN_LINES:])
    raise PreparationError(f"optimum could not export the model; it said:\n{lines}\n", str(source))
