"""SenseVoice's network in torch, for a GPU: many pieces in one batch, in bf16 or fp32. Knows no sound and no text.

It takes and gives what the exported network does, so that what reads with that one reads with this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from engine.audio.fbank import Frontend
from engine.pipeline.batching import Batcher, Limits
from engine.pipeline.transcribe import SpeechDetector
from engine.recognizers.sensevoice import SenseVoice, Tokenizer, tokenizer_file
from engine.recognizers.sensevoice_onnx import Shape
from engine.runtime.onnx import Array
from engine.runtime.torch_files import read_settings, read_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Arithmetic = Literal["bf16", "fp32"]
Floats = NDArray[np.float32]

QUERIES = 4
EVENT, EMOTION = 1, 2
WAVELENGTHS = 10_000
ROWS_A_SECOND = 100 / 6

# Up to ten seconds a batch costs a GPU hardly more than one second does.
BATCHES = Limits(window_s=0.015, most=round(240 * ROWS_A_SECOND), shortest=0.5)
ALONE = Limits(window_s=0.0, most=0, shortest=1.0)
READS_AT_ONCE = 32  # what a GPU has before it while it works: threads make features and texts beside it


class _Config(BaseModel):
    encoder_conf: Shape


class Question(NamedTuple):
    """The rows of one piece, and the numbers of its two queries."""

    rows: Floats
    language: int
    itn: int


class Answer(NamedTuple):
    """The scores of the four tags, and the likeliest token of each row."""

    tags: Floats
    tokens: NDArray[np.int64]


class BatchedModel:
    """A network that threads ask for single pieces, and that answers those of several threads together."""

    def __init__(self, network: SenseVoiceNetwork, limits: Limits = BATCHES) -> None:
        """Start the thread that asks the network."""
        self._batcher = Batcher(network.answer, length=lambda question: len(question.rows), limits=limits)

    def run(self, *outputs: str, **inputs: Array) -> list[Array]:
        """Give the outputs that are named, `tags` or `tokens`, for a batch of one."""
        (rows,), (language,), (itn,) = inputs["speech"], inputs["language"], inputs["itn"]
        answer = self._batcher.ask(Question(rows, int(language), int(itn))).result()
        return [getattr(answer, name)[np.newaxis] for name in outputs]

    def close(self) -> None:
        """End the thread."""
        self._batcher.close()


@dataclass(frozen=True, slots=True)
class SenseVoiceNetwork:
    """The weights on their device, and how they are put together.

    Products are made in `dtype`; what they are added to, and what is normalised, stays in fp32.
    """

    weights: Mapping[str, Tensor]
    shape: Shape
    device: torch.device
    dtype: torch.dtype

    def answer(self, questions: list[Question]) -> list[Answer]:
        """Read all pieces at once. Each answer is the same as if its piece had been read alone."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        with torch.inference_mode():
            encoded = self.encoded(questions)
            return [
                self._answer(piece[: len(question.rows) + QUERIES])
                for piece, question in zip(encoded, questions, strict=True)
            ]

    def encoded(self, questions: list[Question]) -> Tensor:
        """Give what the encoder makes of each row, and of rows that are there only to fill up."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        lengths = torch.tensor([len(question.rows) + QUERIES for question in questions], device=self.device)
        rows = self._positioned(self._padded(questions, int(lengths.max())))
        there = torch.arange(rows.shape[1], device=self.device) < lengths[:, None]
        for layer in self._layers("encoders0", "encoders"):
            rows = self._layer(rows, there, layer)
        rows = self._normalised(rows, "encoder.after_norm")
        for layer in self._layers("tp_encoders"):
            rows = self._layer(rows, there, layer)
        return self._normalised(rows, "encoder.tp_norm")

    def _answer(self, encoded: Tensor) -> Answer:
        """Score in fp32 as well: in bf16 two tokens may share the first place."""
        from torch.nn import functional  # noqa: PLC0415 - only where a model is loaded

        scores = functional.linear(encoded, self.weights["ctc.ctc_lo.weight"], self.weights["ctc.ctc_lo.bias"])
        return Answer(scores[:QUERIES].cpu().numpy(), scores[QUERIES:].argmax(dim=-1).cpu().numpy())

    def _padded(self, questions: list[Question], longest: int) -> Tensor:
        """Put each piece behind its queries: language, event, emotion, and whether numbers become figures."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        table = self.weights["embed.weight"]
        padded = np.zeros((len(questions), longest, table.shape[1]), np.float32)
        for row, question in zip(padded, questions, strict=True):
            row[QUERIES : QUERIES + len(question.rows)] = question.rows
        rows = torch.from_numpy(padded).to(self.device, non_blocking=True)
        queries = [[question.language, EVENT, EMOTION, question.itn] for question in questions]
        rows[:, :QUERIES] = table[torch.tensor(queries, device=self.device)]
        return rows

    def _positioned(self, rows: Tensor) -> Tensor:
        """Add each row's place."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        half = rows.shape[2] // 2
        steps = torch.arange(half, device=self.device) * -(np.log(WAVELENGTHS) / (half - 1))
        angles = torch.arange(1, rows.shape[1] + 1, device=self.device)[:, None] * steps.exp()
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        return rows * float(self.shape.output_size**0.5) + waves

    def _layers(self, *stacks: str) -> Iterator[str]:
        for stack in stacks:
            prefix = f"encoder.{stack}."
            numbers = {int(name.removeprefix(prefix).split(".")[0]) for name in self.weights if name.startswith(prefix)}
            yield from (f"{prefix}{number}" for number in sorted(numbers))

    def _layer(self, rows: Tensor, there: Tensor, layer: str) -> Tensor:
        normal = self._normalised(rows, f"{layer}.norm1").to(self.dtype)
        mixed = self._attention(normal, there, f"{layer}.self_attn").float()
        if mixed.shape == rows.shape:
            mixed = rows + mixed
        inner = self._linear(self._normalised(mixed, f"{layer}.norm2").to(self.dtype), f"{layer}.feed_forward.w_1")
        return mixed + self._linear(inner.relu(), f"{layer}.feed_forward.w_2")

    def _attention(self, rows: Tensor, there: Tensor, name: str) -> Tensor:
        from torch.nn import functional  # noqa: PLC0415 - only where a model is loaded

        joint = self._linear(rows, f"{name}.linear_q_k_v")
        batch, length, _ = joint.shape
        query, key, value_of_heads = joint.view(batch, length, 3, self.shape.attention_heads, -1).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value_of_heads, attn_mask=there[:, None, None])
        value = joint[..., -self.shape.output_size :] * there[..., None]
        return self._linear(found.transpose(1, 2).flatten(2), f"{name}.linear_out") + self._memory(value, there, name)

    def _memory(self, value: Tensor, there: Tensor, name: str) -> Tensor:
        """Filter each value over time, and add the value itself."""
        from torch.nn import functional  # noqa: PLC0415 - only where a model is loaded

        size = self.shape.kernel_size
        before = (size - 1) // 2 + max(0, self.shape.sanm_shfit)
        across = functional.pad(value.transpose(1, 2), (before, size - 1 - before))
        filtered = functional.conv1d(across, self.weights[f"{name}.fsmn_block.weight"], groups=value.shape[2])
        return (filtered.transpose(1, 2) + value) * there[..., None]

    def _linear(self, rows: Tensor, name: str) -> Tensor:
        from torch.nn import functional  # noqa: PLC0415 - only where a model is loaded

        return functional.linear(rows, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normalised(self, rows: Tensor, name: str) -> Tensor:
        from torch.nn import functional  # noqa: PLC0415 - only where a model is loaded

        weight = self.weights[f"{name}.weight"]
        return functional.layer_norm(rows, weight.shape, weight, self.weights[f"{name}.bias"])


def _is_for_products(name: str) -> bool:
    return ".self_attn." in name or ".feed_forward." in name


def put_on(weights: Mapping[str, Floats], shape: Shape, *, device: str, arithmetic: Arithmetic) -> SenseVoiceNetwork:
    """Bring weights to a device."""
    import torch  # noqa: PLC0415 - only where a model is loaded

    dtype = torch.bfloat16 if arithmetic == "bf16" else torch.float32
    there = {
        name: torch.tensor(array, device=device, dtype=dtype if _is_for_products(name) else torch.float32)
        for name, array in weights.items()
    }
    return SenseVoiceNetwork(there, shape, torch.device(device), dtype)


def shape_of(folder: Path) -> Shape:
    """Read how a model folder's network is put together.

    Raises:
        OSError: its settings are missing.
        ValueError: they are damaged.
    """
    return read_settings(folder, _Config).encoder_conf


def load_sensevoice(folder: Path, vad: SpeechDetector, *, device: str, arithmetic: Arithmetic) -> SenseVoice:
    """Load a SenseVoice folder for a device; on a processor, where padding costs what it is long, without batches.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged.
        KeyError: weights are missing.
    """
    network = put_on(read_weights(folder), shape_of(folder), device=device, arithmetic=arithmetic)
    on_processor = device == "cpu"
    return SenseVoice(
        network=BatchedModel(network, ALONE if on_processor else BATCHES),
        frontend=Frontend.load(folder),
        tokenizer=Tokenizer(tokenizer_file(folder)),
        vad=vad,
        max_parallel_chunks=1 if on_processor else READS_AT_ONCE,
    )
