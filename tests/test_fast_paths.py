"""Every fast path has a test that compares it with the general path.

A fast path does for a usual case what other code does for every case, so the two can drift apart. Code says where one is
with the words "fast path" in a comment, in the docstring of a module, or in a file's name.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Where a fast path is, and the test that holds it to the general path.
TESTS = {
    "core: _http.sse.SSEFramer._events": "core/tests/http/test_fast_paths.py::test_whole_events_are_read_as_line_by_line",
    "core: _http.prepared_post": "core/tests/http/test_direct.py::test_both_ways_send_the_same_request",
    "core: _types.options.options_of": "core/tests/input/test_fast_paths.py::test_options_are_those_that_their_class_makes",
    "core: _input.messages.message_from_dict": (
        "core/tests/input/test_fast_paths.py::test_a_dict_of_role_and_text_is_read_as_one_with_more_keys"
    ),
    "core: _plugins.entry_points": "core/tests/plugins/test_entry_points.py::test_what_is_installed_here_is_found",
    "core: _calls.fold._fold_one_text": (
        "core/tests/calls/test_fast_paths.py::test_a_whole_answer_of_one_text_is_folded_as_event_by_event"
    ),
    "core: _calls.soundness.EventChecker.check": (
        "core/tests/calls/test_fast_paths.py::test_an_event_is_checked_as_by_the_reader_of_its_kind"
    ),
    "core: _types.content.Message.text": "core/tests/input/test_fast_paths.py::test_the_text_of_a_message_is_that_of_its_parts",
    "core: _values": "core/tests/test_value.py::test_equality_and_hash_are_those_of_attrs",
    "anthropic: _chat_decoder.MessageDecoder.feed": (
        "plugins/anthropic/tests/test_chat_fast_path.py::test_the_fast_path_reads_a_delta_as_the_general_one_does"
    ),
    "aws: _sigv4": "plugins/aws/tests/test_sigv4.py::test_a_signature_is_botocores",
    "bedrock: _converse_decoder.ConverseDecoder.feed": (
        "plugins/bedrock/tests/test_converse_fast_path.py::test_the_fast_path_reads_a_piece_of_a_stream_as_the_general_one_does"
    ),
    "bedrock: _converse_fast_path": (
        "plugins/bedrock/tests/test_converse_fast_path.py::test_the_fast_path_reads_an_answer_as_the_general_one_does"
    ),
    "bedrock: _messages.Conversation._blocks": (
        "plugins/bedrock/tests/test_fast_paths.py::test_the_fast_path_writes_one_text_as_the_general_one_does"
    ),
    "cohere: _chat_decoder.ChatDecoder._read": (
        "plugins/cohere/tests/test_chat_fast_path.py::test_the_fast_path_reads_a_delta_as_the_general_one_does"
    ),
    "gateway: _answers": "plugins/gateway/tests/test_fast_paths.py::test_a_whole_answer_is_written_as_aiohttp_writes_it",
    "openai: _chat_fast_path": "plugins/openai/tests/test_chat_fast_path.py::test_both_ways_read_a_stream_alike",
    "openai: _messages.build_messages": "plugins/openai/tests/test_messages_fast_path.py::test_both_ways_write_a_message_alike",
    "snowflake: _finish.CortexDecoder.feed": (
        "plugins/snowflake/tests/test_fast_paths.py::test_the_fast_path_hands_on_what_the_general_one_does"
    ),
    "surfaces: _chat_encoder.ChatEncoder._text": (
        "plugins/surfaces/tests/test_chat_fast_path.py::test_the_fast_path_writes_a_chunk_of_text_as_the_general_one_does"
    ),
    "vertex: _gemini_decoder.GeminiDecoder._part": (
        "plugins/vertex/tests/test_gemini_fast_path.py::test_the_fast_path_reads_parts_as_the_general_one_does"
    ),
}  # fmt: skip

_MARK = re.compile(r"fast[ _]path", re.IGNORECASE)
# How a fast path gives itself away that does not say so.
_HINT = re.compile(r"\bnearly (?:every|all)\b", re.IGNORECASE)


def sources() -> dict[str, str]:
    """Map each module, as `distribution: module`, to its text."""
    packages = {"core": ROOT / "core/src/jackfield"}
    for path in sorted(ROOT.glob("plugins/*/src/*")):
        name = path.parents[1].name
        packages[name if path.name == f"jackfield_{name.replace('-', '_')}" else path.name] = path
    return {
        f"{name}: {'.'.join(path.relative_to(package).with_suffix('').parts)}": path.read_text("utf-8")
        for name, package in packages.items()
        for path in package.rglob("*.py")
    }


def comments(text: str) -> list[tuple[int, str]]:
    """List the comments of a module with their lines."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def place_of(tree: ast.Module, line: int) -> str:
    """Return the dotted name of the function or class that a line is in; "" outside of all."""
    names: list[str] = []
    body: list[ast.stmt] = tree.body
    while True:
        inner = next(
            (
                node
                for node in body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and node.lineno <= line <= (node.end_lineno or 0)
            ),
            None,
        )
        if inner is None:
            return ".".join(names)
        names.append(inner.name)
        body = inner.body


def fast_paths_in(module: str, text: str) -> set[str]:
    """Return where a module has fast paths: the module itself, or functions of it."""
    tree = ast.parse(text)
    found = {module} if _MARK.search(module) or _MARK.search(ast.get_docstring(tree) or "") else set()
    lines = [line for line, comment in comments(text) if _MARK.search(comment)]
    lines += [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "object.__new__"
    ]
    return found | {f"{module}.{place}".rstrip(".") for place in (place_of(tree, line) for line in lines)}


def test_every_fast_path_is_listed_with_its_test():
    found = set().union(*(fast_paths_in(module, text) for module, text in sources().items()))
    assert found - TESTS.keys() == set(), "no test is named that compares these with the general path"
    assert TESTS.keys() - found == set(), "these are no longer there"


@pytest.mark.parametrize("test", sorted(set(TESTS.values())))
def test_the_tests_exist(test):
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_a_comment_that_gives_a_fast_path_away_says_so():
    assert [
        f"{module}:{line}: {comment}"
        for module, text in sources().items()
        for line, comment in comments(text)
        if _HINT.search(comment) and not _MARK.search(comment)
    ] == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("class A:\n    def f(self):\n        return 1  # fast path: usual\n", {"x: m.A.f"}),
        ("async def g():\n    # Fast path: usual\n    return 1\n", {"x: m.g"}),
        ('"""The fast path."""\n', {"x: m"}),
        ("def h():\n    return object.__new__(int)\n", {"x: m.h"}),
        ('def i():\n    return "fast path"\n', set()),
    ],
)
def test_fast_paths_are_seen(text, wanted):
    assert fast_paths_in("x: m", text) == wanted
