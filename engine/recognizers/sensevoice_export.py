"""Exports of SenseVoice, and the process that writes one: `python -m` this module MODEL FOLDER PRECISION."""

import sys
from pathlib import Path

from engine.runtime.export import Exports, write_export
from engine.runtime.precision import Precision


def sensevoice_exports(model: Path, models_dir: Path) -> Exports:
    """Return the exports of the SenseVoice folder `model`."""
    return Exports(model, models_dir, writer=__name__)


def main(model: Path, folder: Path, precision: Precision) -> int:
    """Write one network, and return the exit status."""
    from engine.recognizers.sensevoice_onnx import write_sensevoice  # noqa: PLC0415 - only where something is exported

    return write_export(
        folder, precision, lambda path, on_progress: write_sensevoice(model, path, precision, on_progress)
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))  # type: ignore[arg-type]  # our own caller's
