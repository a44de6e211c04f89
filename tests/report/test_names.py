"""Names from right to left in sentences of pages."""

from app.report.names import marked

NAMES = frozenset({"مجموعة", "مجموعة الأطفال", "קבוצה", "Group <A>"})


def test_each_name_from_right_to_left_stands_by_itself() -> None:
    said = "1,844 of مجموعة الأطفال, 2,354 of קבוצה and 3 of Group <A>"
    assert marked(said, NAMES) == (
        "1,844 of <bdi>مجموعة الأطفال</bdi>, 2,354 of <bdi>קבוצה</bdi> and 3 of Group &lt;A&gt;"
    )


def test_what_is_no_such_name_is_text() -> None:
    assert marked("a < b, مجموعة", frozenset({"b"})) == "a &lt; b, مجموعة"
