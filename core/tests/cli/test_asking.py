"""chat, complete, summarize, count, embed, rerank."""

import json

import pytest

from jackfield._types.capabilities import Capabilities, ParameterRule
from jackfield._types.cost import RateCard
from jackfield._types.option_rules import UNSET
from jackfield.testing import FakeAnswer, FakeProvider


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_chat_writes_the_answer_to_stdout_and_the_rest_to_stderr(command):
    command.fake.price = RateCard.of(source="test", input="1", output="2")
    result = command("chat", "Hello", "there")
    assert result.exit_code == 0
    assert result.stdout == "You said: Hello there\n"
    assert "a:echo" in result.stderr
    assert "2 in + 4 out tokens" in result.stderr
    assert "0.00001 USD" in result.stderr


def test_an_unknown_cost_is_not_shown_as_nothing(command):
    assert "cost unknown" in command("chat", "Hi").stderr


def test_options_reach_the_call(command):
    result = command(
        "chat", "Hi", "--system", "Be brief", "--max-tokens", "9", "--temperature", "0", "-o", "top_p=0.5",
        "-o", 'stop=["END","."]', "-o", "user=42", "-o", "seed=7",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    options = command.fake.requests[0].options
    assert (options.system, options.max_tokens, options.temperature) == ("Be brief", 9, 0)
    assert (options.top_p, tuple(options.stop), options.user, options.seed) == (0.5, ("END", "."), "42", 7)
    assert options.top_k is UNSET


def test_an_unknown_option_is_named_with_the_closest(command):
    result = command("chat", "Hi", "-o", "temprature=1")
    assert result.exit_code == 2
    assert "did you mean 'temperature'" in result.stderr


def test_an_option_without_a_value_is_wrong_usage(command):
    result = command("chat", "Hi", "-o", "temperature")
    assert result.exit_code == 2
    assert "key=value" in result.stderr


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\r\n"])
def test_a_mark_and_the_last_line_end_are_not_sent(command, end):
    command("chat", piped=f"\ufeffhe\r\nllo{end}".encode())
    assert command.fake.requests[-1].messages[0].text == "he\r\nllo"


@pytest.mark.parametrize(
    ("piped", "reason"),
    [
        ("hello".encode("utf-16"), "it is UTF-16"),
        (b"one\nh\xe9llo", "it is not UTF-8 (line 2)"),
        (b"\xed\xa0\xbd", "UTF-8"),
    ],
)
@pytest.mark.parametrize(
    "words", [("chat",), ("embed",), ("rerank", "query"), ("summarize",), ("count",), ("explain",)]
)
def test_input_that_is_not_utf_8_is_refused_with_a_reason(command, words, piped, reason):
    result = command(*words, piped=piped)
    assert result.exit_code == 2
    assert "stdin: " in result.stderr
    assert reason in result.stderr
    assert command.fake.requests == []


@pytest.mark.parametrize(
    "words",
    [
        ("chat", "h\udce9llo"),
        ("embed", "h\udce9llo"),
        ("chat", "Hi", "--system", "\udce9"),
        ("chat", "Hi", "-o", "user=\udce9"),
    ],
)
def test_words_that_are_not_utf_8_are_refused_with_a_reason(command, words):
    result = command(*words)
    assert result.exit_code == 2
    assert "is not text in UTF-8" in result.stderr


def test_an_option_that_is_nested_without_end_is_a_text(command):
    assert command("chat", "Hi", "-o", "user=" + "[" * 100_000).exit_code == 0
    assert command.fake.requests[-1].options.user == "[" * 100_000


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_those_that_other_programs_count(command, end):
    lines = [
        "one\u2028still one",
        "two\x0cstill two",
        "three\x85still three",
        "four\x1cstill four",
        "five\x0bstill five",
    ]
    command("embed", piped=(end.join(lines) + end).encode())
    assert command.fake.requests[-1].inputs == tuple(lines)
    command("rerank", "query", piped=end.join(lines).encode())
    assert command.fake.requests[-1].documents == tuple(lines)


@pytest.mark.parametrize(
    ("words", "alias"), [("embed", '"embedding"'), ("rerank", '"rerank"'), ("chat", '"default"')]
)
def test_help_names_the_alias_that_a_command_uses(command, words, alias):
    assert alias in " ".join(command(words, "--help").stdout.split())


def test_what_is_piped_in_is_the_prompt_or_follows_it(command):
    assert command("chat", piped="from a pipe\n").stdout == "You said: from a pipe\n"
    assert command("chat", "Sum up:", piped="a text\n").stdout == "You said: Sum up:\n\na text\n"


def test_no_prompt_at_all_is_wrong_usage(command):
    result = command("chat", piped="")
    assert result.exit_code == 2
    assert "PROMPT" in result.stderr
    assert "jackfield chat --help" in result.stderr


def test_json_is_one_object(command):
    result = command("chat", "Hello", "--json")
    said = json.loads(result.stdout)
    assert said["text"] == "You said: Hello"
    assert said["usage"]["output_tokens"] == 3
    assert said["cost"]["status"] == "unknown"
    assert said["complete"] is True
    assert result.stderr == ""
    assert command.fake.requests[0].stream is False


def test_json_may_stand_before_the_command(command):
    assert json.loads(command("--json", "chat", "Hello").stdout)["text"] == "You said: Hello"


def test_a_json_stream_is_a_line_for_each_event_and_the_reply_last(command):
    events = lines(command("chat", "Hello", "--json", "--stream").stdout)
    assert "".join(event["text"] for event in events if event["type"] == "TextDelta") == "You said: Hello"
    assert events[-1]["type"] == "Reply"
    assert events[-1]["text"] == "You said: Hello"


def test_streaming_is_the_default_and_can_be_declined(command):
    command("chat", "Hello")
    command("chat", "Hello", "--no-stream")
    assert [request.stream for request in command.fake.requests] == [True, False]


def test_a_model_that_cannot_stream_answers_whole_unless_streaming_was_asked_for(command):
    command.fake.capabilities = Capabilities(known=True).with_features("test", streaming=False)
    assert command("chat", "Hello").stdout == "You said: Hello\n"
    assert [request.stream for request in command.fake.requests] == [False]
    assert command("chat", "Hello", "--stream").exit_code == 4


def test_changed_parameters_are_told(command):
    rules = {"top_k": ParameterRule(supported=False, why="the service has none")}
    command.fake.capabilities = Capabilities(known=True, parameters=rules)
    assert command("chat", "Hi", "-o", "top_k=3").exit_code == 4
    result = command("chat", "Hi", "-o", "top_k=3", "-o", "unsupported=drop")
    assert result.exit_code == 0
    assert "top_k dropped: the service has none" in result.stderr


def test_what_was_filled_in_is_told_if_it_is_an_option_of_ours(command):
    from jackfield._types.parameters import ParameterNote, ParameterReport
    from jackfield.cli._answers import note_parameters

    told = []

    class Session:
        note = told.append

    notes = (
        ParameterNote("max_tokens", "defaulted", "max_tokens", 4096, "the service wants one"),
        ParameterNote("stream_options", "defaulted", "stream_options", {}, "always"),
        ParameterNote("seed", "sent", "seed", 1),
    )
    note_parameters(Session, ParameterReport(notes))
    assert told == ["max_tokens defaulted to 4096: the service wants one"]


def test_thinking_is_shown_only_if_asked_for_and_never_on_stdout(command):
    command.fake.script(FakeAnswer(text="yes", thinking="let me see"))
    assert "let me see" not in command("chat", "Hi").stderr
    command.fake.script(FakeAnswer(text="yes", thinking="let me see"))
    result = command("chat", "Hi", "--thinking")
    assert result.stdout == "yes\n"
    assert "let me see" in result.stderr


def test_tool_calls_and_further_choices_are_written_too(command):
    command.fake.script(FakeAnswer(tool_calls=[("add", {"a": 1})]))
    assert command("chat", "Hi").stdout.strip() == 'add({"a":1})'
    assert command("chat", "Hi", "-o", "n=2").stdout.count("You said: Hi") == 2


def test_an_answer_that_was_cut_says_so(command):
    result = command("chat", "one two three", "--max-tokens", "2")
    assert result.exit_code == 0
    assert "length" in result.stderr


def test_the_model_is_named_or_the_only_one_or_asked_for(command):
    command.configure('[connections.a]\nprovider = "fake"\nmodels = ["only"]')
    assert command("chat", "Hi").exit_code == 0
    assert command.fake.wires[0].body["model"] == "only"
    command.configure('[connections.a]\nprovider = "fake"\nmodels = ["one", "two", "x*"]')
    result = command("chat", "Hi")
    assert result.exit_code == 4
    assert "a:one, a:two, a:..." in result.stderr
    assert "-m TARGET" in result.stderr
    assert command("chat", "Hi", "-m", "a:two").exit_code == 0


def test_a_default_that_only_chats_is_not_asked_to_embed(command):
    chat, embedding = (
        Capabilities(known=True, kinds=frozenset({kind})).with_features("test", streaming=True)
        for kind in ("chat", "embedding")
    )
    command.fake.capabilities = {"talk": chat, "vec": embedding}
    command.configure(
        '[aliases]\ndefault = "a:talk"\n[connections.a]\nprovider = "fake"\nmodels = ["talk", "vec"]'
    )
    assert command("embed", "x").exit_code == 0
    assert command.fake.wires[-1].body["model"] == "vec"
    assert command("rerank", "x", "y").exit_code == 4


def test_the_demo_model_is_called_what_it_is(command):
    command.only_local()
    result = command("chat", "Hello", configured=False)
    assert result.stdout == "You said: Hello\n"
    assert "demo model of 135M parameters" in result.stderr
    assert "demo model" in json.loads(command("chat", "Hello", "--json", configured=False).stdout)["notice"]


def test_another_model_is_no_demo(command):
    assert "demo" not in command("chat", "Hello").stderr


def test_complete_and_summarize(command):
    assert command("complete", "Once").stdout == "You said: Once\n"
    assert command("summarize", piped="a long text").stdout == "In short: a long text\n"
    assert json.loads(command("complete", "Once", "--json").stdout)["text"] == "You said: Once"


def test_count(command):
    result = command("count", "one two three")
    assert result.stdout == "3\n"
    assert "counted by service" in result.stderr
    assert json.loads(command("count", "one two", "--json").stdout)["input_tokens"] == 2


def test_embed_shows_sizes_and_first_values_and_json_has_all(command):
    result = command("embed", "first text", "second")
    assert result.exit_code == 0
    assert "first text" in result.stdout
    assert " 8 " in result.stdout
    assert "..." in result.stdout
    assert [len(v) for v in json.loads(command("embed", "a", "b", "--json").stdout)["embeddings"]] == [8, 8]


def test_embed_takes_lines_and_its_own_options(command):
    vectors = json.loads(command("embed", "--json", "--dimensions", "5", piped="a\n\nb\n").stdout)
    assert [len(v) for v in vectors["embeddings"]] == [5, 5]
    assert command("embed", "a", "--input-type", "nonsense").exit_code == 2


def test_rerank(command):
    result = command("rerank", "red cat", "a dog", "a red cat")
    first = result.stdout.splitlines()[1]
    assert "a red cat" in first
    best = json.loads(command("rerank", "red cat", "--top-n", "1", "--json", piped="a dog\na red cat").stdout)
    assert [one["document"] for one in best["results"]] == ["a red cat"]


@pytest.mark.parametrize("text", ["\x1b[31mred", "\x07bell", "a\rb"])
def test_a_terminal_is_told_nothing_but_text(text):
    from jackfield.cli._output import safe

    assert not set(safe(text)) & set("\x1b\x07\r")
    assert safe("two\nlines\tand ünï") == "two\nlines\tand ünï"


TWO = """
[aliases]
default = ["a:first", "local:smollm2-135m"]

[defaults]
retry = { attempts = 1 }

[connections.a]
provider = "fake"

[connections.local]
provider = "onnx"
"""
FELL_BACK = "a:first failed (ServerError), answered by local:smollm2-135m"


@pytest.fixture
def falling(command):
    command.configure(TWO)
    command.fake.script(*[FakeAnswer(error=500)] * 3)
    command.providers = [command.fake, FakeProvider("onnx")]
    return command


@pytest.mark.parametrize("way", ["--stream", "--no-stream"])
def test_who_answered_in_whose_place_is_told_before_the_answer(falling, way):
    result = falling("chat", "Hi", way)
    assert result.exit_code == 0
    assert result.stderr.startswith(FELL_BACK)
    assert "demo model of 135M parameters" in result.stderr, "the notice is of the model that answered"


def test_nothing_is_told_where_the_first_answers(command):
    command.configure(TWO)
    command.providers.append(FakeProvider("onnx"))
    result = command("chat", "Hi")
    assert "answered by" not in result.stderr
    assert "demo" not in result.stderr


def test_a_fallback_stands_in_the_json(falling):
    notice = json.loads(falling("chat", "Hi", "--json").stdout)["notice"]
    assert notice.startswith(FELL_BACK)
    assert "demo model" in notice
    said = json.loads(falling("embed", "Hi", "--json").stdout)
    assert said["notice"].startswith(FELL_BACK)
    assert FELL_BACK in falling("rerank", "cat", "a dog").stderr


@pytest.mark.parametrize("words", [("chat", "Hi"), ("chat", "Hi", "--no-stream"), ("embed", "Hi")])
def test_an_answer_from_the_cache_is_told(command, words):
    cache = pytest.importorskip("jackfield_cache").CACHE
    path = json.dumps(str(command.folder / "answers.sqlite"))
    command.configure(
        f'[middleware.cache]\npath = {path}\n[aliases]\ndefault = "a:echo"\n'
        '[connections.a]\nprovider = "fake"\nmiddlewares = ["cache"]'
    )
    registry = command.registry().extended(middlewares={"cache": cache})
    first = command(*words, registry=registry)
    assert first.exit_code == 0, first.stderr
    assert "from the cache" not in first.stderr
    assert "from the cache, recorded 2" in command(*words, registry=registry).stderr
    assert json.loads(command(*words, "--json", registry=registry).stdout)["replay"]["by"] == "cache"


def test_an_answer_of_the_service_is_no_replay(command):
    assert json.loads(command("chat", "Hi", "--json").stdout)["replay"] is None


def test_a_retired_model_is_told(command):
    command.fake.capabilities = Capabilities(known=True, retired="2025-01-31")
    for words in (("chat", "Hi"), ("explain", "Hi"), ("embed", "Hi")):
        assert "warning: a:echo was retired on 2025-01-31" in command(*words).stderr
    assert "2025-01-31" in command("models").stdout
    assert "retired" in json.loads(command("chat", "Hi", "--json").stdout)["notice"]
    command.fake.capabilities = Capabilities(known=True, retired="2999-01-31")
    assert "retired" not in command("chat", "Hi").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("chat", "Hi", "-o", "temprature=1"),
        ("chat", "Hi", "-o", "temperature=hot"),
        ("chat", "Hi", "--temperature", "hot"),
        ("chat", "Hi", "-o", "timeout=soon"),
        ("chat", "Hi", "-o", "timeout={\"conect\": 1}"),
        ("chat", "Hi", "-o", "unsupported=perhaps"),
        ("chat", "Hi", "-o", "tool_choice=add"),
        ("chat", "Hi", "-o", "temperature"),
        ("chat", "Hi", "--nonsense"),
        ("chat",),
        ("complete", "Hi", "-o", "stop=1"),
        ("summarize", "Hi", "-o", "n=many"),
        ("count", "Hi", "-o", "system_=x"),
        ("explain", "Hi", "--kind", "embedding", "-o", "top_k=1"),
        ("explain", "Hi", "--kind", "speech"),
        ("embed", "Hi", "-o", "truncate=middle"),
        ("rerank", "Hi", "a", "-o", "top_n=best"),
        ("models", "--kind", "speech"),
        ("nonsense",),
        ("config",),
        (),
    ],
)  # fmt: skip
def test_what_is_wrong_on_the_command_line_is_2(command, words):
    result = command(*words, piped="")
    assert result.exit_code == 2, result.stderr
    assert command.fake.wires == []


@pytest.mark.parametrize("words", [(), ("config",)])
def test_a_group_without_a_command_shows_its_help_and_no_error(command, words):
    result = command(*words, configured=False)
    assert result.stderr.startswith("Usage: ")
    assert "Error" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [{"n": 2**70}, {"text": "half \ud83d"}])
def test_arguments_that_strict_json_does_not_hold_are_written(command, arguments):
    command.fake.script(FakeAnswer(tool_calls=[("f", arguments)]))
    result = command("--json", "chat", "Hi", "--no-stream")
    assert result.exit_code == 0, result.stderr
    (part,) = json.loads(result.stdout)["choices"][0]["message"]["parts"]
    assert part["arguments"] == {"n": 2**70} if "n" in arguments else {"text": "half \ufffd"}


def test_a_cost_is_written_with_few_digits_for_people_and_with_all_for_programs(command):
    command.fake.price = RateCard.of(source="test", input="1", output="1", per=3_000_000)
    assert "0.00000266667 USD" in command("chat", "Hello", "there", "all").stderr
    result = command("--json", "chat", "--no-stream", "Hello", "there", "all")
    assert len(json.loads(result.stdout)["cost"]["amount"]) > 20
