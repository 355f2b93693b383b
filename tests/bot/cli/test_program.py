"""What holds for all commands: help, versions, exit codes, one line for what goes wrong."""

import gc
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bot.__main__ import COMMANDS, run_program
from bot.config.settings import PROJECT
from bot.process.fast_import import garbage_collection_paused
from tests.bot.cli.conftest import Earshot

TOKEN = {"EARSHOT_TELEGRAM__TOKEN": "42:x"}

ENDS_WITHIN_A_NETWORK = """
import sys, threading, time
import numpy as np
from onnx import TensorProto, helper
from bot import __main__ as program
from engine.runtime.onnx import Network

matrix = helper.make_tensor_value_info("x", TensorProto.FLOAT, [5000, 5000])
product = helper.make_tensor_value_info("y", TensorProto.FLOAT, [5000, 5000])
graph = helper.make_graph([helper.make_node("MatMul", ["x", "x"], ["y"])], "product", [matrix], [product])
opsets = [helper.make_opsetid("", 17)]
network = Network(helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString())
ones = np.ones((5000, 5000), np.float32)

class StaysAWhile:  # as a large program does while Python goes
    def __del__(self, sleep=time.sleep):
        sleep(30)

def command(arguments):
    threading.Thread(target=lambda: network.run("y", x=ones), daemon=True).start()
    time.sleep(0.5)
    print("the text", end="")
    return 130

sys.stays = StaysAWhile()
program.run_program = command
program.main()
"""


def test_the_help_page_names_every_command(earshot: Earshot) -> None:
    done = earshot("--help")
    assert done.returncode == 0
    assert all(re.search(rf"^  {name} +\S", done.stdout, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: earshot {name} ")


def test_garbage_is_collected_again_when_a_command_was_imported_and_when_that_failed() -> None:
    assert run_program(["queue", "--help"]) == 0
    assert gc.isenabled()
    with pytest.raises(ImportError), garbage_collection_paused():
        raise ImportError
    assert gc.isenabled()


def test_every_command_file_is_a_command() -> None:
    files = {path.stem for path in (PROJECT / "bot" / "cli").glob("*.py")} - {
        "__init__",
        "startup",
        "transcribe_arguments",
    }
    assert files == set(COMMANDS)


def test_the_script_and_the_module_are_the_same_program(earshot_process: Earshot) -> None:
    script = Path(sys.executable).with_name("earshot")
    by_name = subprocess.run([script, "--version"], capture_output=True, text=True, check=True).stdout
    assert by_name == earshot_process("--version").stdout == f"earshot, version {version('earshot')}\n"


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["queue", "--bogus"], ["transcribe"], ["history", "--limit", "0"], []]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(arguments) == 2
    assert "Usage: earshot" in capsys.readouterr().err


def test_a_wrong_setting_is_one_line_and_1(earshot_process: Earshot) -> None:
    done = earshot_process("queue", EARSHOT_ENGINE__MODLE="x")
    assert done.returncode == 1
    assert done.stderr == "earshot: There is no setting EARSHOT_ENGINE__MODLE; did you mean EARSHOT_ENGINE__MODEL?\n"
    assert done.stdout == ""


@pytest.mark.parametrize("role", ["run", "bot", "worker"])
def test_without_a_token_it_says_where_to_get_one(earshot: Earshot, role: str) -> None:
    done = earshot(role)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "@BotFather" in done.stderr
    assert "EARSHOT_TELEGRAM__TOKEN" in done.stderr


def test_a_model_that_does_not_exist_is_one_line(earshot: Earshot) -> None:
    done = earshot("run", EARSHOT_ENGINE__MODEL="nonsense", **TOKEN)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "nonsense" in done.stderr
    assert "starter" in done.stderr


def test_what_nobody_foresaw_is_a_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def break_down(_: object) -> None:
        raise KeyError("gone")

    monkeypatch.setattr("bot.cli.startup.read_settings", lambda: break_down(None))
    monkeypatch.delenv("EARSHOT_LOG__LEVEL", raising=False)
    assert run_program(["queue"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("earshot: KeyError: 'gone' (this should not happen")
    assert "Traceback" not in said


def test_what_nobody_foresaw_stays_one_line_however_much_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down() -> None:
        raise ValueError("special token\nIf you want\r\n\tthis text" + " and more\n" * 1_000)

    monkeypatch.setattr("bot.cli.startup.read_settings", break_down)
    monkeypatch.delenv("EARSHOT_LOG__LEVEL", raising=False)
    assert run_program(["queue"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("earshot: ValueError: special token If you want this text and more")
    assert said.endswith("EARSHOT_LOG__LEVEL=debug shows where it comes from)\n")
    assert len(said.splitlines()) == 1
    assert len(said) < 500


def test_an_interrupted_command_is_quiet_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.cli.startup.read_settings", interrupt)
    assert run_program(["queue"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_it_ends_with_its_code_and_all_it_printed_while_a_thread_is_still_in_a_network() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS_WITHIN_A_NETWORK], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "the text", "")


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("EARSHOT_REDIS__URL", "redis.url is not understood"),
        ("EARSHOT_DATABASE__URL", "database.url is not understood"),
    ],
)
@pytest.mark.parametrize("scheme", ["redis", "no-database"])
def test_an_address_that_cannot_be_read_is_told_without_its_password(
    earshot: Earshot, variable: str, sentence: str, scheme: str
) -> None:
    done = earshot("queue", **{variable: f"{scheme}://:pa?ss-word@host"})
    assert done.returncode == 1
    assert done.stderr.startswith(f"earshot: {sentence}")
    assert "ss-word" not in done.stdout + done.stderr


@pytest.mark.parametrize("role", ["run", "bot", "worker"])
@pytest.mark.parametrize(
    ("words", "reason"), [("gone.txt", "No such file or directory"), ("words.bin", "it is not text in UTF-8")]
)
def test_a_list_of_hotwords_that_is_wrong_is_a_line_before_a_model_is_fetched(
    earshot: Earshot, tmp_path: Path, role: str, words: str, reason: str
) -> None:
    (tmp_path / "words.bin").write_bytes(bytes(range(256)))
    done = earshot(role, EARSHOT_ENGINE__HOTWORDS=words, EARSHOT_ENGINE__MODEL="starter", **TOKEN)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"earshot: The list of hotwords {words} cannot be read: {reason}. ")
    assert not (tmp_path / "models").exists()
