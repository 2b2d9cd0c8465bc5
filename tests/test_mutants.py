"""Mutants of a tiny package: a weak test lets them live, a strong one kills them."""

import ast

import pytest

from tests.mutants import main, mutants, sample, score

SOURCE = '''"""A module."""
LIMIT = 10

def above(value: int) -> bool:
    """Whether a value is above the limit."""
    if value < 0:
        raise ValueError(f"{value} is less than {0}")
    return value > LIMIT
'''
IMPORT = "import pytest\nfrom package.room.gate import above\n"
WEAK = IMPORT + "def test_a_large_value(): assert above(99)\n"
STRONG = IMPORT + (
    "def test_values_at_the_limit(): assert [above(n) for n in (0, 9, 10, 11)] == [False, False, False, True]\n"
    "def test_a_negative_one():\n    with pytest.raises(ValueError): above(-1)\n"
)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "project"
    for folder in ("package/room", "tests/room"):
        (root / folder).mkdir(parents=True)
    (root / "package/room/gate.py").write_text(SOURCE)
    return root


def test_every_line_is_turned_round_but_words_and_types_are_left():
    found = {(one.line, one.after) for one in mutants(SOURCE)}
    assert found == {
        (2, "LIMIT = 11"),
        (2, "LIMIT = 9"),
        (6, "if value <= 0:"),
        (6, "if value < 1:"),
        (6, "if value < -1:"),
        (7, "pass"),
        (8, "return None"),
        (8, "return value >= LIMIT"),
    }
    assert all(ast.parse(one.source) for one in mutants(SOURCE))


@pytest.mark.parametrize(
    ("line", "turned"),
    [
        ("a and b", {"a or b"}),
        ("a + b * 2.0", {"a - b * 2.0", "a + b / 2.0", "a + b * 4.0"}),
        ("not a", {"a"}),
        ("a if b else c", {"c if b else a"}),
        ("a[1:b]", {"a[:b]", "a[1:]", "a[2:b]", "a[0:b]"}),
        ("a['key']", {"a['key_']"}),
        ("f(a, deep=True)", {"f(a)", "f(a, deep=False)"}),
        ("min(a, b)", {"max(a, b)"}),
        ("a.any(b)", {"a.all(b)"}),
        ("a <= b < c", {"a < b < c", "a <= b <= c"}),
        ("f('words')", set()),
    ],
)
def test_kinds_of_mutants(line, turned):
    assert {one.after for one in mutants(f"x = {line}")} == {f"x = {one}" for one in turned}


@pytest.mark.parametrize("line", ["a += b", "f(a)", "a[b] = c", "raise a", "break", "continue"])
def test_a_statement_is_left_out(line):
    assert "pass" in {one.after for one in mutants(f"while a:\n    {line}")}


def test_a_sample_is_of_different_lines_and_the_seed_decides_it():
    every = list(mutants("".join(f"x = f({n}, {n})\n" for n in range(50))))
    chosen = sample(every, 9, "a")
    assert len({one.line for one in chosen}) == len(chosen) == 9
    assert chosen == sample(every, 9, "a") != sample(every, 9, "b")
    assert sample(every, 0, "a") == every and len(sample(every, 99, "a")) == 50


def test_a_weak_test_lets_mutants_live_and_a_strong_one_kills_them(tree, capsys):
    gate = tree / "package/room/gate.py"
    (tree / "tests/room/test_gate.py").write_text(WEAK)
    main(["package/room/gate.py", "--number", "2"], tree, libraries=[])
    table = capsys.readouterr().out.splitlines()
    assert table[-1].split()[:2] == ["all", "2"] and table[-1].split()[3] != "0"
    assert any(line.strip().startswith("+ ") for line in table)
    (tree / "tests/room/test_gate.py").write_text(STRONG)
    strong = score(tree, gate.relative_to(tree), number=3)
    assert (strong.made, [one.after for one in strong.live]) == (3, [])
    assert gate.read_text() == SOURCE


def test_tests_that_are_missing_red_or_of_another_file_are_said(tree, capsys):
    tests = tree / "tests/room/test_gate.py"
    for content, line in (
        (None, "no tests in tests/room/test_gate.py"),
        ("def test_it(): assert False", "fails before any line is turned round"),
        ("def test_it(): pass", "passes when package/room/gate.py is empty"),
    ):
        if content:
            tests.write_text(content)
        with pytest.raises(SystemExit) as end:
            main(["package/room/gate.py"], tree, libraries=[])
        assert end.value.code == 2 and line in capsys.readouterr().err
