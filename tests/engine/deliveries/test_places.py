import asyncio
import socket
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from qsops.config.ranges import parse_networks
from qsops.engine.deliveries.places import PlaceRefused, Places
from qsops.engine.deliveries.tls import Resolver, refusal

Names = Callable[[dict[str, list[str]]], list[str]]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Let the system know these names alone; the list returned is of what was looked up."""

    def know(known: dict[str, list[str]]) -> list[str]:
        asked: list[str] = []
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def getaddrinfo(host: str, *rest: object, **named: object) -> list:
            if host not in known and host[:1].isdecimal() and rest[:1] != (None,):
                return await real(host, *rest, **named)  # uvloop reads the address of a connection in this way
            asked.append(host)
            await asyncio.sleep(0)
            if host not in known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in known[host]]

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        return asked

    return know


async def test_a_name_is_judged_by_its_address(names: Names):
    """A harmless name that leads to a private address is refused, with the name, the address and what to do."""
    names({"consumer.example": ["10.0.0.5"]})
    with pytest.raises(PlaceRefused) as refused:
        await Places(()).resolve("consumer.example")
    assert str(refused.value) == (
        "destination refused: consumer.example resolves to 10.0.0.5, a private address; "
        "the engine calls it once it is started with --allow-private 10.0.0.5"
    )


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", "0", "::"],
)
async def test_no_spelling_of_this_machine_gets_through(host: str):
    """Decimal, octal, hexadecimal, short, mapped or a name: what the system makes of it is looked at."""
    with pytest.raises(PlaceRefused, match="destination refused"):
        await Places(()).resolve(host)


async def test_only_the_public_addresses_of_a_name_are_called(names: Names):
    """A name with a public and a private address is called at the public one alone."""
    names({"both.example": ["192.168.0.1", "93.184.215.14", "127.0.0.1"]})
    assert await Places(()).resolve("both.example") == ["93.184.215.14"]


async def test_what_is_allowed_may_be_called(names: Names):
    """A network that was named on purpose, and no other; without limits every address."""
    names({"inside.example": ["10.0.0.5"], "elsewhere.example": ["10.1.0.5"]})
    places = Places(parse_networks("--allow-private", ["10.0.0.0/16"]))
    assert await places.resolve("inside.example") == ["10.0.0.5"]
    with pytest.raises(PlaceRefused):
        await places.resolve("elsewhere.example")
    assert await Places().resolve("elsewhere.example") == ["10.1.0.5"]
    assert await Places().resolve("127.0.0.1") == ["127.0.0.1"]


async def test_a_name_without_an_address_is_refused(names: Names):
    """It is an outcome like any other: the attempt says what could not be resolved, and why."""
    names({})
    with pytest.raises(PlaceRefused) as refused:
        await Places().resolve("nowhere.example")
    assert str(refused.value) == "unable to resolve host: lookup nowhere.example: Name or service not known"


@pytest.mark.parametrize("host", ["x" * 300, "a..b", "\udcff"])
async def test_what_is_no_name_is_refused(host: str):
    """A label that no name can have is the destination's fault, and no exception of ours."""
    with pytest.raises(PlaceRefused, match="it is no name of a host"):
        await Places().resolve(host)


async def test_those_who_wait_share_one_look_up(names: Names):
    """A thousand messages to one host ask for its name once; a failure is asked for again."""
    asked = names({"consumer.example": ["93.184.215.14"]})
    places = Places(())
    assert len(await asyncio.gather(*(places.resolve("consumer.example") for _ in range(100)))) == 100
    await places.resolve("consumer.example")
    assert asked == ["consumer.example"]
    for _ in range(2):
        with pytest.raises(PlaceRefused):
            await places.resolve("nowhere.example")
    assert asked == ["consumer.example", "nowhere.example", "nowhere.example"]


async def test_who_loses_patience_leaves_the_others_waiting(names: Names):
    """A delivery that times out does not take the look-up away from the next."""
    names({"consumer.example": ["93.184.215.14"]})
    places = Places(())
    impatient, patient = (asyncio.create_task(places.resolve("consumer.example")) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == ["93.184.215.14"]


async def test_names_are_not_kept_for_ever(names: Names, monkeypatch: pytest.MonkeyPatch):
    """The memory of names is bounded, and a name that moved is found at its new address."""
    known = {f"{n}.example": ["93.184.215.14"] for n in range(1_100)}
    asked = names(known)
    places = Places(())
    for host in known:
        await places.resolve(host)
    assert len(places._look_ups) == 1_000
    known["1099.example"] = ["10.0.0.5"]
    loop = asyncio.get_running_loop()
    later_s = loop.time() + 11
    monkeypatch.setattr(loop, "time", lambda: later_s)
    with pytest.raises(PlaceRefused):
        await places.resolve("1099.example")
    assert len(asked) == 1_101


@pytest.fixture
async def consumer():
    """The port of a server on this machine that counts who comes."""
    visits: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        visits.append(request.path)
        return web.Response()

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], visits
    await runner.cleanup()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "consumer.example", "2130706433"])
async def test_aiohttp_does_not_connect_to_what_is_refused(names: Names, consumer, host: str):
    """Behind the connector, too, where addresses never meet the resolver: nothing arrives."""
    names({"consumer.example": ["127.0.0.1"]})
    port, visits = consumer
    places = Places(())
    connector = aiohttp.TCPConnector(resolver=Resolver(places), socket_factory=places.socket)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientError) as raised:
            await session.get(f"http://{host}:{port}/")
    # aiohttp itself refuses an address in any but its usual spelling.
    assert host == "2130706433" or str(refusal(raised.value)).startswith("destination refused")
    assert visits == []


async def test_aiohttp_connects_to_what_is_allowed(names: Names, consumer):
    """The same way lets through what may be called."""
    names({"consumer.example": ["10.0.0.5", "127.0.0.1"]})
    port, visits = consumer
    places = Places(parse_networks("--allow-private", ["127.0.0.0/8"]))
    connector = aiohttp.TCPConnector(resolver=Resolver(places), socket_factory=places.socket)
    async with aiohttp.ClientSession(connector=connector) as session:
        for host in ("127.0.0.1", "consumer.example"):
            async with session.get(f"http://{host}:{port}/{host}") as answer:
                assert answer.status == 200
    assert visits == ["/127.0.0.1", "/consumer.example"]
