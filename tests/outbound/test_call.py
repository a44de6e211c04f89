"""One call to the outside, against real sockets on loopback."""

import gzip
import ipaddress
import logging
import resource
import socket
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from app.outbound import connection, errors
from app.outbound.call import Outbound, Reply
from app.outbound.targets import Address, Policy
from tests import receivers
from tests.receivers import NAME, answers, new_authority, receiving
from tests.waiting import PATIENCE_S, until

LOOPBACK = Policy((ipaddress.ip_network("127.0.0.0/8"),))
HOME = ipaddress.ip_address("127.0.0.1")


class Names:
    """A name server whose answers come one after another; the last stays."""

    def __init__(self, *answered: Sequence[str]) -> None:
        self.answered = [[ipaddress.ip_address(text) for text in one] for one in answered]
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        return self.answered.pop(0) if len(self.answered) > 1 else self.answered[0]


def greet(listening: socket.socket) -> None:
    """Speak first, as mail servers do, and not TLS."""
    connection, _ = listening.accept()
    with connection:
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.recv(65_536)


HERE = Outbound(LOOPBACK)


def post(url: str, outbound: Outbound = HERE, timeout_s: float = PATIENCE_S) -> Reply:
    return outbound.send("POST", url, headers={"X-One": "1"}, content=b"{}", timeout_s=timeout_s)


def test_a_call_brings_back_status_headers_and_body() -> None:
    with receiving(answers(202, b"taken", more="X-Two: 2\r\n")) as receiver:
        reply = post(receiver.url + "?a=b")
    assert (reply.status, reply.body, reply.truncated, reply.headers["x-two"]) == (202, b"taken", False, "2")
    [request] = receiver.requests
    assert request.line == "POST /hook?a=b HTTP/1.1"
    assert (request.body, request.headers["x-one"]) == (b"{}", "1")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["accept-encoding"] == "identity"


def test_loopback_is_refused_before_anything_is_sent() -> None:
    with receiving(answers()) as receiver:
        for scheme in ("http", "https"):
            for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]"):
                with pytest.raises(errors.Refused):
                    post(f"{scheme}://{host}:{receiver.port}/", Outbound(Policy()))
        assert receiver.connections == 0


@pytest.mark.parametrize("form", ["2130706433", "0x7f.1", "127.1", "localhost", "127.0.0.1."])
def test_other_ways_to_write_a_permitted_address_reach_it_or_nothing(form: str) -> None:
    with receiving(answers()) as receiver:
        assert outcome(f"http://{form}:{receiver.port}/") in (200, "name_not_found", "refused")


def outcome(url: str) -> int | str:
    try:
        return post(url).status
    except errors.OutboundError as error:
        return error.code


