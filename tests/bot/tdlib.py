"""Asks TDLib, on which the Bot API server and Telegram's apps are built. It needs no network for what is asked here."""

import json
from typing import Any

import pytest


def ask_tdlib(method: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
    """Call one of TDLib's synchronous methods; skips the test where TDLib is not there."""
    tdjson = pytest.importorskip(
        "tdjson", reason="the package tdjson, which brings TDLib, has no wheel for this machine", exc_type=ImportError
    )
    return json.loads(tdjson.td_execute(json.dumps({"@type": method, **parameters}).encode()))
