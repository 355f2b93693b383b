"""A store in a bucket of an S3-compatible service. The only file that touches obstore."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from storage.artefacts.bucket_url import BucketAddress
from storage.errors import ArtefactsFault, ArtefactsRefused, ArtefactsUnreachable, BucketMissing

if TYPE_CHECKING:
    from obstore.store import S3Store

CONNECT_TIMEOUT = timedelta(seconds=5)
REQUEST_TIMEOUT = timedelta(seconds=60)  # a part of a large file has 5 MiB
RETRIES = 2
RETRY_TIMEOUT = timedelta(seconds=60)
LONGEST_REASON = 200
ERROR_CODE = re.compile(r"<Code>(\w+)</Code>")


class BucketStore:
    """Implements `storage.artefacts.store.Store`. Loads its library and opens connections when it is first used."""

    def __init__(self, address: BucketAddress) -> None:
        """Keep files in the bucket at `address`."""
        self._address = address

    @property
    def where(self) -> str:
        """The address without the login."""
        return self._address.where

    async def name(self) -> str:
        """Return bucket and prefix: the server may get another address."""
        return f"bucket {self._address.bucket}/{self._address.prefix}"

    async def put(self, key: str, content: bytes | Path) -> None:
        """Store the content under the key."""
        from obstore import put_async  # noqa: PLC0415 - only where a bucket is used

        with self._faults():
            await put_async(self._bucket, key, content)

    async def get(self, key: str) -> bytes | None:
        """Return what is stored under the key; None if nothing is."""
        from obstore import get_async  # noqa: PLC0415 - as above

        with self._faults():
            try:
                return bytes(await (await get_async(self._bucket, key)).bytes_async())
            except FileNotFoundError:
                return None

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete the files that exist under these keys."""
        from obstore import delete_async  # noqa: PLC0415 - as above

        with self._faults():
            await delete_async(self._bucket, keys)

    @cached_property
    def _bucket(self) -> "S3Store":
        from obstore.store import S3Store  # noqa: PLC0415 - as above

        address = self._address
        given = {
            "endpoint": address.endpoint,
            "region": address.region,
            "access_key_id": address.key,
            "secret_access_key": address.secret,
        }
        return S3Store(
            address.bucket,
            prefix=address.prefix or None,
            config={name: value for name, value in given.items() if value},  # type: ignore[arg-type]
            client_options={
                "connect_timeout": CONNECT_TIMEOUT,
                "timeout": REQUEST_TIMEOUT,
                "allow_http": address.endpoint.startswith("http://"),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_TIMEOUT},
        )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        from obstore.exceptions import (  # noqa: PLC0415 - as above
            BaseError,
            NotFoundError,
            PermissionDeniedError,
            UnauthenticatedError,
        )

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise self._fault(ArtefactsRefused, error) from error
        except (NotFoundError, FileNotFoundError) as error:
            raise self._fault(BucketMissing, error) from error
        except (BaseError, OSError) as error:
            raise self._fault(ArtefactsUnreachable, error) from error

    def _fault(self, kind: type[ArtefactsFault], error: Exception) -> ArtefactsFault:
        return kind(where=self.where, reason=_reason(str(error)))


def _reason(told: str) -> str:
    """Return the service's own word for what is wrong, or the last of what the library says in its first line."""
    code = ERROR_CODE.search(told)
    return code[1] if code else told.partition("\n")[0].rpartition(" - ")[2][:LONGEST_REASON]
