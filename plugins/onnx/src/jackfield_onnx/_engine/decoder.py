"""Run a decoder graph for several answers at once, with their keys and values where the graph runs.

Rows are the answers that are being made. One more may be under way to them: its prompt is read beside the rows, and
then it joins. Two kinds of graph stand behind one interface; which it is, `_layouts` finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np

from jackfield_onnx._files.layouts import DecoderFolder
from jackfield_onnx._runtime import cuda
from jackfield_onnx._runtime.session import (
    RunOptions,
    SessionSettings,
    load_runtime,
    open_session,
)
from jackfield_onnx._text.sampling import Floats

from .concat_decoder import ConcatDecoder
from .graph import DecoderGraph
from .shared_decoder import SharedDecoder

__all__ = ["Decoder", "open_decoder"]


class Decoder(Protocol):
    """What the scheduler needs of a model. All calls but `release` come from one thread.

    A call that raises has changed nothing but the row that was begun.
    """

    @property
    def slots(self) -> int:
        """Rows there is room for, the one that was begun included."""

    def begin(self) -> None:
        """Begin a row, beside those that are there; there is never more than one."""

    def read(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        """Let the row that was begun read more of its prompt.

        Returns:
            The logits [vocabulary] that follow the last token. The next call overwrites them.
        """

    def join(self) -> None:
        """Make the row that was begun the last of the rows."""

    def drop(self) -> None:
        """Forget the row that was begun."""

    def step(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        """Give each row one more token.

        Returns:
            The logits [rows, vocabulary] that follow. The next call overwrites them.
        """

    def leave(self, row: int) -> None:
        """Forget a row; the last one takes its place."""

    def release(self) -> None:
        """Let go of graph and buffers; no call may follow or be under way."""


def open_decoder(
    found: DecoderFolder, session: SessionSettings, *, slots: int, context: int
) -> tuple[Decoder, str]:
    """Open a graph where it was told to run, or on the CPU if that is left open.

    Args:
        found: What its folder says.
        session: Where and how it runs.
        slots: Rows to make room for.
        context: Positions to make room for, in each row.

    Returns:
        The decoder, and the device it runs on.

    Raises:
        DeviceUnavailableError: When it cannot run where it was told to.
        UnsupportedModelError: When it is no graph of a decoder that is run here.
    """
    name, on_cpu = found.description.name, attrs.evolve(session, device="cpu")
    if found.cpu_only:
        wants_cuda = session.device != "cpu" and (
            session.device != "auto" or cuda.is_available(load_runtime())
        )
        if wants_cuda:
            cuda.report_unsuitable(session.device, name, "its graph was written for the CPU")
        session = on_cpu
    graph = DecoderGraph(open_session(found.graph, session), found)
    if found.attention == "concat":
        return ConcatDecoder(graph, slots), graph.device
    if graph.device != "cpu" and graph.kv_type != np.float16:
        cuda.report_unsuitable(session.device, name, "its fused attention keeps keys and values in float32")
        graph = DecoderGraph(open_session(found.graph, on_cpu), found)
    return SharedDecoder(graph, slots, context), graph.device
