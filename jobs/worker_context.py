"""Everything that a worker uses while it works on a note, in one value."""

from dataclasses import dataclass, field
from pathlib import Path

from engine import Request
from jobs.door import Door
from jobs.engine_threads import EngineThreads
from jobs.isolation import Isolation
from jobs.leases import Leases
from jobs.speech_engine import SpeechEngine
from storage.artefacts.artefacts import Artefacts
from storage.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """A worker's parts and limits.

    `scratch` is the folder for downloads, `timeout_s` the limit for decoding a note and for transcribing it. `defaults`
    is the request to the engine where a note asks for nothing else. `max_memory_mb` 0 is no limit.
    """

    worker_id: str
    ledger: Ledger
    leases: Leases
    door: Door
    engine: SpeechEngine
    artefacts: Artefacts
    scratch: Path
    timeout_s: float
    defaults: Request
    max_memory_mb: int = 0
    threads: EngineThreads = field(default_factory=EngineThreads)
    isolation: Isolation = field(default_factory=Isolation)
