"""Enums and dataclasses by registration: what comes back, what changes of a class do."""

import enum
from dataclasses import InitVar, dataclass, field
from itertools import count
from typing import Any

import pytest

from stmpy import DecodeError, EncodeError
from stmpy._native import decode, encode, register

numbers = count()


def registered[C: type](cls: C) -> C:
    """Registers a class under a name that no other test uses."""
    register(cls, f"{cls.__name__}{next(numbers)}")
    return cls


@registered
class Colour(enum.Enum):
    RED = 1
    ROUGE = 1
    ODD = object()  # what a member stands for need not be storable


@registered
class Level(enum.IntEnum):
    LOW = 1


@registered
class Mode(enum.Flag):
    READ = 1
    WRITE = 2


@registered
class Bits(enum.IntFlag, boundary=enum.KEEP):
    ONE = 1


@registered
@dataclass
class Point:
    x: object
    y: object = 0


@registered
@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    x: object
    link: "Fixed | None" = None


@registered
@dataclass
class Derived:
    start: InitVar[int]
    x: int = field(init=False)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self, start: int) -> None:
        self.x = start * 2
        self.calls.append("post_init")


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Colour.ODD,
        Level.LOW,
        Mode.READ,
        Mode.READ | Mode.WRITE,
        Mode(0),
        Bits(1 << 40),
        Point(1, [2]),
        Point(Point(1), Colour.RED),
        Fixed(x=1, link=Fixed(x="y")),
        Derived(4),
    ],
)
def test_instance_comes_back(value: Any) -> None:
    back = decode(encode(value))
    assert type(back) is type(value)
    assert back == value
    assert decode(encode([value, {"k": value}])) == [value, {"k": value}]


def test_member_is_the_same_object() -> None:
    assert decode(encode(Colour.ROUGE)) is Colour.RED


def test_hashable_instances_are_keys_and_elements() -> None:
    value = {Fixed(x=1): {Colour.RED, Mode.READ}, Level.LOW: frozenset({Fixed(x=2)})}
    assert decode(encode(value)) == value


def test_init_does_not_run_again() -> None:
    made = Derived(4)
    made.x = 5
    assert decode(encode(made)).x == 5
    assert decode(encode(made)).calls == ["post_init"]


def test_payload_is_tagged_with_the_name() -> None:
    class Unit(enum.Enum):
        METRE = 1

    register(Unit, "u")
    assert encode(decode(b"\xd8\x1b\x82\x61u\x65METRE")) == b"\xd8\x1b\x82\x61u\x65METRE"


#### Classes that change after a value was stored


def redefined(old: type, name: str, later: type) -> bytes:
    """Stores an instance of `old`, registers `later` in its place, gives the bytes."""
    register(old, name)
    data: bytes = encode(old(1))
    later.__qualname__, later.__module__ = old.__qualname__, old.__module__
    register(later, name)
    return data


@dataclass
class Account:
    owner: int


def test_new_field_gets_its_default() -> None:
    @dataclass
    class Later:
        owner: int
        limit: int = 7
        log: list[int] = field(default_factory=lambda: [1])

    back = decode(redefined(Account, "account with defaults", Later))
    assert (type(back), back.owner, back.limit, back.log) == (Later, 1, 7, [1])


def test_new_field_without_a_default_is_an_error() -> None:
    @dataclass
    class Before:
        owner: int

    @dataclass
    class Later:
        owner: int
        limit: int

    data = redefined(Before, "account without defaults", Later)
    with pytest.raises(DecodeError, match="got the field 'limit' after this was stored"):
        decode(data)


def test_removed_field_is_an_error() -> None:
    @dataclass
    class Before:
        owner: int

    @dataclass
    class Later:
        pass

    data = redefined(Before, "account with less", Later)
    with pytest.raises(DecodeError, match=r"no longer has all the fields.*\{'owner': 1\}"):
        decode(data)


