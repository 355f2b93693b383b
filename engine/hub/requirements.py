"""Whether the model that is set can run as the settings ask on this machine, told before it is fetched and loaded."""

from engine.errors import DeviceMissing, PrecisionMissing
from engine.hub.catalogue import FAKE, locate
from engine.hub.languages import model_class
from engine.runtime.cpu import flags, has_bf16, shows_a_gpu
from engine.settings import EngineSettings

SENSEVOICE = "SenseVoiceSmall"
NANO = "FunASRNano"
IN_BF16 = (SENSEVOICE, NANO)
NAMED = {"sensevoice": SENSEVOICE, "fun-asr-nano": NANO}


def check_demands(settings: EngineSettings) -> None:
    """See that the device is there and that the model has the arithmetic, as far as that is known without torch.

    Raises:
        ModelMissing: as `locate`.
        DeviceMissing: a GPU is asked for, and there is no sign of one.
        PrecisionMissing: the model cannot run in the precision that is asked for.
    """
    if settings.model == FAKE:
        return
    if settings.device.startswith("cuda") and not shows_a_gpu():
        raise DeviceMissing(device=settings.device)
    if settings.precision in _impossible(settings):
        raise PrecisionMissing(model=settings.model, precision=settings.precision)


def _impossible(settings: EngineSettings) -> set[str]:
    kind = NAMED.get(settings.model) or model_class(locate(settings))
    is_cpu = settings.device == "cpu" or (settings.device == "auto" and not shows_a_gpu())
    has_int8 = kind == SENSEVOICE and settings.device in {"auto", "cpu"}
    has_16_bits = kind in IN_BF16 and (has_bf16(flags()) or not is_cpu)
    return {name for name, has in (("int8", has_int8), ("bf16", has_16_bits)) if not has}
