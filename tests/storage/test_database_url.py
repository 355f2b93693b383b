import ssl
from pathlib import Path

import pytest

from storage.database_url import DatabaseAddress, read_database_url
from storage.errors import DatabaseUrlInvalid


def read(url: str) -> DatabaseAddress:
    return read_database_url(url, Path("/data"))


def test_no_url_is_sqlite_in_the_data_folder() -> None:
    assert read("").where == "/data/earshot.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_postgresql_is_called_as_providers_call_it(scheme: str) -> None:
    address = read(f"{scheme}://u:pw@db.example.com/name")
    assert address.url.drivername == "postgresql+asyncpg"
    assert (address.hosts, address.url.database) == ((("db.example.com", 5432),), "name")


def test_a_login_may_hold_any_character() -> None:
    address = read("postgres://us%40er:p%40s%2Fs%3Aw%C3%B6rd%25@host/na%20me")
    assert (address.url.username, address.url.password) == ("us@er", "p@s/s:wörd%")
    assert address.url.database == "na me"


def test_messages_name_the_place_without_the_password() -> None:
    address = read("postgres://user:secret@a:6000,b/name?sslpassword=hidden")
    assert address.where == "postgresql://user@a:6000,b/name"
    assert "secret" not in repr(address)
    assert "hidden" not in repr(address)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgres://a,b:6000/n", (("a", 5432), ("b", 6000))),
        ("postgres://u@a:1,[::1]:2/n", (("a", 1), ("::1", 2))),
        ("postgres:///n?host=a,b&port=6000", (("a", 6000), ("b", 6000))),
        ("postgres:///n?host=a,b&port=1,2", (("a", 1), ("b", 2))),
        ("postgres://u@/n?host=/run/postgresql", (("/run/postgresql", 5432),)),
        ("postgres:///n", ()),
    ],
)
def test_hosts_are_written_as_for_postgresqls_own_programs(url: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert read(url).hosts == hosts


def test_of_several_hosts_the_one_that_takes_writes_is_chosen() -> None:
    assert read("postgres://a,b/n").options["target_session_attrs"] == "read-write"
    assert read("postgres://a,b/n?target_session_attrs=any").options["target_session_attrs"] == "any"
    assert "target_session_attrs" not in read("postgres://a/n").options


def test_the_words_of_providers_reach_the_driver() -> None:
    options = read("postgres://h/n?connect_timeout=7&application_name=app&options=-c%20work_mem%3D8MB").options
    assert options["timeout"] == 7
    assert options["server_settings"] == {"application_name": "app", "options": "-c work_mem=8MB"}


def test_behind_a_pooler_no_statement_is_kept() -> None:
    options = read("postgres://h/n?prepared_statement_cache_size=0").options
    assert options["statement_cache_size"] == options["prepared_statement_cache_size"] == 0


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_modes_without_certainty_are_left_to_the_driver(mode: str) -> None:
    assert read(f"postgres://h/n?sslmode={mode}").options["ssl"] == mode


@pytest.mark.parametrize(
    ("words", "checks", "names"),
    [
        ("sslmode=require", ssl.CERT_NONE, False),
        ("sslmode=require&channel_binding=prefer", ssl.CERT_NONE, False),
        ("sslmode=require&channel_binding=require", ssl.CERT_REQUIRED, True),
        ("channel_binding=require", ssl.CERT_REQUIRED, True),
        ("sslmode=verify-ca", ssl.CERT_REQUIRED, True),  # anybody has a certificate of one of the system's authorities
        ("sslmode=verify-full", ssl.CERT_REQUIRED, True),
        ("sslrootcert=system", ssl.CERT_REQUIRED, True),
    ],
)
def test_certificates_are_checked_as_far_as_the_words_demand(
    words: str, checks: ssl.VerifyMode, *, names: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    context = read(f"postgres://h/n?{words}").options["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (checks, names)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "postgresql://"),
        ("mysql://host/name", "postgresql://"),
        ("sqlite://", "path"),
        ("sqlite:///file.db?mode=ro", "mode"),
        ("postgres://host", "name of the database"),
        ("postgres://host/n?sslmod=require", "there is no sslmod here; did you mean sslmode?"),
        ("postgres://host/n?sslmode=full", "sslmode is one of .*, and not full"),
        ("postgres://host/n?connect_timeout=soon", "connect_timeout is a number, and not soon"),
        ("postgres://host/n?sslmode=disable&channel_binding=require", "channel_binding"),
        ("postgres://host/n?sslrootcert=/nowhere", "/nowhere of sslrootcert"),
        ("postgres://host/n?sslmode=require&sslcert=/nowhere", "/nowhere of sslcert"),
        ("postgres://host:port/n", "port of the host host"),
        ("postgres://a:1,:2/n", "no name"),
        ("postgres:///n?host=a,b&port=1,2,3", "more or fewer"),
    ],
)
def test_what_is_not_understood_is_named(url: str, reason: str) -> None:
    with pytest.raises(DatabaseUrlInvalid, match=reason) as fault:
        read(url)
    assert str(fault.value).startswith("database.url is not understood: ")


@pytest.mark.parametrize(
    "url", ["postgres://u:se/cret@h/n", "postgres://u:se?cret@h/n", "postgres://u:secret/n", "postgres://u:cret?x=1"]
)
def test_no_sentence_shows_a_password(url: str) -> None:
    with pytest.raises(DatabaseUrlInvalid) as fault:
        read(url)
    assert "cret" not in str(fault.value)
