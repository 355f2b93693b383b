"""All that a worker has at hand."""

from dataclasses import dataclass, field
from pathlib import Path

from engine import Request
from jobs.door import Door
from jobs.engine_threads import EngineThreads
from jobs.isolation import Company
from jobs.speech import Speech
from storage.ledger import Ledger
from storage.recordings import Recordings


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A worker's surroundings. `defaults` is asked of the engine where a note asks for nothing else."""

    worker_id: str
    ledger: Ledger
    door: Door
    engine: Speech
    recordings: Recordings
    scratch: Path
    timeout_s: float
    defaults: Request
    max_memory_mb: int = 0
    threads: EngineThreads = field(default_factory=EngineThreads)
    company: Company = field(default_factory=Company)
