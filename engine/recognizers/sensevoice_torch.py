"""SenseVoice on a GPU: FunASR's own network, many chunks in one batch, in bf16 or fp32.

It has the inputs and outputs of the exported network, so the same `SenseVoice` decodes what it gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from engine.audio.fbank import Frontend
from engine.pipeline.batching import Batcher, BatchLimits
from engine.pipeline.transcribe import SpeechDetector
from engine.recognizers.sensevoice import SenseVoice, Tokenizer, tokenizer_file
from engine.runtime.onnx import Array

if TYPE_CHECKING:
    from torch import Tensor, nn

Arithmetic = Literal["bf16", "fp32"]

# Rows of the embedding table, in their order before the speech: language, event, emotion, ITN
# (`inference` in funasr/models/sense_voice/model.py).
QUERIES = 4
EVENT, EMOTION = 1, 2
ROWS_PER_S = 100 / 6  # a row is six frames of 10 ms

# Up to ten seconds a batch costs a GPU hardly more than one second does.
BATCHES = BatchLimits(window_s=0.015, max_total=round(240 * ROWS_PER_S), min_length_ratio=0.5)
ALONE = BatchLimits(window_s=0.0, max_total=0, min_length_ratio=1.0)
MAX_PARALLEL_CHUNKS = 32  # enough to fill the next batch while threads make features and texts


class ChunkFeatures(NamedTuple):
    """A chunk to recognise: its features, float32 [rows, 560], and two rows of the embedding table."""

    rows: NDArray[np.float32]
    language: int
    itn: int


class Scores(NamedTuple):
    """The scores of the four tags, float32 [4, vocabulary], and the likeliest token of each row, int64 [rows]."""

    tags: NDArray[np.float32]
    tokens: NDArray[np.int64]


class BatchedModel:
    """Runs the chunks of several threads in one batch; each thread asks for one chunk and waits."""

    def __init__(self, network: SenseVoiceNetwork, limits: BatchLimits = BATCHES) -> None:
        """Start the thread that runs the network."""
        self._batcher = Batcher(network.run_batch, length=lambda chunk: len(chunk.rows), limits=limits)

    def run(self, *outputs: str, **inputs: Array) -> list[Array]:
        """Compute the outputs that are named, `tags` or `tokens`, for a batch of one."""
        (rows,), (language,), (itn,) = inputs["speech"], inputs["language"], inputs["itn"]
        scores = self._batcher.submit(ChunkFeatures(rows, int(language), int(itn))).result()
        return [getattr(scores, name)[np.newaxis] for name in outputs]

    def close(self) -> None:
        """End the thread."""
        self._batcher.close()


@dataclass(frozen=True, slots=True)
class SenseVoiceNetwork:
    """FunASR's module on its device.

    In bf16, autocast runs products in bf16; sums, norms and the scores stay in fp32.
    """

    module: nn.Module
    device: str
    arithmetic: Arithmetic

    @classmethod
    def on(cls, module: nn.Module, device: str, arithmetic: Arithmetic) -> Self:
        """Take FunASR's module, and convert the weights of products once instead of at each batch."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        if arithmetic == "bf16":
            for part in module.get_submodule("encoder").modules():
                if isinstance(part, torch.nn.Linear | torch.nn.Conv1d):
                    part.to(torch.bfloat16)
        return cls(module, device, arithmetic)

    def run_batch(self, chunks: list[ChunkFeatures]) -> list[Scores]:
        """Run all chunks in one batch. Each has the scores that it has alone."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        with torch.inference_mode():
            encoded = self.encode(chunks)
            return [self._score(rows[: QUERIES + len(chunk.rows)]) for rows, chunk in zip(encoded, chunks, strict=True)]

    def encode(self, chunks: list[ChunkFeatures]) -> Tensor:
        """Return the encoder's output, float32 [chunks, 4 + the most rows, 512]; rows after a chunk's end are void."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        queries = torch.tensor([[chunk.language, EVENT, EMOTION, chunk.itn] for chunk in chunks])
        lengths = torch.tensor([QUERIES + len(chunk.rows) for chunk in chunks])
        speech = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(chunk.rows) for chunk in chunks], batch_first=True)
        embedded = self.module.get_submodule("embed")(queries.to(self.device))
        rows = torch.cat([embedded, speech.to(self.device)], dim=1)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.arithmetic == "bf16"):
            encoded: Tensor = self.module.get_submodule("encoder")(rows, lengths.to(self.device))[0]
        return encoded.float()

    def _score(self, encoded: Tensor) -> Scores:
        """Score in fp32 as well: in bf16 two tokens may share the first place."""
        scores = self.module.get_submodule("ctc.ctc_lo")(encoded)
        return Scores(scores[:QUERIES].cpu().numpy(), scores[QUERIES:].argmax(dim=-1).cpu().numpy())


def load_sensevoice(
    module: nn.Module, folder: Path, vad: SpeechDetector, *, device: str, arithmetic: Arithmetic
) -> SenseVoice:
    """Make a model of FunASR's module, which is on `device`; on a processor without batches, where padding costs time.

    Raises:
        OSError: The tokenizer or the statistics are missing.
        ValueError: They are damaged.
        RuntimeError: As ValueError.
    """
    on_processor = device == "cpu"
    return SenseVoice(
        network=BatchedModel(SenseVoiceNetwork.on(module, device, arithmetic), ALONE if on_processor else BATCHES),
        frontend=Frontend.load(folder),
        tokenizer=Tokenizer(tokenizer_file(folder)),
        vad=vad,
        max_parallel_chunks=1 if on_processor else MAX_PARALLEL_CHUNKS,
    )