def test_one_address_that_is_not_public_refuses_the_name() -> None:
    with receiving(answers()) as receiver:
        for found in (["8.8.8.8", "10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["fd00:ec2::254"], ["169.254.169.254"]):
            with pytest.raises(errors.Refused, match="not a public one"):
                post(f"https://{NAME}:{receiver.port}/", Outbound(LOOPBACK, resolve=Names(found)))
        assert receiver.connections == 0


def test_plain_http_to_a_public_address_is_refused() -> None:
    with pytest.raises(errors.Refused, match="use https"):
        post(f"http://{NAME}/", Outbound(LOOPBACK, resolve=Names(["8.8.8.8"])))


def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    """A name that answers differently the second time (DNS rebinding) is not asked a second time."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    with receiving(answers()) as receiver:
        assert post(f"http://{NAME}:{receiver.port}/", Outbound(LOOPBACK, resolve=names)).status == 200
        assert receiver.requests[0].headers["host"] == f"{NAME}:{receiver.port}"
    assert names.asked == [NAME]


def test_a_name_that_turns_inward_after_it_was_checked_is_refused_at_the_next_call() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    outbound = Outbound(LOOPBACK, resolve=names)
    with receiving(answers()) as receiver:
        assert post(f"http://{NAME}:{receiver.port}/", outbound).status == 200
        with pytest.raises(errors.Refused):
            post(f"http://{NAME}:{receiver.port}/", outbound)


def test_the_certificate_is_verified_against_the_name(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    outbound = Outbound(LOOPBACK, authority.trusted(), Names(["127.0.0.1"]))
    seen: list[str | None] = []
    serving = authority.serves(NAME)
    serving.sni_callback = lambda _socket, name, _context: seen.append(name)
    with receiving(answers(), serving) as receiver:
        assert post(f"https://{NAME}:{receiver.port}/", outbound).status == 200
        assert receiver.requests[0].headers["host"] == f"{NAME}:{receiver.port}"
        for url in (f"https://other.example:{receiver.port}/", f"https://127.0.0.1:{receiver.port}/"):
            with pytest.raises(errors.TlsFailed):
                post(url, outbound)
    assert seen == [NAME, "other.example", None]


def test_unknown_authorities_expired_certificates_and_no_tls_at_all_fail(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    names = Names(["127.0.0.1"])
    with receiving(answers(), authority.serves(NAME)) as receiver, pytest.raises(errors.TlsFailed):
        post(f"https://{NAME}:{receiver.port}/", Outbound(LOOPBACK, resolve=names))
    expired = authority.serves(NAME, valid_for=-timedelta(days=1))
    with receiving(answers(), expired) as receiver, pytest.raises(errors.TlsFailed):
        post(f"https://{NAME}:{receiver.port}/", Outbound(LOOPBACK, authority.trusted(), names))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=greet, args=(listening,), daemon=True).start()
        with pytest.raises(errors.TlsFailed):
            post(f"https://{NAME}:{listening.getsockname()[1]}/", Outbound(LOOPBACK, authority.trusted(), names))


def test_redirects_are_not_followed() -> None:
    with receiving(answers(200)) as target:
        for status in (301, 302, 303, 307, 308):
            with receiving(answers(status, more=f"Location: {target.url}\r\n")) as receiver:
                assert post(receiver.url).status == status
        assert target.connections == 0


def test_proxies_and_logins_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    with receiving(answers(200)) as proxy, receiving(answers(204, b"")) as receiver:
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert post(receiver.url).status == 204
        assert proxy.connections == 0
        assert "authorization" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    "behaviour",
    [receivers.says_nothing, receivers.drips_headers, receivers.informs_for_ever, receivers.slow(3, answers())],
    ids=["silent", "drips", "informs", "slow"],
)
def test_no_status_in_time_is_a_timeout(behaviour: receivers.Behaviour) -> None:
    with receiving(behaviour) as receiver:
        started = monotonic()
        with pytest.raises(errors.TimedOut, match=r"not done within 0\.5 s"):
            post(receiver.url, timeout_s=0.5)
        assert 0.4 < monotonic() - started < 2.5


@pytest.mark.parametrize("behaviour", [receivers.never_closes, receivers.drips_body], ids=["never closes", "drips"])
def test_a_body_that_does_not_end_is_cut_short_at_the_deadline(behaviour: receivers.Behaviour) -> None:
    with receiving(behaviour) as receiver:
        started = monotonic()
        reply = post(receiver.url, timeout_s=0.5)
        assert monotonic() - started < 2.5
    assert reply.status == 200
    assert reply.truncated
    assert reply.body


def test_a_peer_that_never_finishes_the_tls_handshake_is_a_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        outbound = Outbound(LOOPBACK, new_authority(tmp_path).trusted(), Names(["127.0.0.1"]))
        with pytest.raises(errors.TimedOut):
            post(f"https://{NAME}:{listening.getsockname()[1]}/", outbound, timeout_s=0.5)


def test_a_peer_that_does_not_read_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with pytest.raises(errors.TimedOut):
            Outbound(LOOPBACK).send("POST", url, headers={}, content=b"x" * 50_000_000, timeout_s=0.5)


def test_a_name_server_that_does_not_answer_is_a_timeout() -> None:
    asked = threading.Event()

    def hang(host: str, port: int) -> Sequence[Address]:
        asked.set()
        sleep(2)
        return [HOME]

    with pytest.raises(errors.TimedOut):
        post(f"https://{NAME}/", Outbound(LOOPBACK, resolve=hang), timeout_s=0.3)
    assert asked.is_set()


def test_names_that_hang_hold_so_many_threads_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, asked = threading.Event(), []

    def hang(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        assert answered.wait(PATIENCE_S)
        return [HOME]

    monkeypatch.setattr(connection, "LOOK_UPS", connection.LookUps(most=3))
    outbound = Outbound(LOOPBACK, resolve=hang)
    for name in ("a", "b", "a", "c", "c"):
        with pytest.raises(errors.TimedOut):
            post(f"https://{name}.example/", outbound, timeout_s=0.05)
    assert sorted(asked) == ["a.example", "b.example", "c.example"]
    with pytest.raises(errors.Unreachable, match="too many"):
        post("https://d.example/", outbound, timeout_s=PATIENCE_S)
    answered.set()
    until(lambda: not connection.LOOK_UPS.under_way)
    with receiving(answers()) as receiver:
        assert post(f"http://d.example:{receiver.port}/", outbound).status == 200


def test_of_a_gigabyte_two_kilobytes_are_kept_and_the_rest_is_not_read() -> None:
    with receiving(receivers.sends_a_gigabyte) as receiver:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply = post(receiver.url)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (reply.status, reply.body, reply.truncated) == (200, b"z" * 2_048, True)
    assert after - before < 50_000  # kilobytes


def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    with receiving(answers(200, bomb, more="Content-Encoding: gzip\r\n")) as receiver:
        assert post(receiver.url).body == bomb[:2_048]
        with Outbound(LOOPBACK).client() as client, pytest.raises(errors.BadAnswer, match="compressed"):
            client.get(receiver.url)


def test_a_client_refuses_answers_over_its_size() -> None:
    with receiving(answers(200, b"x" * 1_001)) as receiver:
        with Outbound(LOOPBACK).client(max_bytes=1_001) as client:
            assert len(client.get(receiver.url).content) == 1_001
        with Outbound(LOOPBACK).client(max_bytes=1_000) as client, pytest.raises(errors.AnswerTooLarge):
            client.get(receiver.url)


def test_a_client_keeps_to_the_same_rules_and_raises_errors_of_its_own_kind() -> None:
    with receiving(receivers.drips_body) as receiver:
        with Outbound(LOOPBACK).client(timeout_s=0.5) as client, pytest.raises(errors.TimedOut):
            client.get(receiver.url)
        with Outbound(Policy()).client() as client, pytest.raises(httpx.TransportError):
            client.get(receiver.url)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [(receivers.hangs_up, errors.BadAnswer), (receivers.speaks_no_http, errors.BadAnswer)],
)
def test_what_is_not_http_is_told(behaviour: receivers.Behaviour, kind: type[errors.OutboundError]) -> None:
    with receiving(behaviour) as receiver, pytest.raises(kind):
        post(receiver.url)


def test_a_closed_port_is_unreachable_and_an_unknown_name_is_not_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(errors.Unreachable):
        post(f"http://127.0.0.1:{port}/")
    with pytest.raises(errors.NameNotFound):
        post(f"https://{NAME}/", Outbound(LOOPBACK, resolve=Names([])))


def test_the_next_address_is_tried_where_the_first_does_not_connect() -> None:
    with receiving(answers()) as receiver:
        names = Names(["127.0.0.9", "127.0.0.1"])
        assert post(f"http://{NAME}:{receiver.port}/", Outbound(LOOPBACK, resolve=names)).status == 200


def test_other_schemes_are_refused() -> None:
    with pytest.raises(errors.Refused):
        post("ftp://127.0.0.1/")


def test_urls_are_not_logged_at_the_level_of_the_service(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "httpx")
    with receiving(answers()) as receiver:
        post(receiver.url + "?token=hidden")
    assert "hidden" not in caplog.text


# One call after another


def test_a_line_keeps_its_connection_and_looks_the_name_up_once() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    with receiving(answers()) as receiver, Outbound(LOOPBACK, resolve=names).line(PATIENCE_S) as line:
        receiver.more = 100
        url = f"http://{NAME}:{receiver.port}/hook"
        for number in range(5):
            assert line.send("POST", url, headers={}, content=str(number).encode()).status == 200
    assert [request.body for request in receiver.requests] == [b"0", b"1", b"2", b"3", b"4"]
    assert (receiver.connections, names.asked) == (1, [NAME])


def test_a_connection_that_the_receiver_closed_is_followed_by_another() -> None:
    """At any moment of its idleness: each call is answered, and comes once or twice."""
    with receiving(answers()) as receiver, HERE.line(PATIENCE_S) as line:
        receiver.more = 3
        for number in range(30):
            reply = line.send("POST", receiver.url, headers={}, content=str(number).encode())
            assert (reply.status, reply.body) == (200, b"ok")
    assert list(dict.fromkeys(request.body for request in receiver.requests)) == [b"%d" % n for n in range(30)]
    assert receiver.connections >= 10


def test_a_kept_connection_that_breaks_is_tried_once_more_and_no_oftener() -> None:
    with receiving(answers()) as receiver, HERE.line(PATIENCE_S) as line:
        receiver.more = 2
        assert line.send("POST", receiver.url, headers={}, content=b"1").status == 200
        receiver.behaviour = receivers.hangs_up
        with pytest.raises(errors.OutboundError):
            line.send("POST", receiver.url, headers={}, content=b"2")
    assert [request.body for request in receiver.requests] == [b"1", b"2", b"2"]


def test_each_call_on_a_line_has_a_deadline_of_its_own() -> None:
    with receiving(receivers.slow(0.3, answers())) as receiver, HERE.line(0.5) as line:
        receiver.more = 100
        for _ in range(3):
            assert line.send("POST", receiver.url, headers={}, content=b"").status == 200
        receiver.behaviour = receivers.says_nothing
        with pytest.raises(errors.TimedOut):
            line.send("POST", receiver.url, headers={}, content=b"")
    assert receiver.connections == 1


def test_what_is_left_of_a_long_answer_is_not_taken_for_the_next() -> None:
    with receiving(answers(body=b"x" * 100_000)) as receiver, HERE.line(PATIENCE_S) as line:
        receiver.more = 100
        for _ in range(2):
            reply = line.send("POST", receiver.url, headers={}, content=b"")
            assert (len(reply.body), reply.truncated) == (2_048, True)
    assert receiver.connections == 2
