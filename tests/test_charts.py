"""Charts as SVG."""

from xml.etree import ElementTree

import pytest

from app.web.charts.charts import Point, bars, columns, line

POINTS = [Point("Mon", 80), Point("Tue", None), Point("Wed <b>", 100, kind="ok")]


def drawn(markup: str) -> ElementTree.Element:
    """The picture as a tree: it has to be well-formed."""
    return ElementTree.fromstring(markup)


def sizes(markup: str, side: str) -> list[float]:
    return [float(bar.get(side, "")) for bar in drawn(markup).iter("rect")]


@pytest.mark.parametrize("chart", [columns, line, bars])
def test_a_chart_is_a_picture_with_a_title_and_a_description(chart: object) -> None:
    markup = chart("days", "A <title>", "What & why", POINTS)  # type: ignore[operator]
    picture = drawn(markup)
    assert picture.get("role") == "img"
    title, description = picture.find("title"), picture.find("desc")
    assert title is not None
    assert description is not None
    assert (title.text, description.text) == ("A <title>", "What & why")
    assert picture.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert "style" not in markup
    assert "Wed &lt;b&gt;" in markup


def test_a_column_is_as_high_as_its_percentage_and_left_out_without_one() -> None:
    heights = [
        float(bar.get("height", "")) for bar in drawn(columns("d", "", "", POINTS)).iter("rect")
    ]
    assert heights == [104, 130]


def test_percentages_beyond_the_axis_are_drawn_at_its_end() -> None:
    points = [Point("a", 130), Point("b", -5)]
    heights = [
        float(bar.get("height", "")) for bar in drawn(columns("d", "", "", points)).iter("rect")
    ]
    assert heights == [130, 0]


def test_a_line_goes_over_gaps_and_shows_what_to_compare_with() -> None:
    picture = drawn(line("d", "", "", POINTS, mark=75))
    (path,) = picture.iter("polyline")
    assert len(path.get("points", "").split()) == 2
    assert [
        each.get("y1") for each in picture.iter("line") if each.get("class") == "mark-line"
    ] == ["44.5"]
    assert "mark-line" not in line("d", "", "", POINTS)


def test_bars_are_as_long_as_their_share_of_the_largest() -> None:
    points = [Point("a", 4), Point("b", 2), Point("c", 0)]
    assert sizes(bars("d", "", "", points), "width") == [260, 130, 0]
    assert drawn(bars("d", "", "", [Point("a", 0)])).find("rect") is not None


def test_labels_are_left_out_where_they_would_overlap() -> None:
    many = [Point(f"{n}", 50) for n in range(300)]
    picture = drawn(columns("d", "", "", many))
    labels = [text for text in picture.iter("text") if text.get("text-anchor") == "middle"]
    assert len(labels) == 100
    assert int(picture.get("width", "")) == 44 + 300 * 18 + 12


def test_nothing_makes_an_empty_picture() -> None:
    for chart in (columns, line, bars):
        assert drawn(chart("d", "", "", [])).get("role") == "img"
