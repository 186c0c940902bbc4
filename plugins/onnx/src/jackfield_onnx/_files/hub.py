"""Fetch models from a hub with Hugging Face's protocol.

Only graphs, weights in formats that cannot run code, and text files are fetched. The protocol is that of the Hub API's
documentation (`/api/models/...`, `/resolve/...`), read 2026-11-22.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlsplit

import attrs

from jackfield.plugin import read_json
from jackfield_onnx._local_errors import (
    DamagedModelError,
    DigestMismatchError,
    DownloadError,
    PreparationCancelledError,
    RequestError,
    UnsupportedModelError,
)

from .hub_names import HubModel

__all__ = ["Hub", "HubFile", "choose_files", "fetch_model", "is_safe_path"]

_COMMIT: Final = re.compile(r"[0-9A-Za-z][\w-]*", re.ASCII)
_CHUNK: Final = 1 << 20
_SECONDS: Final = 60.0
_TRIES: Final = 3
_LONGEST_LIST: Final = 64 << 20
"""Bytes of a list of files: some 200 of each, and the largest models have thousands."""
# Graphs, weights in formats that are only data, and text files. Pickles (.bin, .pt, .pkl) and code are excluded.
_ALLOWED: Final = re.compile(
    r".*\.(onnx|onnx_data(_\d+)?|onnx\.data|gguf|safetensors|json|txt|md|jinja)|LICENSE|NOTICE", re.IGNORECASE
)
_GRAPHS: Final = re.compile(r"(?P<place>(?:.*/)?)(?P<stem>[^/]*)\.onnx")
_SUFFIXES: Final = {
    "fp32": ("", "_fp32"),
    "fp16": ("_fp16",),
    "int8": ("_int8", "_quantized", "_uint8"),
    "int4": ("_q4", "_int4", "_bnb4"),
}


@attrs.frozen
class HubFile:
    """A file of a revision.

    Args:
        path: Its path.
        size: Its size in bytes, None if the hub does not state it.
        sha256: Its digest, for large files.
        git_id: Its git blob id, for small files.
    """

    path: str
    size: int | None
    sha256: str | None = None
    git_id: str | None = None


def is_safe_path(path: str) -> bool:
    """Return whether a path may be used in a model's folder: inside it, and of a format that cannot run code."""
    parts = PurePosixPath(path).parts
    plain = not path.startswith(("/", "\\")) and "\\" not in path and ":" not in path and "\0" not in path
    return (
        plain
        and bool(parts)
        and not any(part in {"..", "."} for part in path.split("/"))
        and (_ALLOWED.fullmatch(parts[-1]) is not None)
    )


def choose_files(files: list[HubFile], precision: str = "auto") -> list[HubFile]:
    """Choose the files needed to run a model: its text files, and one graph for each of its parts.

    Of a model without graphs, the safetensors or GGUF files are chosen, to be exported.

    Raises:
        UnsupportedModelError: It has neither, or no graph of that precision.
    """
    safe = [file for file in files if is_safe_path(file.path)]
    texts = [
        file for file in safe if file.path.endswith((".json", ".txt", ".jinja", ".md", "LICENSE", "NOTICE"))
    ]
    graphs = [file for file in safe if file.path.endswith(".onnx")]
    if not graphs:
        weights = [file for file in safe if file.path.endswith((".safetensors", ".gguf"))]
        if not weights:
            raise UnsupportedModelError(
                "this model has neither graphs nor weights as safetensors or GGUF", "the hub",
                "Other formats can run code when they are loaded, and are never fetched.",
            )  # fmt: skip
        return [*texts, *weights]
    kept = _choose_graphs(graphs, precision)
    data = [file for file in safe if any(file.path.startswith(f"{one.path}_data") for one in kept)]
    data += [file for file in safe if any(file.path == f"{one.path}.data" for one in kept)]
    return [*texts, *kept, *data]


