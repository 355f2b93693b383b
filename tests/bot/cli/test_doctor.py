import json

from tests.bot.cli.conftest import Earshot


def test_what_is_wrong_makes_it_1_and_each_line_says_which(earshot: Earshot) -> None:
    done = earshot("doctor")
    assert done.returncode == 1
    lines = dict(line.split(maxsplit=2)[1::-1] for line in done.stdout.splitlines())
    assert lines == {
        "settings": "ok", "token": "WRONG", "redis": "ok", "database": "ok", "model": "ok", "audio": "ok", "disk": "ok",
    }  # fmt: skip


def test_programs_get_a_list(earshot: Earshot) -> None:
    done = earshot("doctor", "--json")
    assert done.returncode == 1
    assert [finding["name"] for finding in json.loads(done.stdout) if not finding["ok"]] == ["token"]
