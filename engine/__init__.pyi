# The public names of the engine and the modules that define them; `__init__.py` reads this file.

from .audio.samples import Audio as Audio, check_readable as check_readable, decode as decode
from .errors import (
    AudioFault as AudioFault,
    AudioTooLong as AudioTooLong,
    Cancelled as Cancelled,
    ExportsClosed as ExportsClosed,
    Fault as Fault,
    HotwordsUnreadable as HotwordsUnreadable,
    LanguageSettingNotSelectable as LanguageSettingNotSelectable,
    ModelMissing as ModelMissing,
    Param as Param,
    TranscriptionTimeout as TranscriptionTimeout,
    UnknownLanguage as UnknownLanguage,
    UnknownLanguageSetting as UnknownLanguageSetting,
    fault_type as fault_type,
    fault_types as fault_types,
)
from .hub.catalogue import (
    AUTO_LANGUAGE as AUTO_LANGUAGE,
    CATALOGUE as CATALOGUE,
    FAKE_MODEL as FAKE_MODEL,
    SPEAKER_MODEL as SPEAKER_MODEL,
    VAD_MODEL as VAD_MODEL,
    check_languages as check_languages,
    describe_models as describe_models,
    is_downloaded as is_downloaded,
    languages_of as languages_of,
    uses_all_cores as uses_all_cores,
)
from .hub.languages import ENGLISH_ONLY as ENGLISH_ONLY
from .hub.pull import pull as pull, pull_sample as pull_sample
from .hub.requirements import check_requirements as check_requirements
from .output.formats import FORMATS as FORMATS, render as render
from .recognizers.prepared import (
    check_exports as check_exports,
    check_verifiable as check_verifiable,
    current_decision as current_decision,
    missing_exports as missing_exports,
    write_exports as write_exports,
)
from .request import ChannelMode as ChannelMode, Progress as Progress, Request as Request, Speakers as Speakers
from .runtime.cores import cores as cores
from .runtime.cpu import cpu_flags as cpu_flags, cpu_name as cpu_name, int8_support as int8_support
from .scripts import ChineseScript as ChineseScript, join_texts as join_texts
from .settings import (
    MOST_SPEAKERS as MOST_SPEAKERS,
    SPEAKERS_WANTED as SPEAKERS_WANTED,
    EngineSettings as EngineSettings,
)
from .speech import Engine as Engine, sensevoice_loader as sensevoice_loader
from .text.hotwords import read_hotwords as read_hotwords
from .transcript import Segment as Segment, Transcript as Transcript
