"""FunASR's AutoModel: as its README calls it, or in the fastest configuration that we know of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.recognizers.funasr_isolation import isolated_process_state
from tests.bench.voice_notes import read_samples

Transcribe = Callable[[list[str]], list[str]]


def load(options: dict[str, str]) -> tuple[int, Transcribe]:
    """Load the model. One call at a time: AutoModel mixes up the options of calls that overlap."""
    return 1, (as_in_the_readme if options["configuration"] == "readme" else tuned)(options)


def as_in_the_readme(options: dict[str, str]) -> Transcribe:
    """Call it as FunASR's README does for SenseVoice, with its VAD; only downloads and bars are off."""
    from funasr import AutoModel  # noqa: PLC0415 - it is what is measured
    from funasr.utils.postprocess_utils import rich_transcription_postprocess  # noqa: PLC0415 - as above

    model = AutoModel(
        model=options["model"],
        vad_model=options["vad"],
        vad_kwargs={"max_single_segment_time": 30_000},
        device=options["device"],
        disable_update=True,
        disable_pbar=True,
    )

    def transcribe(files: list[str]) -> list[str]:
        texts = []
        for file in files:
            found = model.generate(
                input=file, cache={}, language="auto", use_itn=True, batch_size_s=60, merge_vad=True, merge_length_s=15
            )
            texts.append(rich_transcription_postprocess(found[0]["text"]) if found else "")
        return texts

    return transcribe


def tuned(options: dict[str, str]) -> Transcribe:
    """One thread, samples that are decoded fast, no VAD, no dither; on a GPU many files in one call."""
    from funasr import AutoModel  # noqa: PLC0415 - it is what is measured

    with isolated_process_state():
        model = AutoModel(
            model=options["model"], device=options["device"], ncpu=1, disable_update=True, disable_pbar=True
        )
    model.kwargs["frontend"].dither = 0.0

    def transcribe(files: list[str]) -> list[str]:
        sounds = [read_samples(Path(file)).astype(np.float32) / np.float32(1 << 15) for file in files]
        with isolated_process_state():
            found = model.generate(input=sounds, language="auto", use_itn=True, ncpu=1, batch_size=len(sounds))
        return [str(one["text"]) for one in found]

    return transcribe