def test_removed_member_is_an_error() -> None:
    class Before(enum.Enum):
        GONE = 1

    class Later(enum.Enum):
        HERE = 1

    register(Before, "shrinking enum")
    data = encode(Before.GONE)
    Later.__qualname__ = Before.__qualname__
    register(Later, "shrinking enum")
    with pytest.raises(DecodeError, match="no member 'GONE'"):
        decode(data)


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(DecodeError, match=r"no class is registered as 'who\?'.*stmpy.register"):
        decode(b"\xd8\x1b\x82\x64who?\xa0")


@pytest.mark.parametrize(
    "payload",
    ["00", "80", "f6", "a1616101", "a10000", "a2616f01616f02", "63474f4e"],
)
def test_forged_payload_of_a_dataclass_is_refused(payload: str) -> None:
    @dataclass
    class One:
        owner: int

    register(One, f"forged {payload}")
    prefix = encode(One(1)).removesuffix(b"\xa1\x65owner\x01")
    assert decode(prefix + b"\xa1\x65owner\x02") == One(2)
    with pytest.raises(DecodeError):
        decode(prefix + bytes.fromhex(payload))


@pytest.mark.parametrize("payload", ["00", "6158", "65" + b"value".hex(), "a0"])
def test_forged_payload_of_an_enum_is_refused(payload: str) -> None:
    prefix = encode(Colour.RED).removesuffix(b"\x63RED")
    assert decode(prefix + b"\x63RED") is Colour.RED
    with pytest.raises(DecodeError):
        decode(prefix + bytes.fromhex(payload))


def test_number_that_is_no_flag_is_refused() -> None:
    prefix = encode(Mode.READ).removesuffix(b"\x01")
    with pytest.raises(DecodeError, match="ValueError"):
        decode(prefix + b"\x08")


#### What can't be registered, what can't be stored


@dataclass
class Refused(Exception):
    code: int


@pytest.mark.parametrize("cls", [int, object, Exception, Refused, Colour.RED, "Point", None])
def test_other_classes_are_refused(cls: Any) -> None:
    with pytest.raises(TypeError):
        register(cls, "other")


@pytest.mark.parametrize("name", [b"name", 1, None])
def test_name_is_a_str(name: Any) -> None:
    with pytest.raises(TypeError, match="must be a str"):
        register(Account, name)


@pytest.mark.parametrize("name", ["\ud800", "x" * 500])
def test_name_can_be_written(name: str) -> None:
    with pytest.raises(EncodeError, match=r"^name: "):
        register(Account, name)


def test_name_and_class_are_taken_once() -> None:
    @dataclass
    class First:
        pass

    @dataclass
    class Second:
        pass

    register(First, "taken")
    register(First, "taken")
    with pytest.raises(ValueError, match=r"'taken' is taken by .*First"):
        register(Second, "taken")
    with pytest.raises(ValueError, match=r"First.* is registered under another name"):
        register(First, "another")
    assert type(decode(encode(First()))) is First


def test_unregistered_class_is_an_error_that_says_so() -> None:
    @dataclass
    class Unknown:
        pass

    @dataclass
    class Sub(Point):
        pass

    other = enum.Enum("other", "A")
    for value in (Unknown(), Sub(1), other["A"]):
        with pytest.raises(EncodeError, match=r"call stmpy.register\(cls, name\)"):
            encode(value)


def test_exception_of_an_attribute_passes_through() -> None:
    @registered
    @dataclass
    class Broken:
        x: int

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                raise ZeroDivisionError("mine")
            return super().__getattribute__(name)

    broken = Broken(1)
    with pytest.raises(ZeroDivisionError, match="mine"):
        encode([broken])


def test_a_field_without_a_value_is_an_encode_error() -> None:
    point = Point(1)
    del point.x
    with pytest.raises(EncodeError, match=r"x.* has no value"):
        encode(point)


def test_interrupt_while_decoding_is_no_decode_error() -> None:
    stop = False

    @registered
    @dataclass(frozen=True)
    class Stopping:
        x: int

        def __hash__(self) -> int:
            if stop:
                raise KeyboardInterrupt
            return 1

    data = encode({Stopping(1)})
    stop = True
    with pytest.raises(KeyboardInterrupt):
        decode(data)
