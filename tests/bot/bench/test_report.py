from bot.bench.report import Line, markdown, table


def test_values_keep_about_three_digits_and_counts_all() -> None:
    values = (1234.56, 123.4, 12.34, 1.234, 0.1234, 0.0123, 3)
    assert [Line(figure="f", what="w", value=value, unit="s").cells[2] for value in values] == [
        "1235 s", "123 s", "12.3 s", "1.23 s", "0.123 s", "0.0123 s", "3 s",
    ]  # fmt: skip


def test_tables_line_up_and_markdown_is_a_table() -> None:
    row = Line(figure="one note", what="Earshot", value=1.5, unit="s").cells
    head = ("figure", "what", "value")
    assert table([row], head).splitlines() == [
        "figure    what     value",
        "one note  Earshot  1.50 s",
    ]
    assert markdown([row], head).splitlines()[1:] == [
        "| --- | --- | --- |",
        "| one note | Earshot | 1.50 s |",
    ]
