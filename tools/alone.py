"""Check a plugin in an environment that has it and what it needs, nothing else.

    python -W error -m tools.alone plugins/openai

The plugin imports without a warning, every entry point can be used, it conforms to the contract, and it brings no other
provider's SDK.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Final

from .commands import run
from .workspace import import_name, normalised, project, siblings

__all__ = ["KIT_SETTINGS", "SDKS", "check_entry_points", "foreign", "main"]

KIT_SETTINGS: Final = ("--settings", '{"region": "eu-central-1"}')
"""What a settings class needs and the kit cannot guess; a class takes of it what it knows."""

SDKS: Final = {
    "aioboto3", "aiobotocore", "anthropic", "boto3", "botocore", "cohere", "databricks-sdk", "google-auth",
    "google-cloud-aiplatform", "google-genai", "mistralai", "numpy", "onnx", "onnxruntime", "openai", "optimum",
    "snowflake-connector-python", "snowflake-snowpark-python", "tokenizers", "torch", "transformers",
}  # fmt: skip
"""Distributions by which a plugin's own environment shows that it brings what another provider needs."""


def foreign(package: Path, installed: set[str]) -> list[str]:
    """List the SDKs that are installed although neither the package nor a sibling that it needs names them."""
    own = {normalised(need) for path in siblings(package) for need in project(path).get("dependencies", [])}
    return sorted((installed & SDKS) - own)


def check_entry_points(distribution: str, *, expected: bool = True) -> None:
    """Load everything that the entry points of a distribution name.

    Args:
        distribution: The distribution.
        expected: It declares some; a library has none.

    Raises:
        SystemExit: There is none, or one cannot be used.
    """
    from jackfield import Registry

    registry = Registry.installed()
    own = [state for state in registry.plugins(load=True) if state.distribution == distribution]
    if not own and expected:
        sys.exit(f"{distribution} has no entry point of Jackfield")
    for state in own:
        if state.state != "ready":
            sys.exit(f"the {state.kind} {state.name} is {state.state}: {state.reason}")
        if state.kind == "middleware" and not registry.middleware(state.name).settings:  # type: ignore[attr-defined]
            sys.exit(f"the middleware {state.name} has no settings")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -W error -m tools.alone", description=__doc__)
    parser.add_argument("package", type=Path, help="a folder of plugins/")
    package = parser.parse_args(arguments).package
    module = import_name(package)
    import_module(module)
    installed = {normalised(found.metadata["Name"]) for found in metadata.distributions()}
    if names := foreign(package, installed):
        sys.exit(f"{package} brings {', '.join(names)}, which its pyproject.toml does not name")
    declared = project(package).get("entry-points", {})
    check_entry_points(project(package)["name"], expected=bool(declared))
    if "jackfield.providers.v1" in declared:
        run(sys.executable, "-m", "jackfield.testing", module, *KIT_SETTINGS)


if __name__ == "__main__":
    main()
