"""Messages across a cable: noise, slowness, silence, an unplugged end, and what a hostile other side sends."""

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import cable
from agent.cable import SerialLine, ask, block_s, confirm, receive, send, serve
from agent.errors import EnvironmentFault, SenderFault
from agent.wire.cable import BLOCK_BYTES, Assembly, Frame, FrameFinder, Kind, frames_of
from agent.wire.enrolment import MAX_REPLY_BYTES
from firmware_hooks.simulated_cable import SimulatedCable

REQUEST = random.Random(1).randbytes(1500)
REPLY = random.Random(2).randbytes(9000)
FAST = 921_600


def exchange(wire: SimulatedCable, baud: int, reply: bytes = REPLY) -> tuple[bytes, bool]:
    """A device asks, the bench answers; what the device got, and whether the bench heard that it did."""
    heard: list[bool] = []

    def bench() -> None:
        with SerialLine(wire.bench, baud) as line:
            heard.append(serve(line, lambda request: reply if request == REQUEST else b"?", 20, MAX_REPLY_BYTES))

    thread = threading.Thread(target=bench)
    with SerialLine(wire.device, baud) as line:
        thread.start()
        got = ask(line, REQUEST, 20, MAX_REPLY_BYTES)
        confirm(line)
        thread.join()
    return got, heard[0]


def test_a_request_goes_over_and_its_reply_comes_back() -> None:
    with SimulatedCable(0) as wire:
        assert exchange(wire, FAST) == (REPLY, True)


def test_two_in_a_hundred_spoilt_pieces_cost_time_and_nothing_else() -> None:
    with SimulatedCable(0, spoilt=0.02, seed=4) as wire:
        assert exchange(wire, FAST)[0] == REPLY
        assert wire.pieces_spoilt > 0


def test_the_time_out_is_longer_than_a_block_takes_at_every_speed() -> None:
    for baud in cable.BAUDS:
        assert block_s(baud) > BLOCK_BYTES * cable.BITS_A_BYTE / baud
    assert block_s(9600) > 0.8 > block_s(115_200)


def test_nobody_at_the_other_end_is_told() -> None:
    with SimulatedCable(0) as wire, SerialLine(wire.device, FAST) as line:
        with pytest.raises(EnvironmentFault, match="没有应答"):
            send(line, b"request", tries=2)
        with pytest.raises(EnvironmentFault, match="等不到消息"):
            receive(line, 0.3, 100)
        assert not confirm(line)


def test_an_unplugged_cable_is_told() -> None:
    with SimulatedCable(0) as wire, SerialLine(wire.device, FAST) as line:
        wire.pull()
        with pytest.raises(EnvironmentFault, match="断开了"):
            receive(line, 5, 100)
    with pytest.raises(EnvironmentFault, match="打不开串口"), SerialLine("/dev/no-such-line", FAST):
        pass


def test_a_reply_that_is_too_long_is_refused() -> None:
    with SimulatedCable(0) as wire, SerialLine(wire.bench, FAST) as bench, SerialLine(wire.device, FAST) as line:
        bench.write(frames_of(REPLY)[0].encode())
        with pytest.raises(SenderFault, match="过长"):
            receive(line, 5, 1000)


@given(st.binary(max_size=3000), st.randoms(use_true_random=False))
def test_frames_are_found_in_any_garbage(message: bytes, chance: random.Random) -> None:
    finder, assembly = FrameFinder(), Assembly()
    found = []
    for frame in frames_of(message):
        data = chance.randbytes(chance.randrange(40)).replace(b"\xa6", b"x") + frame.encode()
        cut = chance.randrange(len(data))
        found += finder.feed(data[:cut]) + finder.feed(data[cut:])
    for frame in found:
        assembly.take(frame)
    assert assembly.message() == message


@given(st.binary(max_size=2000))
def test_no_bytes_make_the_finder_raise_or_keep_more_than_a_frame(data: bytes) -> None:
    finder = FrameFinder()
    for frame in [*finder.feed(data), *finder.quiet()]:
        assert len(frame.body) <= BLOCK_BYTES


def test_a_block_out_of_turn_is_not_taken() -> None:
    assembly = Assembly()
    assert assembly.take(Frame(Kind.BLOCK, 1, b"x")) is None
    head, first, *_ = frames_of(REPLY)
    assert assembly.take(head) == Frame(Kind.ACKNOWLEDGED, 0)
    assert assembly.take(Frame(Kind.BLOCK, 5, b"x")) is None
    assert assembly.take(first) == assembly.take(first) == Frame(Kind.ACKNOWLEDGED, 1)
    assert assembly.message() is None


def test_a_message_that_unpacks_to_more_than_allowed_is_refused() -> None:
    assembly = Assembly(1000)
    for frame in frames_of(bytes(5_000_000))[:1]:
        with pytest.raises(SenderFault, match="过长"):
            assembly.take(frame)
    small = Assembly(9000)
    with pytest.raises(SenderFault, match="过长或不完整"):  # noqa: PT012
        for frame in frames_of(bytes(1_000_000)):
            small.take(frame)
        small.message()


def test_a_message_whose_blocks_were_exchanged_is_refused() -> None:
    head, *blocks = frames_of(REPLY)
    assembly = Assembly()
    assembly.take(head)
    for number, block in enumerate(reversed(blocks), 1):
        assembly.take(Frame(Kind.BLOCK, number, block.body))
    with pytest.raises(SenderFault, match="与其摘要不符"):
        assembly.message()
