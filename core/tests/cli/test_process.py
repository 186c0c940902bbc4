"""The command line as a process: streams, signals, start-up."""

import os
import select
import signal
import subprocess
import sys
import time

import pytest
from cpu_time import costs_at_most

PROGRAM = """
import atexit, signal, sys
from jackfield import Registry
from jackfield.cli import main
from jackfield.testing import FakeAnswer, FakeProvider

# A job in the background of a shell inherits that an interrupt is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
fake = FakeProvider(answers={answers})
atexit.register(lambda: print("cancelled", fake.cancelled, "closed", fake.closed, file=sys.stderr))
main(registry=Registry.of(fake))
"""
SLOW = '[FakeAnswer(text=" ".join("word" for _ in range(400)), chunk_delay=0.05), "second"]'
ENOUGH = 120.0  # no machine is so busy


@pytest.fixture
def start(tmp_path):
    program = tmp_path / "program.py"
    declared = tmp_path / "jackfield.toml"
    declared.write_text('[aliases]\ndefault = "a:echo"\n[connections.a]\nprovider = "fake"', "utf-8")
    running = []

    def begin(*arguments, answers="()", piped=subprocess.PIPE):
        program.write_text(PROGRAM.replace("{answers}", answers), "utf-8")
        process = subprocess.Popen(
            [sys.executable, str(program), "--config", str(declared), *arguments],
            stdin=piped, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_some(process):
    ready, _, _ = select.select([process.stdout], [], [], ENOUGH)
    assert ready, "nothing came"
    return os.read(process.stdout.fileno(), 4096).decode()


posix = pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")


@posix
def test_text_comes_while_the_model_still_writes(start):
    process = start("chat", "Hi", answers=SLOW, piped=subprocess.DEVNULL)
    first = read_some(process)
    assert first.startswith("word")
    assert process.poll() is None
    assert len(first.split()) < 400


@posix
def test_an_interrupt_closes_the_answer_and_ends_with_130(start):
    process = start("chat", "Hi", answers=SLOW, piped=subprocess.DEVNULL)
    read_some(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=ENOUGH)
    assert process.returncode == 130
    assert b"cancelled 1 closed 1" in errors
    assert b"Traceback" not in errors


@posix
def test_an_interrupt_in_a_conversation_stops_the_answer_and_keeps_the_conversation(start):
    process = start("chat", "-i", answers=SLOW)
    process.stdin.write(b"one\n")
    process.stdin.flush()
    read_some(process)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(b"two\n", timeout=ENOUGH)
    assert process.returncode == 0, errors
    assert out.endswith(b"\nsecond\n")
    assert b"Stopped" in errors
    assert b"cancelled 1 closed 1" in errors


@posix
def test_a_pipe_that_nobody_writes_to_does_not_hold_a_prompt_up(start):
    process = start("chat", "Hi")  # its stdin is a pipe that stays open
    assert process.wait(timeout=ENOUGH) == 0
    assert process.stdout.read() == b"You said: Hi\n"


@posix
def test_a_dash_waits_for_what_is_piped_in(start):
    process = start("chat", "Sum", "-")
    time.sleep(0.1)
    out, _ = process.communicate(b"late text", timeout=ENOUGH)
    assert out == b"You said: Sum\n\nlate text\n"


@posix
def test_a_reader_that_leaves_is_no_traceback(start):
    process = start("chat", "Hi", answers=SLOW, piped=subprocess.DEVNULL)
    read_some(process)
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=ENOUGH)
    assert process.returncode == 141
    assert b"Traceback" not in errors
    assert b"cancelled 1" in errors


@posix
@pytest.mark.parametrize("words", [("plugins",), ("plugins", "--json"), ("--help",), ("connections", "list")])
def test_every_output_may_be_left(words, tmp_path):
    path = tmp_path / "declared.toml"
    path.write_text("", "utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "jackfield", "--config", str(path), *words]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 141, done.stderr
    assert done.stderr == ""


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "jackfield", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("jackfield ")


def test_help_loads_neither_the_mesh_nor_the_tables():
    # Without extensions: those that are installed have to be asked for their commands.
    code = """
import sys
import jackfield._plugins.entry_points
jackfield._plugins.entry_points.find_entry_points = lambda prefix: []
from jackfield.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = {"jackfield._mesh", "jackfield._plugins.registry", "asyncio", "aiohttp", "rich.table", "attrs"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_help_is_there_at_once():
    code = """
from jackfield.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
    # A sixth of a second on a quiet machine, six times what its libraries take.
    assert costs_at_most(9, code, "import click, rich")


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_there_is_one_sentence(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from jackfield.cli import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert 'pip install "jackfield[cli]"' in done.stderr
