import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
WALK = """
import importlib, pkgutil, sys
import engine
for module in pkgutil.walk_packages(engine.__path__, "engine."):
    importlib.import_module(module.name)
print(*sorted({"torch", "funasr", "whisper", "av", "pydub", "modelscope", "transformers"} & set(sys.modules)))
"""


def test_importing_this_room_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", WALK], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_fake_needs_nothing_heavy_to_open_decode_and_answer(tmp_path: Path) -> None:
    program = (
        "import sys, threading, wave, pathlib\n"
        "from engine.settings import EngineSettings\nfrom engine.speech import Engine, Request\n"
        f"path = pathlib.Path({str(tmp_path / 'note.wav')!r})\n"
        "with wave.open(str(path), 'wb') as file:\n"
        "    file.setparams((1, 2, 16000, 0, 'NONE', ''))\n    file.writeframes(bytes(32000))\n"
        "engine = Engine.open(EngineSettings(model='fake'))\n"
        "audio = engine.decode(path)\n"
        "said = engine.transcribe(audio, Request(), on_progress=lambda _: None, cancelled=threading.Event())\n"
        "print(said.segments[0].text, 'torch' in sys.modules, 'av' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[:2] == ["fake", "1.0s"]
    assert done.stdout.split()[3:] == ["False", "False"]
    assert done.stderr == ""
