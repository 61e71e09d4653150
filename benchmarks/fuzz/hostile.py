"""Inputs made of other inputs: small changes that keep their form, and values that are extreme."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from random import Random

# Texts, numbers, words and single signs: what a change replaces, drops, doubles or moves.
_TOKEN = re.compile(
    rb'"(?:[^"\\\n]|\\.)*"|-?[0-9][0-9.eE+-]*|[A-Za-z_][A-Za-z0-9_-]*|\s+|.', re.DOTALL
)
_CHANGES = 4  # at most, in one input
_LONGEST = 16_384  # bytes; what is longer takes its time, and is among the extremes

FRAGMENTS: Sequence[bytes] = (
    b"null", b"true", b"false", b"0", b"-0.0", b"1e16", b"1e999", b"-1e999", b"1e999999999",
    b"1e-400", b"1.2.3", b"NaN", b"Infinity", b"-Infinity", b"9223372036854775808",
    b"-9223372036854775809", b"0.1000000000000000055511151231257827", b"1" * 40, b"9" * 4_300,
    b"9" * 4_301, b"0x" + b"f" * 4_000, b"[]", b"{}", b'""', b'"\\ud800"', b'"\\udc00\\ud800"',
    b'"\\u0000"', b'"\x00"', b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae",
    b"'", b'"', b"\\", b"`", b"\n", b"\r\n", b"\t", b"\x1b[2J", b"%00", b"%25", b"%", b"+",
    b"../", b"/etc/passwd", b"..", b"/", b"//", b"~", b"#", b"|", b"=", b":", b",", b";", b"--",
    b'"9999-12-31T23:59:59.999999Z"', b'"0001-01-01T00:00:00+23:59"', b'"2026-02-30T00:00:00Z"',
    b'"2026-03-10"', b'"2026-W11-2"', b'"24:00"', b'{"S":"x"}', b'{"N":"1e126"}', b'{"N":"-"}',
    b'{"B":"!"}', b'{"BS":["eA=="]}', b'{"NS":["2","10"]}', b'{"L":[{"NULL":true}]}',
    b'{"M":{"a":{"BOOL":false}}}', b'{"S":"x","N":"1"}', b'{"NULL":null}', b'"__class__"',
    b'"S"', b'"N"', b"START RequestId: ", b"END RequestId: ", b"REPORT RequestId: ", b"[ERROR] ",
    b"DROP TABLE x;", b"read_csv('/etc/passwd')", b"0001-01-01T00:00:00Z", b"1970-01-01T00:00:00Z",
    b"99999999999999", b"-62135596800000", b"[[[[[[[[", b"]]]]]]]]", b'{"a":' * 9,
)  # fmt: skip
_RUNS: Sequence[bytes] = (
    b" ", b"\t", b"\n", b"\r", b"\\", b'"', b"'", b"[", b"{", b'{"a":', b"(", b"9", b"a", b"A",
    b".", b"/", b"=", b"%", b"-", b";", b'","', b",", b": ", b"\xc3\xa9", b"secret key ",
    b"/event_type=", b"\tDuration: 1", b"X-Amz-Signature=",
)  # fmt: skip
_LONG_RUN, _MANY = 200_000, 100_000
_DEPTHS = (*range(100, 900, 100), *range(900, 1_002), 10_000, _MANY)  # Python counts to 1,000


def tokens_of(data: bytes) -> list[bytes]:
    """Return the texts, numbers, words and signs of an input, as far as changes look."""
    return _TOKEN.findall(data[:_LONGEST])


def changed(data: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return an input with a few changes that mostly leave it in its form."""
    for _ in range(draw.randint(1, _CHANGES)):
        tokens = tokens_of(data)
        at = draw.randrange(len(tokens) + 1)
        data = b"".join(_with_one_change(tokens, at, others, draw))
    return data


def _with_one_change(
    tokens: list[bytes], at: int, others: Sequence[bytes], draw: Random
) -> list[bytes]:
    before, here, after = tokens[:at], tokens[at : at + 1], tokens[at + 1 :]
    kind = draw.randrange(7)
    if kind == 0:
        return before + after
    if kind == 1:
        return before + here * draw.randint(2, 4) + after
    if kind == 2:
        return [*before, draw.choice(FRAGMENTS), *here, *after]
    if kind == 3:
        other = _TOKEN.findall(draw.choice(others)) if others else here
        return before + other[draw.randrange(len(other) + 1) :] + after
    if kind == 4 and tokens:
        return [*before, draw.choice(tokens), *after]
    if kind == 5 and here:
        return [*before, _with_another_byte(here[0], draw), *after]
    return [*before, draw.choice(FRAGMENTS), *after]


def _with_another_byte(token: bytes, draw: Random) -> bytes:
    at = draw.randrange(len(token))
    return token[:at] + bytes([draw.randrange(256)]) + token[at + 1 :]


def extremes(seeds: Sequence[bytes], places: int) -> Iterator[bytes]:
    """Yield large inputs: in so many places of each seed nesting of every critical depth, numbers
    of many digits, long runs of one sign, and what unpacks to a thousand times its size."""
    for seed in seeds:
        tokens = _TOKEN.findall(seed)
        chosen = _spread([at for at, token in enumerate(tokens) if token.strip()], places)
        for place, at in enumerate(chosen):
            before, after = b"".join(tokens[:at]), b"".join(tokens[at + 1 :])
            for value in _large(every_depth=not place):
                yield before + value + after
            for run in _RUNS:
                yield before + run * (_LONG_RUN // len(run)) + after
    yield b""
    yield gzip.compress(b"\0" * 50_000_000, mtime=0)
    yield gzip.compress(b"\n" * 5_000_000, mtime=0)
    yield gzip.compress(b"[" * 20_000_000, mtime=0)[:-9]


def _large(*, every_depth: bool) -> Iterator[bytes]:
    for depth in _DEPTHS if every_depth else _DEPTHS[-3:]:
        yield b"[" * depth + b"]" * depth
        yield b'{"a":' * depth + b"1" + b"}" * depth
        yield b'{"M":{"a":' * (depth // 2) + b'{"S":""}' + b"}}" * (depth // 2)
    yield b"9" * _LONG_RUN
    yield b'"' + b"9" * _LONG_RUN + b'"'
    yield b"1e" + b"9" * _LONG_RUN
    yield b'{"N":"1e99999999"}'
    yield b'{"N":"' + b"9" * _LONG_RUN + b'"}'
    yield b"[" + b"[]," * _MANY + b"[]]"
    yield b"[" + b"0," * _MANY + b"0]"
    yield b"{" + b",".join(b'"%d":%d' % (name, name) for name in range(_MANY // 4)) + b"}"


def _spread(places: list[int], most: int) -> list[int]:
    step = max(1, len(places) // most) if most else 1
    return places[::step][:most]
