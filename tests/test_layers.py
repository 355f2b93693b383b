"""The rooms know only what they may: read from the source, and seen in a running process."""

import subprocess
import sys

HEAVY = ("obstore", "torch", "funasr", "whisper", "transformers", "av", "numba", "modelscope")


def loaded_by(modules: str) -> set[str]:
    """Import modules in a fresh process and give the packages that came along."""
    seen = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}; {seen}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_arrows_point_one_way_and_each_room_keeps_its_vendor() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_bot_process_holds_no_speech_library() -> None:
    loaded = loaded_by("bot.cli.bot")
    assert "aiogram" in loaded
    assert not loaded.intersection(HEAVY)


def test_a_command_that_does_not_talk_to_telegram_yet_loads_neither_aiogram_nor_what_reads_speech() -> None:
    commands = ("doctor", "history", "models", "queue", "run", "transcribe", "worker")
    loaded = loaded_by(", ".join(f"bot.cli.{command}" for command in commands))
    assert not loaded.intersection({*HEAVY, "aiogram", "alembic", "onnxruntime", "onnx"})


def test_the_help_page_waits_for_no_library() -> None:
    assert not loaded_by("bot.__main__").intersection({*HEAVY, "aiogram", "sqlalchemy", "arq", "pydantic", "numpy"})
