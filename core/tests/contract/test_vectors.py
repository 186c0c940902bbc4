"""Vectors are float32, writable and the same, whatever is installed to read them with."""

import base64
import sys
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jackfield import MalformedResponseError
from jackfield._contract.decoding import find_vector_fault
from jackfield.plugin import vector_reader

VALUES = [0.0, 1.5, -2.25, 1e-3]
TEXT = base64.b64encode(array("f", VALUES).tobytes()).decode()


@pytest.fixture
def reader_without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Callable[[Any], Any]]]:
    """Return the reader that is chosen where the named packages are not installed."""

    def reader(*absent: str) -> Callable[[Any], Any]:
        installed = sys.modules.get("importlib.util")
        assert installed is not None
        found = installed.find_spec
        monkeypatch.setattr(
            "jackfield._contract.decoding.find_spec", lambda name: None if name in absent else found(name)
        )
        vector_reader.cache_clear()
        return vector_reader()

    yield reader
    vector_reader.cache_clear()


@pytest.mark.parametrize("absent", [(), ("pybase64",), ("numpy",), ("numpy", "pybase64")])
@pytest.mark.parametrize(
    "sent", [VALUES, TEXT, TEXT[:8] + "\n" + TEXT[8:]], ids=["numbers", "base64", "broken line"]
)
def test_every_reader_gives_the_same_writable_floats(
    reader_without: Callable[..., Callable[[Any], Any]], absent: tuple[str, ...], sent: Any
) -> None:
    if "pybase64" not in absent:
        pytest.importorskip("pybase64")
    if "numpy" not in absent:
        pytest.importorskip("numpy")
    vector = reader_without(*absent)(sent)
    assert list(vector) == list(array("f", VALUES))
    assert memoryview(vector).format == "f"
    vector[0] = 7.0
    assert vector[0] == 7.0


@pytest.mark.parametrize("absent", [(), ("pybase64",), ("numpy", "pybase64")])
def test_text_that_is_no_vector_is_a_value_error(
    reader_without: Callable[..., Callable[[Any], Any]], absent: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        reader_without(*absent)(TEXT[:-3])


@pytest.mark.parametrize("absent", [(), ("numpy",)])
@pytest.mark.parametrize(
    "sent",
    [
        None, [0.1, None], [0.1, float("nan")], [float("inf"), 1.0], [], "", [[0.1, 0.2]], {"a": 1}, "abc",
        base64.b64encode(array("f", [1.0, float("nan")]).tobytes()).decode(),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_a_vector_is_found(
    reader_without: Callable[..., Callable[[Any], Any]], absent: tuple[str, ...], sent: Any
) -> None:
    read = reader_without(*absent)
    try:
        vector = read(sent)
    except (TypeError, ValueError):
        return
    assert find_vector_fault(vector)


@pytest.mark.parametrize("absent", [(), ("numpy",)])
def test_a_vector_has_no_fault(
    reader_without: Callable[..., Callable[[Any], Any]], absent: tuple[str, ...]
) -> None:
    assert find_vector_fault(reader_without(*absent)(VALUES)) is None


@pytest.mark.parametrize("absent", [(), ("numpy",)])
@pytest.mark.parametrize("sent", [["0.1", "0.2"], [True, False]])
def test_texts_and_truth_values_are_no_numbers(
    reader_without: Callable[..., Callable[[Any], Any]], absent: tuple[str, ...], sent: list[Any]
) -> None:
    with pytest.raises(MalformedResponseError, match="not a list of numbers"):
        reader_without(*absent)(sent)


def test_a_vector_is_finite_if_its_sum_overflows_and_no_number_does() -> None:
    assert find_vector_fault(array("d", [1e308, 1e308])) is None
    assert (
        find_vector_fault(array("d", [float("inf"), float("-inf")])) == "it has numbers that are not finite"
    )