def _choose_graphs(graphs: list[HubFile], precision: str) -> list[HubFile]:
    """Choose one graph for each part of a model: that of a precision, or with `auto` the full-precision one."""
    parts: dict[str, dict[str, HubFile]] = {}
    for file in graphs:
        found = _GRAPHS.fullmatch(file.path)
        stem = "" if found is None else found["stem"]
        known = [
            (name, end) for name, ends in _SUFFIXES.items() for end in ends if end and stem.endswith(end)
        ]
        name, end = known[0] if known else ("fp32", "")
        parts.setdefault(stem.removesuffix(end), {}).setdefault(name, file)
    # A merged decoder contains the other two.
    if "decoder_model_merged" in parts:
        for extra in ("decoder_model", "decoder_with_past_model"):
            parts.pop(extra, None)
    wanted = {"model", "encoder_model", "decoder_model", "decoder_model_merged", "decoder_with_past_model"}
    parts = {part: found for part, found in parts.items() if part in wanted} or parts
    order = tuple(_SUFFIXES) if precision == "auto" else (precision,)
    kept = [next((found[name] for name in order if name in found), None) for found in parts.values()]
    if None in kept:
        has = sorted({name for found in parts.values() for name in found})
        raise UnsupportedModelError(
            f"it has no graph of precision {precision}", "the hub", f"It has {', '.join(has)}."
        )
    return [file for file in kept if file is not None]


class Hub:
    """A client of a hub.

    Args:
        endpoint: Its URL. Default: HF_ENDPOINT, else the one in the package huggingface-hub.
        token: Access token, sent to this host only; None for none.
    """

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or _find_default_endpoint()).rstrip("/")
        parts = urlsplit(self.endpoint)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise RequestError("this is not a valid URL of a hub", self.endpoint, "Write https://...")
        loopback = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if token and parts.scheme == "http" and not loopback:
            raise RequestError("a token is never sent over plain http", self.endpoint, "Use https.")
        self._token = token
        self._opener = urllib.request.build_opener(_NoDowngrade())

    def list_files(self, model: HubModel) -> tuple[str, list[HubFile]]:
        """Return the commit of a revision and the list of its files.

        Raises:
            DownloadError: The hub cannot be reached, or has no such model.
        """
        path = f"/api/models/{model.id}/revision/{quote(model.revision, safe='')}?blobs=true"
        body = bytearray()
        for chunk in self._read_chunks(path, model.name):
            body += chunk
            if len(body) > _LONGEST_LIST:
                raise DownloadError(
                    "the hub's list of files does not end", self.endpoint, "Check the address."
                )
        try:
            found = read_json(body)
            files = [_parse_file(row) for row in found["siblings"]]
            if _COMMIT.fullmatch(commit := str(found["sha"])) is None:
                raise ValueError(f"{commit!r} is not a commit")
            return commit, files
        except (ValueError, KeyError, TypeError) as error:
            raise DownloadError(f"the hub's response cannot be read: {error!r}", self.endpoint) from error

    def fetch(
        self, model: HubModel, commit: str, file: HubFile, target: Path, progress: Callable[[int], None]
    ) -> None:
        """Fetch a file and verify its size and digest.

        Args:
            model: The model.
            commit: The commit.
            file: The file.
            target: Where to write it.
            progress: Called with the size of each chunk; may raise to abort.

        Raises:
            DownloadError: It cannot be fetched.
            DigestMismatchError: Its size or digest is not the one that the hub listed.
        """
        path = f"/{model.id}/resolve/{commit}/{quote(file.path)}"
        target.parent.mkdir(parents=True, exist_ok=True)
        sha256, size = hashlib.sha256(), 0
        git = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
        with target.open("wb") as out:
            for chunk in self._read_chunks(path, f"{model.name}: {file.path}"):
                size += len(chunk)
                if file.size is not None and size > file.size:
                    break
                sha256.update(chunk)
                git.update(chunk)
                out.write(chunk)
                progress(len(chunk))
        wrong = file.size is not None and size != file.size
        wrong = wrong or (file.sha256 is not None and sha256.hexdigest() != file.sha256)
        small = file.sha256 is None and file.git_id is not None and file.size is not None
        if wrong or (small and git.hexdigest() != file.git_id):
            raise DigestMismatchError(
                "the file does not match the hub's listing", f"{model.name}: {file.path}",
                "It was not used. Try again; if this persists, ask the operator of the hub or of a proxy in between.",
            )  # fmt: skip

    def _read_chunks(self, path: str, which: str) -> Iterator[bytes]:
        answer = self._open(path, which)
        with answer:
            try:
                while chunk := answer.read(_CHUNK):
                    yield chunk
            except (OSError, http.client.HTTPException) as error:
                raise DownloadError(f"the download was interrupted: {error}", which, "Try again.") from error

    def _open(self, path: str, which: str) -> Any:
        address = self.endpoint + path  # its scheme was checked in __init__
        request = urllib.request.Request(address, headers={"User-Agent": "jackfield-onnx"})  # noqa: S310
        if self._token:
            # Not sent to redirect targets: files are on other hosts, with signed URLs.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        for attempt in range(1, _TRIES + 1):
            try:
                return self._opener.open(request, timeout=_SECONDS)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code < 500 or attempt == _TRIES:
                    raise _refusal_error(error.code, which, self.endpoint) from error
            except (OSError, http.client.HTTPException) as error:
                if attempt == _TRIES:
                    raise DownloadError(
                        f"the hub cannot be reached: {error}", self.endpoint,
                        "Check network and proxy, set hub_endpoint (or HF_ENDPOINT) to a mirror, or import the model "
                        "with `jackfield onnx import`.",
                    ) from error  # fmt: skip
        raise DownloadError("the hub cannot be reached", self.endpoint)


