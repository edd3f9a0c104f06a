"""Free and taken ports of this machine."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terna.errors import PortTaken
from terna.ports import check_free, free_port


def an_unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_taken_port_is_refused_by_number(taken: int) -> None:
    with pytest.raises(PortTaken, match=f"Port {taken} on 127.0.0.1 is taken"):
        check_free("127.0.0.1", taken)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_port_taken_on_another_name_of_the_host_is_refused(taken: int, host: str) -> None:
    with pytest.raises(PortTaken):
        check_free(host, taken)


@pytest.mark.parametrize("find", [lambda port: check_free("127.0.0.1", port), free_port])
def test_port_is_free_as_soon_as_its_server_has_ended(find: Callable[[int], int | None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()  # this end closes first, and lingers in TIME_WAIT

    assert find(port) in (None, port)


def test_wanted_port_is_returned_when_free() -> None:
    port = an_unused_port()

    assert free_port(port) == port


def test_taken_port_is_replaced_by_a_free_one(taken: int) -> None:
    port = free_port(taken)

    assert port != taken
    check_free("127.0.0.1", port)


def test_no_wanted_port_gives_any_free_one() -> None:
    check_free("127.0.0.1", free_port())


def test_ports_to_avoid_are_never_returned() -> None:
    wanted = an_unused_port()
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    half = [wanted, *range(low, (low + high) // 2)]

    assert not {free_port(wanted, avoid=half) for _ in range(10)} & set(half)
