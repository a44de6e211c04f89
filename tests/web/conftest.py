import pytest

from tests.api_client import Api
from tests.web.browser_client import Pages


@pytest.fixture
def pages(api: Api) -> Pages:
    """Signed in with an admin key."""
    made = Pages(api)
    answer = made.sign_in(api.key or "")
    assert answer.status_code == 303, answer.text
    made.get("/")
    return made
