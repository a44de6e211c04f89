"""What waits on a connection's page is mapped there and counted."""

from collections.abc import Callable

from app.jobs.vendors import place_order
from tests.vendors.test_inbox import item
from tests.vendors.test_words import close
from tests.vendors.world import World
from tests.web.browser_client import Pages, text_of


def page_of(world: World) -> tuple[str, Pages]:
    """The connection's page, and a browser that is signed in."""
    pages = Pages(world.api)
    pages.sign_in(world.api.key or "")
    return world.connection.replace("/v1/vendor-connections", "/connections"), pages


def test_words_that_wait_are_mapped_on_the_page_and_counted(world: World) -> None:
    world.send(item("1", group="women <b>of</b> colour"), item("2"))
    path, pages = page_of(world)
    shown = pages.get(path)
    assert "women &lt;b&gt;of&lt;/b&gt; colour" in shown.text
    assert "<b>of</b>" not in shown.text
    assert "quarantined" in text_of(shown)
    mapped = pages.post(f"{path}/map", {"word": ["women <b>of</b> colour"], "group": ["B"]})
    assert mapped.status_code == 303
    world.map()
    assert world.counts() == {"A": {"accepted": 1}, "B": {"accepted": 1}}
    assert "every sample counts for its group" in text_of(pages.get(path))


def test_a_word_counted_wrongly_is_mended_on_the_page_after_its_round_closed(world: World) -> None:
    world.send(item("1", group="w"), item("2"))
    path, pages = page_of(world)
    pages.get(path)
    pages.post(f"{path}/map", {"word": ["w"], "group": ["A"]})
    world.map()
    close(world)
    shown = pages.get(path)
    assert '<option value="A" selected>A</option>' in shown.text
    pages.post(f"{path}/map", {"word": ["w"], "group": ["B"]})
    world.map()
    assert world.counts() == {"A": {"accepted": 1}, "B": {"accepted": 1}}
    causes = {one["cause"].partition(":")[0] for one in world.api.get(f"{world.project}/ledger").json()["items"]}
    assert "vendor-mapping" in causes


def test_a_vendors_order_is_linked_on_the_page_and_counted(world: World) -> None:
    world.send(item("1"), order="pool-9")
    path, pages = page_of(world)
    assert '<option value="pool-9">' in pages.get(path).text
    assert pages.post(f"{path}/orders", {"external_order_id": "pool-9", "order": "none"}).status_code == 422
    linked = pages.post(f"{path}/orders", {"external_order_id": "pool-9", "order": world.order_id})
    assert linked.status_code == 303
    world.map()
    assert world.counts() == {"A": {"accepted": 1}}
    assert pages.post(f"{path}/reconcile").status_code == 409


def test_an_order_that_was_refused_says_why_and_is_placed_again(make_world: Callable[..., World]) -> None:
    world = make_world(kind="prolific", config={"workspace_id": "w"}, secret="prolific-secret")
    order = world.order(5, "open")
    assert world.api.post(f"{world.connection}/placements/{order}").status_code == 202
    place_order(world.context, {"order_id": order})
    path, pages = page_of(world)
    assert "refused The connection 'vendor' has no api_token" in text_of(pages.get(path))
    assert pages.post(f"{path}/placements", {"order": order}).status_code == 303
    assert "placing" in text_of(pages.get(path))
    assert pages.post(f"{path}/placements", {"order": "none"}).status_code == 404
    pages.get(path)
    assert pages.post(f"{path}/reconcile").status_code == 303
