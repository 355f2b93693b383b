"""Checks whether the configured model can run on this machine, before it is downloaded and loaded."""

from engine.errors import DeviceMissing, PrecisionMissing
from engine.hub.catalogue import FAKE_MODEL, locate_model, model_class_of
from engine.hub.model_class import FUN_ASR_NANO_CLASS, SENSEVOICE_CLASS
from engine.runtime.cpu import cpu_flags, has_bf16, has_gpu_device_file
from engine.settings import EngineSettings

BF16_CLASSES = (SENSEVOICE_CLASS, FUN_ASR_NANO_CLASS)


def check_requirements(settings: EngineSettings) -> None:
    """Check that the device is there and that the model can compute in the precision, as far as known without torch.

    Raises:
        ModelMissing: see `engine.hub.catalogue.locate_model`.
        DeviceMissing: a GPU is set, and this machine shows none.
        PrecisionMissing: the model cannot run in the precision that is set.
    """
    if settings.model == FAKE_MODEL:
        return
    if settings.device.startswith("cuda") and not has_gpu_device_file():
        raise DeviceMissing(device=settings.device)
    locate_model(settings)
    if settings.precision in _unavailable_precisions(settings):
        raise PrecisionMissing(model=settings.model, precision=settings.precision)


def _unavailable_precisions(settings: EngineSettings) -> set[str]:
    model_class = model_class_of(settings.model)
    is_cpu = settings.device == "cpu" or (settings.device == "auto" and not has_gpu_device_file())
    has_int8 = model_class == SENSEVOICE_CLASS and settings.device in {"auto", "cpu"}
    has_bf16_here = model_class in BF16_CLASSES and (has_bf16(cpu_flags()) or not is_cpu)
    return {name for name, is_there in (("int8", has_int8), ("bf16", has_bf16_here)) if not is_there}
