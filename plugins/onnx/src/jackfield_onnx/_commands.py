"""The commands `jackfield onnx ...`: list, fetch, export, import and remove models of the cache."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.progress import report

from ._local_errors import LocalModelError

if TYPE_CHECKING:
    import click

    from ._files.store import ModelStore, StoredModel

__all__ = ["add_commands"]

F = TypeVar("F", bound=Callable[..., Any])


def add_commands(cli: click.Group) -> None:
    """Add the command group `onnx`."""
    import click

    @click.group("onnx")
    def group() -> None:
        """Manage local models: list, fetch, export, import, remove."""

    for add in (_add_list, _add_pull, _add_export, _add_import, _add_remove):
        add(group)
    cli.add_command(group)


def _add_cache_option(command: F) -> F:
    import click

    option = click.option(
        "--cache-dir",
        type=click.Path(path_type=Path),
        help="The model cache; default: JACKFIELD_MODEL_CACHE, else the user's cache.",
    )
    return option(command)


def _add_list(group: click.Group) -> None:
    import click

    @group.command("list")
    @_add_cache_option
    @click.pass_obj
    def list_(session: Any, cache_dir: Path | None) -> None:
        """List the catalogue and the models in the cache."""
        store = _open_store(cache_dir)
        models = [*store.list(), *store.list_cached()]
        if session.json:
            session.write_json({"cache": str(store.root), "models": [_to_row(one) for one in models]})
            return
        lines = [("name", "kind", "licence", "in the cache", "remark")]
        for one in models:
            size = f"{one.size / 1e6:,.0f} MB" if one.ready else "no"
            lines.append(
                (_get_name(one), one.entry.kind, one.entry.licence or "see its card", size, one.entry.remark)
            )
        _write_table(lines)
        session.note(f"The cache is {store.root}.")


def _add_pull(group: click.Group) -> None:
    import click

    @group.command()
    @click.argument("model")
    @click.option(
        "--revision", default="main", show_default=True, help="Branch, tag or commit of a hub's model."
    )
    @click.option(
        "--precision", default="auto", show_default=True, help="Graph of a hub's model: fp32, int8, ..."
    )
    @click.option("--endpoint", help="The hub's URL; default: HF_ENDPOINT, else Hugging Face.")
    @_add_cache_option
    @click.pass_obj
    def pull(
        session: Any, model: str, revision: str, precision: str, endpoint: str | None, cache_dir: Path | None
    ) -> None:
        """Fetch MODEL into the cache: a name from the catalogue, or owner/name on a hub.

        A token for the hub is read from HF_TOKEN. It is not sent to another --endpoint than HF_ENDPOINT.
        """
        store = _open_store(cache_dir, endpoint, precision)
        name = f"hub:{model}@{revision}" if "/" in model else model
        with _translate_errors(), session.progress():
            place = store.ensure(name, progress=report)
        _write_result(session, {"model": name, "folder": str(place)}, f"{name} is in {place}")


def _add_export(group: click.Group) -> None:
    import click

    @group.command()
    @click.argument("source")
    @click.argument("target", type=click.Path(path_type=Path))
    @click.option(
        "--task", default="text-generation-with-past", show_default=True, help="optimum's name of the task."
    )
    @click.option(
        "--python", default=sys.executable, help="A Python interpreter with jackfield-onnx[export] installed."
    )
    @_add_cache_option
    @click.pass_obj
    def export(
        session: Any, source: str, target: Path, task: str, python: str, cache_dir: Path | None
    ) -> None:
        """Export a cached model as the archive TARGET, or convert a Hugging Face folder to ONNX in TARGET.

        SOURCE is a name as `jackfield onnx list` shows it, or the path of a folder with config.json and safetensors.
        """
        store = _open_store(cache_dir)
        with _translate_errors(), session.progress():
            if Path(source).is_dir():
                from ._files.export import export_folder

                export_folder(Path(source), target, task=task, python=python)
                _write_result(
                    session, {"folder": str(target)}, f"wrote {target}; declare it with folder = ..."
                )
                return
            digest = store.export(source, target, progress=report)
        _write_result(session, {"archive": str(target), "sha256": digest}, f"wrote {target}, sha256 {digest}")


def _add_import(group: click.Group) -> None:
    import click

    @group.command("import")
    @click.argument("archive", type=click.Path(path_type=Path))
    @click.option(
        "--sha256", help="The digest that `export` printed; an archive with another one is refused."
    )
    @_add_cache_option
    @click.pass_obj
    def import_(session: Any, archive: Path, sha256: str | None, cache_dir: Path | None) -> None:
        """Import the model of an ARCHIVE into the cache."""
        with _translate_errors(), session.progress():
            if sha256 is not None:
                _check_digest(archive, sha256)
            store = _open_store(cache_dir)
            name = store.import_archive(archive, progress=report)
        _write_result(session, {"model": name, "folder": str(store.folder(name))}, f"{name} is in the cache")


def _add_remove(group: click.Group) -> None:
    import click

    @group.command()
    @click.argument("model")
    @_add_cache_option
    @click.pass_obj
    def remove(session: Any, model: str, cache_dir: Path | None) -> None:
        """Remove MODEL from the cache; a name as `jackfield onnx list` shows it."""
        with _translate_errors():
            found = _open_store(cache_dir).remove(model)
        _write_result(
            session, {"removed": found}, f"removed {model}" if found else f"{model} was not in the cache"
        )


def _open_store(cache_dir: Path | None, endpoint: str | None = None, precision: str = "auto") -> ModelStore:
    import os

    from ._files.hub import Hub
    from ._files.store import ModelStore

    # The token is for the hub that the environment means.
    token = os.environ.get("HF_TOKEN") if endpoint in (None, os.environ.get("HF_ENDPOINT")) else None
    return ModelStore(cache_dir, hub=lambda: Hub(endpoint, token or None), precision=precision)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise the command line's own errors, which have messages and exit codes."""
    from ._errors import to_jackfield

    try:
        yield
    except LocalModelError as error:
        raise to_jackfield(error) from error


def _check_digest(archive: Path, sha256: str) -> None:
    from ._files.wheels import compute_digest
    from ._local_errors import DigestMismatchError, PreparationError

    try:
        found = compute_digest(archive)
    except OSError as error:
        raise PreparationError(f"the archive cannot be read: {error}", str(archive)) from error
    if found != sha256.strip().lower():
        raise DigestMismatchError(
            f"the archive's sha256 is {found}, not the one given", str(archive), "Copy it again."
        )


def _to_row(model: StoredModel) -> dict[str, Any]:
    entry = model.entry
    return {
        "name": _get_name(model),
        "kind": entry.kind,
        "licence": entry.licence,
        "ready": model.ready,
        "bytes": model.size,
        "folder": str(model.folder),
    }


def _get_name(model: StoredModel) -> str:
    return model.entry.id if model.entry.hub is None else model.entry.hub.name


def _write_result(session: Any, value: dict[str, Any], words: str) -> None:
    import click

    if session.json:
        session.write_json(value)
    else:
        click.echo(words)


def _write_table(lines: Sequence[Sequence[str]]) -> None:
    import click

    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
