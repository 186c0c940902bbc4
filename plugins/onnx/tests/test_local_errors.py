import pickle

import pytest

from jackfield_onnx import _local_errors as _errors
from jackfield_onnx._local_errors import ContextOverflowError, LocalModelError, TextTooLongError


def test_a_message_says_what_which_and_what_to_do():
    error = LocalModelError("the file is gone", "model.onnx", "Fetch it again.")

    assert str(error) == "the file is gone (model.onnx). Fetch it again."


@pytest.mark.parametrize(
    "error",
    [
        LocalModelError("what", "which", "remedy"),
        ContextOverflowError(100, 50, 128, "tiny"),
        TextTooLongError(3, 300, 256, "minilm"),
    ],
)
def test_errors_survive_pickling(error):
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_a_context_overflow_names_its_figures():
    error = ContextOverflowError(100, 50, 128, "tiny")

    assert (error.prompt_tokens, error.max_tokens, error.limit) == (100, 50, 128)
    assert all(figure in str(error) for figure in ("100", "50", "128", "tiny"))


def test_only_what_may_pass_by_itself_is_retryable():
    retryable = {name for name, kind in vars(_errors).items() if getattr(kind, "is_retryable", False)}

    assert retryable == {"DownloadError", "QueueFullError", "QueueTimeoutError"}
