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


def test_programs_get_a_list_also_where_the_settings_are_wrong(earshot: Earshot) -> None:
    done = earshot("doctor", "--json", EARSHOT_ENGINE__TIMEOUT_S="soon")
    assert (done.returncode, done.stderr) == (1, "")
    (finding,) = json.loads(done.stdout)
    assert (finding["name"], finding["ok"]) == ("settings", False)
    assert finding["says"].startswith("EARSHOT_ENGINE__TIMEOUT_S: ")


def test_people_get_a_line_where_the_settings_are_wrong(earshot: Earshot) -> None:
    done = earshot("doctor", EARSHOT_ENGINE__TIMEOUT_S="soon")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("earshot: EARSHOT_ENGINE__TIMEOUT_S: ")
