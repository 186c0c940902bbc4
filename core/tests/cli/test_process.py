"""The command line as a process: streams, signals, start-up."""

import os
import select
import shlex
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
    assert b"Stopped; what was shown is kept" in errors
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


@posix
@pytest.mark.parametrize(
    "words", [("chat", "Hi"), ("chat", "Hi", "--json"), ("embed", "Hi"), ("plugins",), ("--help",)]
)
@pytest.mark.parametrize("where", [">&-", "> /dev/full"])
def test_an_output_that_cannot_be_written_is_one_sentence(start, words, where, tmp_path):
    if "full" in where and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    start(*words).communicate(timeout=ENOUGH)  # writes the program
    program = [sys.executable, "program.py", "--config", "jackfield.toml", *words]
    done = subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(program)} {where}"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=ENOUGH, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert ("No space left on device" if "full" in where else "stdout is closed") in done.stderr
    assert "report" not in done.stderr
    assert "Exception ignored" not in done.stderr


@posix
def test_a_full_disk_behind_stderr_does_not_cost_the_answer(start, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    start("chat", "Hi").communicate(timeout=ENOUGH)
    program = [sys.executable, "program.py", "--config", "jackfield.toml", "chat", "Hi"]
    done = subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(program)} 2> /dev/full"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=tmp_path, timeout=ENOUGH, check=False,
    )  # fmt: skip
    assert done.stdout == "You said: Hi\n"


class Terminal:
    """A terminal in which the command runs."""

    def __init__(self, command, folder):
        import pty

        self._master, slave = pty.openpty()
        environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment
        )
        os.close(slave)
        self._seen = b""

    def read_until(self, words):
        """Return what is shown up to and including some words."""
        while words not in self._seen:
            ready, _, _ = select.select([self._master], [], [], ENOUGH)
            assert ready, self._seen
            self._seen += os.read(self._master, 4096)
        shown, _, self._seen = self._seen.partition(words)
        return (shown + words).replace(b"\r\n", b"\n").decode()

    def type(self, keys):
        os.write(self._master, keys)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@posix
@pytest.mark.parametrize(
    "pasted",
    [b"one\ntwo\n/exit\nthree\n", b"\x1b[200~one\ntwo\n/exit\nthree\x1b[201~\r"],
    ids=["plain", "marked"],
)
def test_lines_that_are_pasted_together_are_one_turn(start, tmp_path, pasted):
    if b"\x1b" in pasted:
        readline = pytest.importorskip("readline")
        if "libedit" in (readline.__doc__ or ""):
            pytest.skip("libedit knows no marks of pasted text")
    start("chat", "Hi").communicate(timeout=ENOUGH)
    terminal = Terminal([sys.executable, "program.py", "--config", "jackfield.toml", "chat"], tmp_path)
    try:
        terminal.read_until(b"> ")
        terminal.type(pasted)
        assert "You said: one\ntwo\n/exit\nthree\n" in terminal.read_until(b"cost unknown")
        terminal.read_until(b"> ")
        terminal.type(b"four\n")
        assert "You said: four\n" in terminal.read_until(b"cost unknown")
    finally:
        terminal.close()


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
    assert 'pip install "./core[cli]"' in done.stderr
