"""Fault injection: error answers, broken connections and delays, on demand. Knows no HTTP."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Literal

Drop = Literal["before", "after", "midway"]
BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1></body></html>"
)
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
DOWNLOAD = "download"


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault for requests of one method and chat (None: any).

    `code` answers with that status and does not call the method; `drop` breaks the connection before the call, after
    it, or in the middle of a download; `delay_s` delays the answer, in seconds; `frozen` never answers.
    """

    method: str | None
    chat_id: int | None = None
    times: int = 1
    code: int | None = None
    description: str | None = None
    retry_after: int | None = None
    drop: Drop | None = None
    delay_s: float = 0.0
    frozen: bool = False

    def matches(self, method: str, chat_id: str | None) -> bool:
        """Tell whether it applies to a request."""
        if self.method is not None and self.method.lower() != method.lower():
            return False
        return self.chat_id is None or str(self.chat_id) == chat_id

    def error_text(self) -> str:
        """Give the description in the error answer."""
        if self.retry_after is not None:
            return f"Too Many Requests: retry after {self.retry_after}"
        status = HTTPStatus(self.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        return self.description or (CONFLICT if status == HTTPStatus.CONFLICT else status.phrase)


@dataclass(slots=True)
class FaultInjector:
    """Pending faults in order, then those that `draw` gives for a method; `injected` lists those that happened."""

    pending: list[Fault] = field(default_factory=list)
    draw: Callable[[str], Fault | None] = lambda _: None
    injected: list[str] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Inject `fault` into the next `fault.times` requests that match."""
        if fault.code == HTTPStatus.TOO_MANY_REQUESTS and fault.retry_after is None:
            fault = replace(fault, retry_after=1)
        self.pending.append(fault)

    def next_fault(self, method: str, chat_id: str | None) -> Fault | None:
        """Give the fault to inject into this request, if any."""
        for fault in self.pending:
            if fault.matches(method, chat_id):
                fault.times -= 1
                self.pending = [other for other in self.pending if other.times > 0]
                return self._note(method, fault)
        drawn = self.draw(method)
        return self._note(method, drawn) if drawn else None

    def _note(self, method: str, fault: Fault) -> Fault:
        what = str(fault.code) if fault.code else fault.drop or ("frozen" if fault.frozen else f"{fault.delay_s:.1f} s")
        self.injected.append(f"{method}: {what}")
        return fault
