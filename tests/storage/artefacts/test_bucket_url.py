from pathlib import Path

import pytest

from storage.artefacts.bucket_url import read_bucket_url
from storage.artefacts.store import open_stores
from storage.errors import ArtefactsUrlInvalid


def test_a_url_names_the_server_the_bucket_and_the_login() -> None:
    address = read_bucket_url("https://key:a%2Fb%2Bc@s3.example.com:9000/voices/of/mine/?region=eu-central-1")
    assert (address.endpoint, address.bucket, address.prefix) == ("https://s3.example.com:9000", "voices", "of/mine")
    assert (address.key, address.secret, address.region) == ("key", "a/b+c", "eu-central-1")
    assert address.where == "https://s3.example.com:9000/voices/of/mine"
    assert "a/b+c" not in repr(address)


def test_what_an_amazon_url_leaves_out_comes_from_the_environment() -> None:
    address = read_bucket_url("s3://voices")
    assert (address.endpoint, address.bucket, address.prefix, address.key, address.region) == ("", "voices", "", "", "")
    assert address.where == "s3://voices"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://host/bucket", "begins with none of"),
        ("voices", "begins with none of"),
        ("https://key:secret@host", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("https://key@host/bucket", "needs a secret"),
        ("https://key:a/b@host/bucket", "%2F"),
        ("https://host/bucket?regoin=x", "did you mean region"),
        ("file://mnt/artefacts", "absolute path"),
    ],
)
def test_what_is_not_understood_is_named_without_the_secret(url: str, told: str) -> None:
    with pytest.raises(ArtefactsUrlInvalid, match=told) as raised:
        open_stores(url, Path("/nowhere"))
    assert "secret" not in str(raised.value).replace("needs a secret", "").replace("key:secret@", "")
