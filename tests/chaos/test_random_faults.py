from tests.chaos.random_faults import random_faults


def drawn(seed: int) -> list[bool]:
    draw = random_faults(0.3, seed)
    return [draw("sendMessage") is not None for _ in range(100)]


def test_the_same_seed_draws_the_same_faults_for_about_the_share_that_is_asked_for() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 10 < sum(drawn(1)) < 60


def test_a_share_of_nothing_draws_nothing() -> None:
    draw = random_faults(0, seed=1)
    assert [draw("sendMessage") for _ in range(100)] == [None] * 100
