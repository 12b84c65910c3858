"""Feeds the decoder damaged encodings for a while: `python -m tests.fuzz_codec [seconds] [seed]`.

Every input must end in a value or a `DecodeError`, and what is read must be written and read again
as the same bytes. Meant to run with AddressSanitizer, which sees what no assertion here could:
`make fuzz`. Prints the seed, and the input before a failure, in hexadecimal.
"""

import datetime as dt
import random
import sys
import time
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from stmpy import DecodeError
from stmpy._native import decode, encode

SEEDS: list[list[object]] = [
    [None, True, 1, 1000, -(2**40), 2**70, -(2**70), 1.5, 1.1, float("inf")],
    ["text", "ü" * 30, b"bytes", (), (1, (2,)), {"k": [1, {}]}, {1, "a"}, frozenset({(1,)})],
    [1j, Decimal("1.5"), Decimal("NaN"), Fraction(1, 3), UUID(int=7)],
    [dt.datetime(2020, 1, 2, tzinfo=dt.UTC), dt.date(2020, 1, 2), dt.time(1, fold=1)],
    [dt.timedelta(1, 2, 3), {(1, "a"): {2: [3]}}],
]


def damage(rng: random.Random, corpus: list[bytes]) -> bytes:
    """An encoding with a few bytes changed, removed, repeated, or taken from another one."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.randint(0, 8))
        match rng.randrange(4):
            case 0:
                data[at:end] = rng.randbytes(end - at)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * rng.randint(1, 5)
            case _:
                other = rng.choice(corpus)
                data[at:end] = other[rng.randrange(len(other)) :][:20]
    return bytes(data)


def check(data: bytes) -> bool:
    """True if the bytes could be read."""
    try:
        value = decode(data)
    except DecodeError:
        return False
    written = encode(value)
    assert encode(decode(written)) == written
    return True


def main(seconds: float, seed: int) -> None:
    print(f"fuzz_codec: seed {seed}, {seconds:g} s")
    rng = random.Random(seed)
    corpus = [encode(part) for whole in SEEDS for part in (whole, *whole)]
    inputs = accepted = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = damage(rng, corpus)
        try:
            ok = check(data)
        except BaseException:
            print(f"failing input: {data.hex()}")
            raise
        inputs += 1
        accepted += ok
        # What is still read after damage is a new shape: it joins what is damaged further.
        if ok and len(data) < 1000 and len(corpus) < 5000:
            corpus.append(data)
    print(f"fuzz_codec: {inputs} inputs, {accepted} of them read, the others refused")
    assert 0 < accepted < inputs


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        float(arguments[0]) if arguments else 60.0,
        int(arguments[1]) if len(arguments) > 1 else random.SystemRandom().randrange(2**32),
    )
