from pathlib import Path

import pytest

from jobs.errors import RedisUrlInvalid
from jobs.redis_url import read_redis_url


def test_a_login_may_hold_any_character() -> None:
    options = read_redis_url("redis://us%40er:p%40ss%2Fw%3A%C3%B6%25@host:6380/2").options
    assert (options["username"], options["password"]) == ("us@er", "p@ss/w:ö%")
    assert (options["host"], options["port"], options["db"]) == ("host", 6380, 2)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis://:secret@host", {"host": "host", "port": 6379, "db": 0, "password": "secret"}),
        ("redis://[::1]:7000/", {"host": "::1", "port": 7000, "db": 0}),
        ("redis://host?db=4&client_name=me", {"host": "host", "port": 6379, "db": 4, "client_name": "me"}),
    ],
)
def test_what_is_left_out_has_a_default(url: str, expected: dict[str, object]) -> None:
    assert read_redis_url(url).options == expected


def test_a_socket_has_a_path_a_database_and_a_login() -> None:
    address = read_redis_url("unix://app:pw@/run/redis%20.sock?db=2")
    assert address.socket == "/run/redis .sock"
    assert address.options == {"username": "app", "password": "pw", "db": 2}


@pytest.mark.parametrize(
    ("words", "requirement", "checks_name"),
    [
        ("", "required", True),
        ("?ssl_cert_reqs=none", "none", False),
        ("?ssl_cert_reqs=CERT_NONE", "none", False),
        ("?ssl_check_hostname=false", "required", False),
    ],
)
def test_with_tls_the_certificate_and_the_name_are_checked(words: str, requirement: str, *, checks_name: bool) -> None:
    options = read_redis_url(f"rediss://host{words}").options
    assert (options["ssl_cert_reqs"], options["ssl_check_hostname"]) == (requirement, checks_name)


def test_sentinels_have_credentials_of_their_own(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.touch()
    address = read_redis_url(
        "rediss+sentinel://app:pw@a,b:7000/queue/5?sentinel_username=watch&sentinel_password=s%20p"
        f"&ssl_ca_certs={authority}"
    )
    assert (address.sentinels, address.service) == ((("a", 26379), ("b", 7000)), "queue")
    assert (address.options["username"], address.options["password"], address.options["db"]) == ("app", "pw", 5)
    assert (address.sentinel_options["username"], address.sentinel_options["password"]) == ("watch", "s p")
    assert address.options["ssl_ca_certs"] == address.sentinel_options["ssl_ca_certs"] == str(authority)
    assert "pw" not in repr(address)
    assert "s p" not in repr(address)


def test_without_a_login_of_their_own_sentinels_get_none() -> None:
    assert read_redis_url("redis+sentinel://:pw@a").sentinel_options == {}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "redis://"),
        ("host:6379", "redis://"),
        ("http://host", "redis://"),
        ("unix://", "path of the socket"),
        ("redis://host/zero", "the database zero is not a number"),
        ("redis://host:port", "port of the host host"),
        ("redis://a,b", "several hosts need redis"),
        ("redis+sentinel:///name", "no name"),
        ("redis://host?ssl_cert_reqs=none", "there is no ssl_cert_reqs here"),
        ("redis://host?sentinel_password=x", "there is no sentinel_password here"),
        ("rediss://host?ssl_ca_cert=/x", "there is no ssl_ca_cert here; did you mean ssl_ca_certs?"),
        ("rediss://host?ssl_cert_reqs=maybe", "ssl_cert_reqs is one of .*, and not maybe"),
        ("rediss://host?ssl_ca_certs=/nowhere", "/nowhere of ssl_ca_certs"),
    ],
)
def test_what_is_not_understood_is_named(url: str, reason: str) -> None:
    with pytest.raises(RedisUrlInvalid, match=reason) as fault:
        read_redis_url(url)
    assert str(fault.value).startswith("redis.url is not understood: ")


@pytest.mark.parametrize("url", ["redis://u:se/cret@h", "redis://u:se?cret@h", "redis://u:cret"])
def test_no_sentence_shows_a_password(url: str) -> None:
    with pytest.raises(RedisUrlInvalid) as fault:
        read_redis_url(url)
    assert "cret" not in str(fault.value)
