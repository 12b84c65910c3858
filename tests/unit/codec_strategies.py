"""Values that the codec stores, drawn at random, and a comparison that misses no difference."""

import datetime as dt
import struct
import uuid
from collections.abc import Hashable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

ZONES = st.none() | st.integers(-86399, 86399).map(lambda s: dt.timezone(dt.timedelta(seconds=s)))
MINUTE_ZONES = st.integers(-23 * 60, 23 * 60).map(lambda m: dt.timezone(dt.timedelta(minutes=m)))

integers = (
    st.integers()
    | st.integers(-(2**600), 2**600)
    | st.sampled_from(
        [
            sign * 2**bits + step
            for bits in (8, 16, 32, 63, 64)
            for step in (-1, 0, 1)
            for sign in (1, -1)
        ]
    )
)
decimals = st.decimals(allow_nan=False) | st.decimals(allow_nan=False).map(lambda d: d.scaleb(-300))
folds = st.integers(0, 1)
datetimes = st.builds(
    lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold), st.datetimes(), ZONES, folds
)
times = st.builds(
    lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold), st.times(), ZONES, folds
)

hashable_scalars: st.SearchStrategy[Hashable] = (
    st.none()
    | st.booleans()
    | integers
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | decimals
    | st.fractions()
    | st.uuids()
    | datetimes
    | st.dates()
    | times
    | st.timedeltas()
)
scalars = hashable_scalars | st.decimals() | st.sampled_from([Decimal("sNaN12"), Decimal("-0E+7")])

hashables: st.SearchStrategy[Hashable] = st.recursive(
    hashable_scalars,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=6,
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars | hashables,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(hashables, inner, max_size=5)
        | st.sets(hashables, max_size=5)
        | st.frozensets(hashables, max_size=5)
    ),
    max_leaves=20,
)

# Where the mapping of a type to CBOR is a standard's or cbor2's own, both ways.
plain_scalars: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | integers
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False).filter(bool)
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=MINUTE_ZONES).map(lambda moment: moment.replace(fold=0))
)
plain_values: st.SearchStrategy[Any] = st.recursive(
    plain_scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=5)
        | st.sets(st.integers(0, 23) | st.integers(1000, 9999), max_size=1)
    ),
    max_leaves=20,
)


def exact(value: Any) -> Any:
    """What tells a value from every other, in a form that == can compare.

    Types, the order of a dict, the sign of zero, NaN, the digits of a Decimal, fold and offset all
    count; what == on the values themselves would let pass.
    """
    kind = type(value)
    if isinstance(value, float):
        return kind, "nan" if value != value else struct.pack(">d", value)
    if isinstance(value, complex):
        return kind, exact(value.real), exact(value.imag)
    if isinstance(value, Decimal):
        return kind, value.as_tuple()
    if isinstance(value, dt.datetime | dt.time):
        return kind, value.replace(tzinfo=None, fold=0), value.fold, value.utcoffset()
    if isinstance(value, list | tuple):
        return kind, [exact(item) for item in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(exact(item)) for item in value)
    if isinstance(value, dict):
        return kind, [(exact(key), exact(item)) for key, item in value.items()]
    assert value is None or kind in (
        *(bool, int, str, bytes, Fraction, uuid.UUID),
        *(dt.date, dt.timedelta),
    ), f"exact() knows no {kind}"
    return kind, value