def _find_default_endpoint() -> str:
    """Return the endpoint of huggingface-hub, a dependency of tokenizers."""
    try:
        from huggingface_hub.constants import ENDPOINT
    except ImportError as error:
        raise RequestError(
            "no hub is declared, and the package huggingface-hub is not installed", "hub_endpoint",
            "Declare hub_endpoint, or set HF_ENDPOINT.",
        ) from error  # fmt: skip
    return str(ENDPOINT)


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        allowed = ("https:",) if req.full_url.startswith("https:") else ("http:", "https:")
        if not newurl.startswith(allowed):
            raise urllib.error.URLError(f"a redirect to {urlsplit(newurl).scheme} is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _parse_file(row: dict[str, Any]) -> HubFile:
    large = row.get("lfs") or {}
    return HubFile(str(row["rfilename"]), row.get("size"), large.get("sha256"), row.get("blobId"))


def _refusal_error(code: int, which: str, endpoint: str) -> DownloadError:
    if code in {401, 403}:
        remedy = "Accept the model's terms at the hub, and declare hub_token (or set HF_TOKEN)."
    elif code == 404:
        remedy = "Check owner, name and revision."
    else:
        remedy = "Try again later."
    return DownloadError(f"the hub at {endpoint} responded with {code}", which, remedy)


def fetch_model(
    hub: Hub,
    model: HubModel,
    made: Path,
    *,
    precision: str,
    progress: Callable[[str, int, int | None], None],
    cancelled: Callable[[], bool],
) -> str:
    """Fetch a model into a folder.

    Returns:
        The commit.

    Raises:
        DamagedModelError: It has no config.json.
        PreparationError: It could not be fetched, or was cancelled.
        UnsupportedModelError: It has no usable graph or weights.
    """
    commit, files = hub.list_files(model)
    wanted = choose_files(files, precision)
    if not any(file.path.endswith("config.json") for file in wanted):
        raise DamagedModelError("it has no config.json", model.name, "Choose a model made for ONNX Runtime.")
    sizes = [file.size for file in wanted]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    done = 0

    def count(size: int) -> None:
        nonlocal done
        if cancelled():
            raise PreparationCancelledError("the preparation was cancelled", model.name)
        done += size
        progress("download", done, total)

    for file in wanted:
        hub.fetch(model, commit, file, made.joinpath(*PurePosixPath(file.path).parts), count)
    return commit
