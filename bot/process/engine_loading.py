"""Loads the engine in a thread of its own, while this process imports and opens all else that a worker needs."""

from concurrent.futures import Future, ThreadPoolExecutor

from engine import Engine, EngineSettings


def begin_loading(settings: EngineSettings) -> Future[Engine]:
    """Begin to load; the engine, or the `ModelFault`, is in the future."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="loading")
    try:
        return thread.submit(Engine.open, settings)
    finally:
        thread.shutdown(wait=False)
