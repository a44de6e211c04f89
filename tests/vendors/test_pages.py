"""What waits on a connection's page is mapped there and counted."""

from tests.vendors.test_inbox import item
from tests.vendors.world import World
from tests.web.browser_client import Pages, text_of


def test_words_that_wait_are_mapped_on_the_page_and_counted(world: World) -> None:
    world.send(item("1", group="women <b>of</b> colour"), item("2"))
    path = world.connection.replace("/v1/vendor-connections", "/connections")
    pages = Pages(world.api)
    pages.sign_in(world.api.key or "")
    shown = pages.get(path)
    assert "women &lt;b&gt;of&lt;/b&gt; colour" in shown.text
    assert "<b>of</b>" not in shown.text
    assert "quarantined" in text_of(shown)
    mapped = pages.post(f"{path}/map", {"word": ["women <b>of</b> colour"], "group": ["B"]})
    assert mapped.status_code == 303
    world.map()
    assert world.counts() == {"A": {"accepted": 1}, "B": {"accepted": 1}}
    assert "every sample counts for its group" in text_of(pages.get(path))
