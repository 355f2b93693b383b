"""Prepares a SenseVoice folder for this machine, once, and loads what came of it.

The texts of a model that is already prepared come without torch and without FunASR.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from engine.audio.fbank import Frontend
from engine.audio.samples import Audio, decode
from engine.errors import AudioFault, ExportsClosed, ModelBroken, ModelFault, NothingToVerify
from engine.hub.catalogue import is_downloaded, locate_model
from engine.hub.languages import SENSEVOICE_LANGUAGES
from engine.hub.model_class import SENSEVOICE_CLASS, read_model_class
from engine.hub.pull import OnDownload, pull_sample
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.recognizers.sensevoice import SenseVoice, Tokenizer, tokenizer_file
from engine.request import Request
from engine.runtime.cores import cores
from engine.runtime.cpu import cpu_flags, has_gpu, int8_support
from engine.runtime.export import Decision, Exports, NotExportable, Precision
from engine.runtime.onnx import Network, NetworkBroken
from engine.runtime.precision import Texts, decide_without_proof, int8_variant, prove
from engine.settings import EngineSettings
from engine.transcript import Segment
from engine.vad.detector import VoiceActivityDetector

TRIAL_SAMPLES = 16_000
MOST_THREADS_A_PIECE = 4  # not measured beyond two; each more has to be woken for every product
DECIDING = ".deciding"
UNWRITABLE = "int8 cannot be tried, because {folder} cannot be written to"


def runs_exported(folder: Path, settings: EngineSettings) -> bool:
    """Tell whether this model, with these settings, runs exported: SenseVoice on a processor does."""
    if settings.precision == "bf16" or read_model_class(folder) != SENSEVOICE_CLASS:
        return False
    return settings.device == "cpu" or (settings.device == "auto" and not has_gpu())


def current_decision(settings: EngineSettings) -> Decision | None:
    """Give in which arithmetic the model of the settings runs, without loading it; None where that is open yet."""
    folder = locate_model(settings)
    if not runs_exported(folder, settings):
        return None
    return _settled(settings.precision, Exports(folder, settings.models_dir))


def check_exports(settings: EngineSettings) -> None:
    """See that the model of the settings is prepared, or can be, without loading it.

    Raises:
        ModelMissing: as `locate_model`.
        ExportsClosed: it is not, and cannot be.
    """
    exports = Exports(locate_model(settings), settings.models_dir)
    if missing_exports(settings) and (closed := exports.closed):
        raise ExportsClosed(model=str(exports.model), folder=str(closed))


def check_verifiable(settings: EngineSettings) -> None:
    """See that the model of the settings has two arithmetics here to choose between, without loading it.

    Raises:
        ModelMissing: as `locate_model`.
        NothingToVerify: it has not.
    """
    if settings.precision != "auto":
        raise NothingToVerify(reason=f"engine.precision is {settings.precision}, which decides already")
    if settings.model == "sensevoice" and not is_downloaded(settings):
        raise NothingToVerify(reason="sensevoice is not here yet; fetch it with `earshot models pull sensevoice`")
    if not runs_exported(locate_model(settings), settings):
        raise NothingToVerify(reason=f"{settings.model} has one arithmetic only on this machine")


def missing_exports(settings: EngineSettings) -> tuple[Precision, ...]:
    """Give what has to be written yet before the model is ready: both kinds, where they will be compared."""
    folder = locate_model(settings)
    if not runs_exported(folder, settings):
        return ()
    decision, exports = current_decision(settings), Exports(folder, settings.models_dir)
    wanted: tuple[Precision, ...] = (
        (decision.precision,) if decision else ("fp32", int8_variant(int8_support(cpu_flags())))
    )
    return tuple(precision for precision in wanted if not exports.has(precision) and not exports.unfit(precision))


def write_exports(settings: EngineSettings, precisions: tuple[Precision, ...], on_progress: OnDownload) -> None:
    """Write the model of the settings in these precisions, as far as they are still missing.

    Raises:
        ExportsClosed: no folder for them can be written to.
        ExportFailed: the machine does not let it be written.
    """
    folder = locate_model(settings)
    exports = Exports(folder, settings.models_dir)
    with exports.alone(DECIDING):  # another start may have decided meanwhile, and dropped one
        missing = missing_exports(settings)
        for precision in (asked for asked in precisions if asked in missing):
            with suppress(NotExportable):  # what is wrong with it shows when it is loaded
                exports.network(precision, partial(on_progress, f"{folder.name} ({precision})"))


@dataclass(frozen=True, slots=True)
class SenseVoiceLoader:
    """What is needed to prepare the model in `folder`, which people call `name`."""

    name: str
    folder: Path
    vad: VoiceActivityDetector
    settings: EngineSettings
    on_progress: OnDownload

    def load(self) -> SenseVoice:
        """Load the model, prepared before if it was not yet.

        Raises:
            NotExportable: it cannot be prepared.
            ExportsClosed: no folder for that can be written to.
            ExportFailed: the machine does not let it be prepared.
            ModelBroken: files are missing or damaged.
        """
        return self._reader(self._decision().precision)

    def verify(self, clips: Path) -> Decision:
        """Prove int8 anew with the owner's own recordings in the folder `clips`, and keep what came of it.

        Raises:
            NothingToVerify: there is no recording in it, or what comes of it cannot be kept.
            ModelFault: as `load`.
        """
        if closed := self._exports.closed:
            raise NothingToVerify(reason=f"{closed} cannot be written to, so nothing that is found out can be kept")
        recordings = _recordings(clips, self.settings.max_audio_s)
        if not recordings:
            raise NothingToVerify(reason=f"no recording in {clips} can be read")
        with self._exports.alone(DECIDING):
            return self._proved(int8_variant(int8_support(cpu_flags())), recordings)

    def _decision(self) -> Decision:
        if settled := _settled(self.settings.precision, self._exports):
            return settled
        precision = int8_variant(int8_support(cpu_flags()))
        with self._exports.alone(DECIDING):  # else one worker drops what another is about to open
            return self._exports.decision(precision) or self._proved(precision, self._sample())

    def _sample(self) -> Sequence[Audio]:
        try:
            file = pull_sample(self.settings.models_dir, on_progress=self.on_progress)
        except (ModelFault, OSError):
            return ()
        return (decode(file, max_audio_s=self.settings.max_audio_s),)

    def _proved(self, precision: Precision, recordings: Sequence[Audio]) -> Decision:
        decision = prove(precision, lambda asked: self._texts(asked, recordings))
        self._exports.keep(precision, decision)
        self._exports.drop("fp32" if decision.precision == precision else precision)
        return decision

    def _texts(self, precision: Precision, recordings: Sequence[Audio]) -> Texts:
        if not recordings:
            return {}
        backend = TranscriptionPipeline(self.name, SENSEVOICE_LANGUAGES, self._reader(precision))
        return {
            (number, piece.start): piece.text
            for number, audio in enumerate(recordings)
            for piece in _read(backend, audio)
        }

    def _reader(self, precision: Precision) -> SenseVoice:
        path = self._exports.network(precision, partial(self.on_progress, f"{self.name} ({precision})"))
        threads = self.settings.threads or cores()
        try:
            model = SenseVoice(
                network=Network(path, threads=min(threads, MOST_THREADS_A_PIECE)),
                frontend=Frontend.load(self.folder),
                tokenizer=Tokenizer(tokenizer_file(self.folder)),
                vad=self.vad,
                max_parallel_chunks=threads,
            )
            model.recognize(np.random.default_rng(0).normal(0, 3_000, TRIAL_SAMPLES).astype(np.int16), Request())
        except FileNotFoundError as missing:
            raise self._broken(f"{Path(str(missing.filename)).name} is missing") from missing
        except (OSError, ValueError, RuntimeError, NetworkBroken) as broken:
            raise self._broken(str(broken).splitlines()[0][:200]) from broken
        return model

    @property
    def _exports(self) -> Exports:
        return Exports(self.folder, self.settings.models_dir)

    def _broken(self, reason: str) -> ModelBroken:
        return ModelBroken(path=str(self.folder), model=self.name, reason=reason)


def _settled(asked: str, exports: Exports) -> Decision | None:
    kind = int8_support(cpu_flags())
    if settled := decide_without_proof(asked, kind) or exports.decision(int8_variant(kind)):
        return settled
    if (closed := exports.closed) and exports.has("fp32"):
        return Decision(precision="fp32", reason=UNWRITABLE.format(folder=closed))
    return None


def _recordings(folder: Path, max_audio_s: float) -> list[Audio]:
    """Decode what can be decoded."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            found.append(decode(path, max_audio_s=max_audio_s))
        except (AudioFault, IsADirectoryError):
            continue
    return found


def _read(backend: TranscriptionPipeline, audio: Audio) -> tuple[Segment, ...]:
    return backend.transcribe(audio, Request(), on_progress=lambda _: None, cancelled=threading.Event()).segments
