"""Prepares SenseVoice for this processor: exports it, proves int8 against fp32, and loads the result.

An exported model runs without torch and without FunASR: docs/decisions/0005-sensevoice-runs-exported.md.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from engine.audio import SAMPLE_RATE
from engine.audio.fbank import Frontend
from engine.audio.samples import Audio, decode
from engine.errors import AudioFault, ExportsClosed, ModelBroken, ModelFault, NothingToVerify
from engine.hub.catalogue import is_downloaded, locate_model
from engine.hub.languages import SENSEVOICE_LANGUAGES
from engine.hub.model_class import SENSEVOICE_CLASS, read_model_class
from engine.hub.pull import OnDownload, pull_sample
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.recognizers.sensevoice import SenseVoice, Tokenizer, tokenizer_file
from engine.recognizers.sensevoice_export import sensevoice_exports
from engine.request import Request
from engine.runtime.cores import cores
from engine.runtime.cpu import cpu_flags, has_gpu, int8_support
from engine.runtime.export import Exports, NotExportable
from engine.runtime.onnx import Network, NetworkBroken
from engine.runtime.precision import Decision, Precision, Texts, decide_without_proof, int8_variant, prove
from engine.settings import EngineSettings
from engine.vad.detector import VoiceActivityDetector

# Each further thread has to be woken for every product; more than two are not measured.
MAX_THREADS_PER_CHUNK = 4
CLOSED = "int8 cannot be tried, because {folder} cannot be written to"


def runs_exported(folder: Path, settings: EngineSettings) -> bool:
    """Tell whether the model in `folder` runs exported with these settings: SenseVoice on a processor does."""
    if settings.precision == "bf16" or read_model_class(folder) != SENSEVOICE_CLASS:
        return False
    if not (folder / "model.pt").is_file():
        return False  # FunASR's loader says what is missing
    return settings.device == "cpu" or (settings.device == "auto" and not has_gpu())


def current_decision(settings: EngineSettings) -> Decision | None:
    """Return the precision that the model runs in, without loading it; None where that is not decided or not asked.

    Raises:
        ModelFault: The model is not there, or cannot be read.
    """
    exports = _find_exports(settings)
    return _decide(settings, exports) if exports else None


def check_exports(settings: EngineSettings) -> None:
    """Check that the model is exported, or can be, without loading it.

    Raises:
        ModelMissing: As `locate_model`.
        ExportsClosed: It is not, and `engine.models_dir` cannot be written to.
        ExportFailed: The disk is full or fails.
    """
    exports = _find_exports(settings)
    if exports and missing_exports(settings):
        exports.check_writable()


def check_verifiable(settings: EngineSettings) -> None:
    """Check that the model can run in int8 and in fp32 here, so that they can be compared.

    Raises:
        ModelMissing: As `locate_model`.
        NothingToVerify: It cannot.
    """
    if settings.precision != "auto":
        raise NothingToVerify(reason=f"engine.precision is {settings.precision}, which decides already")
    if settings.model == "sensevoice" and not is_downloaded(settings):
        raise NothingToVerify(reason="sensevoice is not here yet; fetch it with `earshot models pull sensevoice`")
    if _find_exports(settings) is None:
        raise NothingToVerify(reason=f"{settings.model} has one arithmetic only on this machine")


def missing_exports(settings: EngineSettings) -> tuple[Precision, ...]:
    """List the exports to write before the model can be loaded: int8 and fp32 where they will be compared."""
    exports = _find_exports(settings)
    if exports is None or exports.unfit:
        return ()
    decision = _decide(settings, exports)
    wanted: tuple[Precision, ...] = (decision.precision,) if decision else ("fp32", _int8())
    return tuple(precision for precision in wanted if not exports.has(precision))


def write_exports(settings: EngineSettings, on_progress: OnDownload) -> None:
    """Write the exports that are missing.

    Raises:
        ExportsClosed: `engine.models_dir` cannot be written to.
        ExportFailed: The machine does not let them be written.
    """
    exports = _find_exports(settings)
    if exports is None:
        return
    with exports.lock(), suppress(NotExportable):  # what is wrong with it shows when it is loaded
        for precision in missing_exports(settings):
            exports.write(precision, partial(on_progress, f"{exports.model.name} ({precision})"))


@dataclass(frozen=True, slots=True)
class SenseVoiceLoader:
    """Loads the SenseVoice model in `folder`, which people call `name`."""

    name: str
    folder: Path
    vad: VoiceActivityDetector
    settings: EngineSettings
    on_progress: OnDownload

    def load(self) -> SenseVoice:
        """Load the model; export it and choose between int8 and fp32 first where that is not done.

        Raises:
            NotExportable: It cannot be exported.
            ExportsClosed: It is not exported, and `engine.models_dir` cannot be written to.
            ExportFailed: The machine does not let it be exported.
            ModelBroken: Files are missing or damaged.
        """
        exports = self._exports
        decision = _decide(self.settings, exports)
        if decision is None or not exports.has(decision.precision):
            with exports.lock():  # another process may have decided meanwhile
                decision = _decide(self.settings, exports) or self._prove(self._sample())
                self._write(decision.precision)
        return self._open(decision.precision)

    def verify(self, clips: Path) -> Decision:
        """Compare int8 with fp32 on the recordings in the folder `clips`, and keep the decision.

        Raises:
            NothingToVerify: There is no recording in it, or the decision cannot be kept.
            ModelFault: As `load`.
        """
        try:
            self._exports.check_writable()
        except ExportsClosed as closed:
            reason = f"{closed.params['folder']} cannot be written to, so nothing that is found out can be kept"
            raise NothingToVerify(reason=reason) from closed
        recordings = _decode_all(clips, self.settings.max_audio_s)
        if not recordings:
            raise NothingToVerify(reason=f"no recording in {clips} can be read")
        with self._exports.lock():
            return self._prove(recordings)

    def _prove(self, recordings: Sequence[Audio]) -> Decision:
        int8 = _int8()
        decision = prove(int8, lambda precision: self._transcribe(precision, recordings))
        self._exports.keep(int8, decision)
        self._exports.drop("fp32" if decision.precision == int8 else int8)
        return decision

    def _transcribe(self, precision: Precision, recordings: Sequence[Audio]) -> Texts:
        if not recordings:
            return {}
        self._write(precision)
        backend = TranscriptionPipeline(self.name, SENSEVOICE_LANGUAGES, self._open(precision))
        transcripts = [
            backend.transcribe(audio, Request(), on_progress=lambda _: None, cancelled=threading.Event())
            for audio in recordings
        ]
        return {
            (number, segment.start): segment.text
            for number, transcript in enumerate(transcripts)
            for segment in transcript.segments
        }

    def _sample(self) -> Sequence[Audio]:
        """Decode the sample recording; nothing where it cannot be had."""
        try:
            file = pull_sample(self.settings.models_dir, on_progress=self.on_progress)
        except (ModelFault, OSError):
            return ()
        return (decode(file, max_audio_s=self.settings.max_audio_s),)

    def _write(self, precision: Precision) -> None:
        self._exports.write(precision, partial(self.on_progress, f"{self.name} ({precision})"))

    def _open(self, precision: Precision) -> SenseVoice:
        """Load the exported network and what belongs to it, and try it once."""
        threads = self.settings.threads or cores()
        try:
            model = SenseVoice(
                network=Network(self._exports.path(precision), threads=min(threads, MAX_THREADS_PER_CHUNK)),
                frontend=Frontend.load(self.folder),
                tokenizer=Tokenizer(tokenizer_file(self.folder)),
                vad=self.vad,
                max_parallel_chunks=threads,
            )
            noise = np.random.default_rng(0).normal(0, 3_000, SAMPLE_RATE).astype(np.int16)
            model.recognize(noise, Request())
        except FileNotFoundError as missing:
            raise self._broken(f"{Path(str(missing.filename)).name} is missing") from missing
        except (OSError, ValueError, RuntimeError, NetworkBroken) as broken:
            raise self._broken(str(broken).splitlines()[0][:200]) from broken
        return model

    @property
    def _exports(self) -> Exports:
        return sensevoice_exports(self.folder, self.settings.models_dir)

    def _broken(self, reason: str) -> ModelBroken:
        return ModelBroken(path=str(self.folder), model=self.name, reason=reason)


def _find_exports(settings: EngineSettings) -> Exports | None:
    """Return the exports of the model of the settings, None where it does not run exported."""
    folder = locate_model(settings)
    return sensevoice_exports(folder, settings.models_dir) if runs_exported(folder, settings) else None


def _int8() -> Precision:
    return int8_variant(int8_support(cpu_flags()))


def _decide(settings: EngineSettings, exports: Exports) -> Decision | None:
    """Return what is decided already; None where int8 has to be proved first."""
    if decision := decide_without_proof(settings.precision, int8_support(cpu_flags())) or exports.decision(_int8()):
        return decision
    if exports.has("fp32"):
        try:
            exports.check_writable()
        except ExportsClosed as closed:
            return Decision(precision="fp32", reason=CLOSED.format(folder=closed.params["folder"]))
    return None


def _decode_all(folder: Path, max_audio_s: float) -> list[Audio]:
    """Decode the files of a folder that can be decoded."""
    found = []
    for path in sorted(folder.iterdir()):
        with suppress(AudioFault, IsADirectoryError):
            found.append(decode(path, max_audio_s=max_audio_s))
    return found
