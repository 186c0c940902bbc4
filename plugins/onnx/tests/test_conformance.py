"""The conformance kit, over answers of the engine as objects."""

import numpy as np

import jackfield_onnx
from jackfield import Frame
from jackfield.testing import Case, conformance
from jackfield_onnx._embedder import Embeddings
from jackfield_onnx._engine import Step, TokenDetail, Usage


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
)  # fmt: skip
def test_conformance(check):
    check()
