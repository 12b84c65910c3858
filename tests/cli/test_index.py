"""What the demo counts, and what it makes of files that are not Python."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmpy.cli._index import best, names_in
from stmpy.cli._passes import source_files


def test_names_are_counted_and_keywords_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("def f(x):\n    return x + x  # x\nif True: f('x')\n")
    assert names_in(str(path)) == Counter(x=3, f=2)


def test_encoding_is_the_one_the_file_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes("# coding: latin-1\ncafé = 1\n".encode("latin-1"))
    assert names_in(str(path)) == Counter({"café": 1})


@pytest.mark.parametrize(
    "text",
    [b"x = '\xff'\n", b"(((\n", b"if x:\n    y\n  z\n", b"# coding: no-such\n", b"x = 1\0\n"],
    ids=["undecodable", "unclosed", "dedent", "unknown encoding", "null byte"],
)
def test_a_broken_file_is_left_out(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(text)
    assert names_in(str(path)) is None


def test_a_missing_file_is_left_out(tmp_path: Path) -> None:
    assert names_in(str(tmp_path / "gone.py")) is None


def test_source_files_are_found_largest_first(tmp_path: Path) -> None:
    for name, size in [("a.py", 1), ("deep/b.py", 9), ("c.txt", 5), ("site-packages/d.py", 7)]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#" * size)
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere")
    assert source_files(tmp_path) == [str(tmp_path / "deep/b.py"), str(tmp_path / "a.py")]


@given(st.lists(st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.integers(1, 5))))
def test_the_top_list_kept_file_by_file_is_the_top_of_all(files: list[dict[str, int]]) -> None:
    """Merging only the names of the file at hand is enough, because counts never fall."""
    counts: Counter[str] = Counter()
    top = best({})
    for names in files:
        counts.update(names)
        top = best(dict(top) | {name: counts[name] for name in names})
    assert top == best(counts)
