"""Conversations: turns, history, leaving and stopping."""

import sys

from jackfield.plugin import UNSET
from jackfield.testing import FakeAnswer


def said(command, number=-1):
    return [(m.role, m.text) for m in command.fake.requests[number].messages]


def test_history_is_kept_and_can_be_forgotten(command):
    result = command("chat", "-i", piped="one\n\ntwo\n/reset\nthree\n/exit\nnever\n")
    assert result.exit_code == 0
    assert result.stdout == "You said: one\nYou said: two\nYou said: three\n"
    assert said(command, 1) == [("user", "one"), ("assistant", "You said: one"), ("user", "two")]
    assert said(command, 2) == [("user", "three")]
    assert len(command.fake.requests) == 3
    assert command.fake.opened == command.fake.closed == 1


def test_the_end_of_input_leaves(command):
    assert command("chat", "-i", piped="one\n").exit_code == 0


def test_a_prompt_is_the_first_turn(command):
    command("chat", "-i", "zero", "th", "--system", "Be brief", piped="one\n")
    assert said(command)[0] == ("user", "zero th")
    assert command.fake.requests[-1].options.system == "Be brief"


def test_a_turn_that_fails_is_told_and_not_remembered(command):
    command.fake.script("fine", FakeAnswer(error=400), "again")
    result = command("chat", "-i", piped="one\ntwo\nthree\n")
    assert result.exit_code == 0
    assert result.stdout == "fine\nagain\n"
    assert "status 400" in result.stderr
    assert "above" not in result.stderr  # what stands there answered another turn
    assert said(command) == [("user", "one"), ("assistant", "fine"), ("user", "three")]


def test_help_and_unknown_words_are_not_sent(command):
    result = command("chat", "-i", piped="/help\n/rest\n/etc/hosts holds what?\n")
    assert "/reset" in result.stderr
    assert "There is no /rest" in result.stderr
    assert said(command) == [("user", "/etc/hosts holds what?")]


def test_words_that_look_like_commands_are_not_sent_and_paths_are(command):
    lines = [
        "/undo other",
        "/copy be brief",
        "/tmp is full",
        " /tmp is full",
        "/etc/hosts",
        "a /word",
        "/2 of it",
        "/reset all",
    ]
    result = command("chat", "-i", piped="\n".join(lines))
    for word in ("/undo", "/copy", "/tmp"):
        assert f"There is no {word}" in result.stderr
    assert [said(command, n)[-1][1] for n in range(4)] == [
        "/tmp is full",
        "/etc/hosts",
        "a /word",
        "/2 of it",
    ]
    assert len(command.fake.requests) == 4
    assert "Forgotten." in result.stderr


def test_a_line_that_is_not_utf_8_is_not_sent(command):
    result = command("chat", "-i", piped=b"\xef\xbb\xbfyes\nh\xe9llo\nall right\n")
    assert "not text in UTF-8" in result.stderr
    assert [said(command, n)[-1] for n in range(2)] == [("user", "yes"), ("user", "all right")]
    assert len(command.fake.requests) == 2


def test_a_conversation_has_no_json_form(command):
    assert command("chat", "-i", "--json", piped="one\n").exit_code == 2


def test_an_interrupt_while_a_line_is_read_asks_again(command, monkeypatch):
    from jackfield.cli import _conversation

    lines = iter([KeyboardInterrupt(), "one\n", EOFError()])

    def read():
        line = next(lines)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr(_conversation, "_read_line", read)
    result = command("chat", "-i", piped="")
    assert result.exit_code == 0
    assert result.stdout == "You said: one\n"
    assert sys.stdout is not None


def test_the_demo_model_is_announced_once(command):
    command.only_local()
    result = command("chat", "-i", configured=False, piped="one\ntwo\n")
    assert result.exit_code == 0
    assert result.stderr.count("demo model") == 1


def test_another_model_goes_on_with_what_was_said(command):
    command.configure(
        '[connections.a]\nprovider = "fake"\n[connections.b]\nprovider = "fake"\n[aliases]\ndefault = "a:echo"\n'
    )
    result = command("chat", "-i", piped="one\n/model b:other\ntwo\n/model nobody:x\n/model\nthree\n")
    assert [request.messages[-1].text for request in command.fake.requests] == ["one", "two", "three"]
    assert said(command, 1) == [("user", "one"), ("assistant", "You said: one"), ("user", "two")]
    assert result.stderr.count("Talking to b:other.") == 2
    assert "Error: " in result.stderr
    assert "nobody" in result.stderr


def test_the_system_prompt_can_be_changed(command):
    command(
        "chat", "-i", "--system", "Be brief", piped="one\n/system Be long, and kind\ntwo\n/system\nthree\n"
    )
    assert [request.options.system for request in command.fake.requests[:2]] == [
        "Be brief",
        "Be long, and kind",
    ]
    assert command.fake.requests[2].options.system is UNSET


def test_what_was_said_can_be_saved_and_nothing_is_overwritten(command, tmp_path):
    path = tmp_path / "talk.txt"
    result = command("chat", "-i", piped=f"one\n/save {path}\n/save {path}\n/save\n")
    assert path.read_text("utf-8") == "user:\none\n\nassistant:\nYou said: one\n\n"
    assert f"Saved in {path}." in result.stderr
    assert "cannot be written" in result.stderr
    assert "Write the name of a file" in result.stderr
    assert len(command.fake.requests) == 1
