"""The contestants: Earshot, FunASR's AutoModel in two configurations, and the other programs that can be installed."""

from __future__ import annotations

from collections.abc import Iterator

from engine.hub.catalogue import VAD_MODEL
from engine.runtime.cores import cores
from tests.bench.config import Bench
from tests.bench.contest import Contestant
from tests.bench.environments import RIVALS, SHERPA, NoEnvironment, Rival, python_of, version_of
from tests.bench.model_setup import export_with_funasr, is_exported

FILES_IN_A_BATCH = 32


def earshot(bench: Bench, precision: str) -> Contestant:
    """Earshot in one precision: one process for all cores, as a worker is."""
    options = {
        "model": str(bench.model),
        "models_dir": str(bench.models_dir),
        "device": bench.device,
        "precision": precision,
    }
    return Contestant(name=f"Earshot {precision}", file="earshot.py", options=options)


def automodel_tuned(bench: Bench) -> Contestant:
    """AutoModel in its fastest configuration: on a CPU one process per core with one thread, on a GPU in batches."""
    options = {"model": str(bench.model), "device": bench.device, "configuration": "tuned"}
    if bench.device != "cpu":
        return Contestant(
            name="AutoModel tuned", file="automodel.py", options=options, files_per_call=FILES_IN_A_BATCH
        )  # fmt: skip
    return Contestant(name="AutoModel tuned", file="automodel.py", options=options, processes=cores())


def automodel_as_in_readme(bench: Bench) -> Contestant:
    """AutoModel as FunASR's README calls it."""
    options = {
        "model": str(bench.model),
        "vad": str(bench.models_dir / VAD_MODEL),
        "device": bench.device,
        "configuration": "readme",
    }
    return Contestant(name="AutoModel README", file="automodel.py", options=options)


def rivals(bench: Bench) -> list[Contestant]:
    """Give the rivals that can be installed, in fp32 and int8; tell why the others cannot."""
    pythons = dict(_installed(bench))
    if pythons and not is_exported(bench.exported):
        bench.tell("  FunASR exports the model for them, the first time; that takes minutes")
        export_with_funasr(bench.model, bench.exported)
    return [
        _contestant(bench, rival, python, precision)
        for rival, python in pythons.items()
        for precision in ("fp32", "int8")
    ]


def _installed(bench: Bench) -> Iterator[tuple[Rival, str]]:
    for rival in RIVALS:
        if rival.name in bench.without:
            continue
        try:
            bench.tell(f"  {rival.name}: its environment is {bench.cache / rival.name}")
            python = python_of(rival, bench.cache)
            bench.tell(f"  {rival.name} {version_of(rival, python)}")
        except NoEnvironment as reason:
            bench.tell(f"  {rival.name} does not take part: {reason}")
        else:
            yield rival, python


def _contestant(bench: Bench, rival: Rival, python: str, precision: str) -> Contestant:
    """Give a rival with all cores for one note, and FunASR's own export of the same weights."""
    options = {"threads": str(cores()), "precision": precision}
    if rival is SHERPA:
        network = bench.exported / ("model.onnx" if precision == "fp32" else "model_quant.onnx")
        options |= {"network": str(network), "tokens": str(bench.exported / "tokens.txt")}
    else:
        options |= {"folder": str(bench.exported)}
    return Contestant(name=f"{rival.name} {precision}", file=rival.file, options=options, python=python, may_fail=True)
