"""The charts: round scales, gaps, and nothing that breaks out of the drawing."""

import pytest

from sagas.console.charts import Series, bars_and_line, duration, lines


def test_the_scale_ends_at_a_round_number_above_all_values() -> None:
    bars = [Series(css="a", values=[3, 30]), Series(css="b", values=[4, 33])]
    chart = bars_and_line(bars, Series(css="c", values=[1, 2]), hints=["x", "y"], label="z")
    assert (chart.top, chart.middle) == (80, 40)
    # 33 of 80 on top of 30 of 80, in a drawing that is 100 high.
    assert 'class="b" x="138.00" y="21.25" width="84.00" height="41.25"' in chart.svg


@pytest.mark.parametrize(
    ("seconds", "top"), [(0.13, 0.2), (1.5, 2), (3.2, 4), (95, 100), (150, 240), (7300, 14400)]
)
def test_times_end_at_a_round_number_of_their_unit(seconds: float, top: float) -> None:
    chart = lines([Series(css="a", values=[seconds, None])], hints=["x", "y"], label="z")
    assert chart.top == pytest.approx(top)


def test_a_line_has_gaps_and_lonely_points() -> None:
    chart = lines([Series(css="a", values=[2, 2, None, 2])], hints=list("wxyz"), label="z")
    assert 'd="M30.00 0.00h0 L90.00 0.00 M210.00 0.00h0"' in chart.svg


def test_hints_and_labels_cannot_break_out_of_the_drawing() -> None:
    chart = lines([Series(css="a", values=[1])], hints=["<b>"], label='"><script>')
    assert "<b>" not in chart.svg
    assert "<script>" not in chart.svg


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "none"), (0, "0 s"), (0.25, "250 ms"), (4.2, "4.2 s"), (90, "90 s"),
        (600, "10 min"), (5400, "90 min"), (9000, "2.5 h"), (864000, "10 d"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_written_in_one_unit(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
