"""Voice activity detection with FunASR's fsmn-vad model, without FunASR and torch. Knows nothing of recognition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from engine.audio.fbank import HOP, FeatureStream, Frontend
from engine.errors import ModelBroken
from engine.runtime.cores import limit_blas_to_one_thread
from engine.runtime.torch_files import Floats, read_settings, read_weights
from engine.vad.chunking import Region
from engine.vad.endpointing import EndpointConfig, Endpointer
from engine.vad.fsmn import FsmnNetwork

FRAME_MS = 10
END_SILENCE_MS = 800
BLOCK = 500 * HOP
TRIAL_SAMPLES = 100 * HOP


class _ModelConf(BaseModel):
    """The table `model_conf`. Its loudness rules are off in every published model, and not built here."""

    detect_mode: Literal[1] = 1
    do_extend: Literal[1] = 1
    frame_in_ms: Literal[10] = 10
    sil_pdf_ids: tuple[int, ...] = (0,)
    speech_2_noise_ratio: Literal[1] = 1
    snr_thres: float = Field(default=-100, le=-100)
    decibel_thres: float = Field(default=-100, le=-100)
    speech_noise_thres: float = 0.6
    window_size_ms: int = 200
    sil_to_speech_time_thres: int = 150
    speech_to_sil_time_thres: int = 150
    lookback_time_start_point: int = 200
    lookahead_time_end_point: int = 100
    max_single_segment_time: int = 60_000

    def endpoint_config(self) -> EndpointConfig:
        return EndpointConfig(
            window=self.window_size_ms // FRAME_MS,
            onset=self.sil_to_speech_time_thres // FRAME_MS,
            offset=self.speech_to_sil_time_thres // FRAME_MS,
            lead=self.lookback_time_start_point // FRAME_MS,
            silence=(END_SILENCE_MS - self.speech_to_sil_time_thres) // FRAME_MS,
            trail=self.lookahead_time_end_point // FRAME_MS,
            longest=self.max_single_segment_time // FRAME_MS,
        )

    def is_speech(self, probabilities: Floats) -> list[bool]:
        """Tell of each frame whether it is speech, from the probability of each sound in it."""
        silence = probabilities[:, list(self.sil_pdf_ids)].sum(axis=1, dtype=np.float64)
        return [bool(speech) for speech in 1 - silence >= silence + self.speech_noise_thres]


class _EncoderConf(BaseModel):
    fsmn_layers: int = Field(gt=0)
    lstride: Literal[1] = 1
    rorder: Literal[0] = 0


class _Config(BaseModel):
    model: Literal["FsmnVADStreaming"]
    encoder: Literal["FSMN"]
    encoder_conf: _EncoderConf
    model_conf: _ModelConf


class VoiceActivityDetector:
    """The fsmn-vad model. Threads may share one: each recording has its own state."""

    def __init__(self, folder: Path) -> None:
        """Read the model folder of an fsmn-vad.

        Raises:
            OSError: a file is missing.
            ValueError: a file is damaged, or is another model's.
        """
        config = read_settings(folder, _Config)
        self._conf = config.model_conf
        self._frontend = Frontend.load(folder)
        weights = read_weights(folder)
        try:
            self._network = FsmnNetwork.from_weights(weights, config.encoder_conf.fsmn_layers)
            list(self.detect_speech([np.zeros(TRIAL_SAMPLES, np.int16)]))
        except (KeyError, IndexError, ValueError) as unfit:
            raise ValueError("its weights do not fit its config.yaml") from unfit

    @classmethod
    def load(cls, name: str, folder: Path) -> Self:
        """Load the fsmn-vad in `folder`; `name` is the recognition model that it is loaded for.

        Raises:
            ModelBroken: a file is missing or damaged, or is another model's.
        """
        limit_blas_to_one_thread()
        try:
            return cls(folder)
        except FileNotFoundError as missing:
            reason = f"{Path(missing.filename).name} is missing"
        except (OSError, ValueError) as broken:
            reason = str(broken)
        raise ModelBroken(path=str(folder), model=name, reason=reason)

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording, in the memory of one block and a few seconds.

        An empty region says that there is no speech up to there, for every half minute of silence.
        """
        endpointer, state = Endpointer(self._conf.endpoint_config()), self._network.initial_state()
        for rows in filter(len, self._features(blocks)):
            speech = self._conf.is_speech(self._network(rows, state))
            yield from map(_to_samples, endpointer.feed(speech))
        yield from map(_to_samples, endpointer.finish())

    def _features(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Floats]:
        stream = FeatureStream(self._frontend)
        for block in _even_blocks(blocks):
            yield stream.feed(block)
        yield stream.finish()


def _even_blocks(blocks: Iterable[NDArray[np.int16]]) -> Iterator[NDArray[np.int16]]:
    """Give the same samples in blocks of one length, so that the result does not depend on how they came."""
    pending = np.empty(0, np.int16)
    for block in blocks:
        pending = np.concatenate([pending, block])
        while len(pending) >= BLOCK:
            yield pending[:BLOCK]
            pending = pending[BLOCK:]
    yield pending


def _to_samples(frames: Region) -> Region:
    return Region(frames.start * HOP, frames.end * HOP)
