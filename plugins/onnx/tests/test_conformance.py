"""The conformance kit, over answers of the engine as objects."""

import numpy as np

import jackfield_onnx
from jackfield.plugin import Frame
from jackfield.testing import Case, conformance
from jackfield_onnx._engine.embedder import Embeddings
from jackfield_onnx._engine.replies import Step, TokenDetail, Usage
from jackfield_onnx._engine.reranker import Scores


def used(generated: int) -> Usage:
    return Usage(
        prompt_tokens=31,
        generated_tokens=generated,
        queued_seconds=0.0,
        prompt_seconds=0.1,
        seconds=0.1 * generated,
    )


def answer() -> list[Frame]:
    logprobs = (TokenDetail(5, "Hel", -0.1, (TokenDetail(5, "Hel", -0.1),)),)
    return [
        Frame((Step("Hel", (5,), logprobs), used(1)), "step"),
        Frame((Step("lo 🙂", (6, 7, 8), None), used(4)), "step"),
        Frame((Step("", (2,), None, "stop"), used(5)), "step"),
    ]


def calling() -> list[Frame]:
    """An answer with a call of a tool, as a model with a template for tools gives it."""
    pieces = [
        "Look",
        'ing.\n<tool_call>\n{"name": "weather", "argu',
        'ments": {"city": "Köln"}}\n</tool',
        "_call>",
    ]
    steps = [Step(piece, (at,), None) for at, piece in enumerate(pieces, 5)]
    told = {"format": "hermes", "seed": "a1b2c3d", "single": False}
    return [
        Frame(told, "tools"),
        *(Frame((step, used(at)), "step") for at, step in enumerate(steps, 1)),
        Frame((Step("", (2,), None, "stop"), used(5)), "step"),
    ]


SCORES = Scores(ranked=((1, 0.9), (0, 0.2)), tokens=12, truncated=(0,), seconds=0.1)
IN_A_FOLDER = {"id": "mine", "folder": "/srv/models/mine"}
VECTORS = Embeddings(vectors=np.eye(2, 4, dtype=np.float32), tokens=6)


@conformance(
    jackfield_onnx,
    Case(
        model="smollm2-135m", wire=answer(), status=None, stream=True, text="Hello 🙂", usage=(31, 5), finish="stop",
        pair="hello", shows=("system",), name="a streamed chat",
    ),
    Case(
        model="smollm2-135m", wire=answer(), status=None, stream=False, text="Hello 🙂", usage=(31, 5), finish="stop",
        pair="hello", name="a whole chat",
    ),
    Case(model="smollm2-135m", kind="completion", wire=answer(), status=None, text="Hello 🙂", name="a completion"),
    Case(model="smollm2-135m", kind="count", wire=[Frame(31, "count")], status=None, count=31, name="a count"),
    Case(
        model="minilm", kind="embedding", wire=[Frame(VECTORS, "vectors")], status=None, embedding=(2, 4),
        usage=(6, None), name="embeddings",
    ),
    Case(
        model="mine", declared={**IN_A_FOLDER, "kind": "chat"}, wire=calling(), status=None, stream=True,
        text="Looking.", tool_call=("weather", {"city": "Köln"}), usage=(31, 5), finish="tool_calls",
        name="a call of a tool",
    ),
    Case(
        model="mine", declared={**IN_A_FOLDER, "kind": "rerank"}, kind="rerank", wire=[Frame(SCORES, "scores")],
        status=None, scores=((1, 0.9), (0, 0.2)), name="scores",
    ),
    Case(
        model="mine", declared={**IN_A_FOLDER, "kind": "summarization"}, kind="summarization", status=None,
        wire=[Frame((Step("Short.", (5, 6), None, "stop"), used(3)), "step")], text="Short.", usage=(31, 3),
        finish="stop", name="a summary",
    ),
)  # fmt: skip
def test_conformance(check):
    check()
