import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsops.retry import MAX_DELAY_MS, MAX_DEPTH, MAX_LENGTH, compile_expression, default_delay_ms

Reference = Callable[[np.float64], np.float64]


class Tree(NamedTuple):
    """An expression as text, and what it means."""

    text: str
    value: Reference


def _by_libm(libm: Callable[..., float], ieee: Callable[..., Any]) -> Callable[..., Any]:
    """numpy decides what is infinite or no number; the last bits of the rest are the C library's."""

    def apply(*arguments: np.float64) -> np.float64:
        result = ieee(*arguments)
        return np.float64(libm(*arguments)) if np.isfinite(result) else result

    return apply


def _round(x: np.float64) -> np.float64:
    away = abs(x - np.trunc(x)) >= 0.5
    return np.copysign(np.trunc(x) + np.copysign(1, x) if away else np.trunc(x), x)


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "pow": (2, _by_libm(math.pow, np.power)),
    "exp": (1, _by_libm(math.exp, np.exp)),
    "sqrt": (1, np.sqrt),
    "abs": (1, np.abs),
    "floor": (1, np.floor),
    "ceil": (1, np.ceil),
    "round": (1, _round),
    "min": (2, lambda x, y: x if x == y else np.minimum(x, y)),
    "max": (2, lambda x, y: x if x == y else np.maximum(x, y)),
}
OPERATORS: dict[str, Callable[..., Any]] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
SPACE = st.sampled_from(["", " ", "\t "])


def _leaf(number: float) -> Tree:
    return Tree(f"{number:f}", lambda _, value=float(f"{number:f}"): np.float64(value))


def _grown(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    def called(name: str, arguments: list[Tree], space: str) -> Tree:
        arity, apply = FUNCTIONS[name]
        kept = arguments[:arity]
        text = f"{name}{space}({','.join(space + argument.text for argument in kept)}{space})"
        return Tree(text, lambda retried: apply(*(argument.value(retried) for argument in kept)))

    def joined(operator: str, left: Tree, right: Tree, space: str) -> Tree:
        apply = OPERATORS[operator]
        text = f"({left.text}{space}{operator}{space}{right.text})"
        return Tree(text, lambda retried: apply(left.value(retried), right.value(retried)))

    def negated(tree: Tree) -> Tree:
        return Tree(f"-{tree.text}", lambda retried: np.negative(tree.value(retried)))

    return st.one_of(
        st.builds(called, st.sampled_from(sorted(FUNCTIONS)), st.lists(children, min_size=2, max_size=2), SPACE),
        st.builds(joined, st.sampled_from(sorted(OPERATORS)), children, children, SPACE),
        st.builds(negated, children),
    )


LEAVES = st.one_of(
    st.floats(0, 1e6).map(_leaf),
    st.integers(0, 10).map(_leaf),
    st.just(Tree("retried", lambda retried: retried)),
)
TREES = st.recursive(LEAVES, _grown, max_leaves=12)


@given(tree=TREES, retried=st.integers(0, 20))
def test_an_expression_means_what_arithmetic_says(tree: Tree, retried: int):
    """Any expression of the grammar gives what IEEE arithmetic gives, infinities and NaN included; it never raises."""
    with np.errstate(all="ignore"):
        wanted = float(tree.value(np.float64(retried)))
    found = compile_expression(tree.text).value(retried)
    assert found == wanted or (math.isnan(found) and math.isnan(wanted))


@given(tree=TREES, retried=st.integers(0, 20))
def test_a_delay_is_from_nothing_to_a_day(tree: Tree, retried: int):
    """Whatever an expression gives, the wait is a whole number of milliseconds between 0 and a day."""
    delay_ms = compile_expression(tree.text).delay_ms(retried)
    assert isinstance(delay_ms, int)
    assert 0 <= delay_ms <= MAX_DELAY_MS


GIBBERISH = st.one_of(
    st.text(),
    st.text(alphabet="0123456789.+-*/(), retidpowexpsqrtabsfloorceilroundminmax"),
    st.lists(
        st.sampled_from(["pow", "exp", "min", "retried", "(", ")", ",", "+", "-", "*", "/", "1", ".5", "2.", " ", "٣"])
    ).map("".join),
)


@given(text=GIBBERISH)
def test_no_text_raises_anything_but_a_value_error(text: str):
    """A publisher may send anything: it is refused with a text, or it is an expression that gives a delay."""
    try:
        delay_ms = compile_expression(text).delay_ms(3)
    except ValueError:
        return
    assert 0 <= delay_ms <= MAX_DELAY_MS


@pytest.mark.parametrize(
    ("text", "delays_ms"),
    [
        ("1000", [1000, 1000, 1000]),
        ("7000 * retried", [0, 7000, 14_000]),
        ("pow(2, retried) * 1000", [1000, 2000, 4000]),
        ("1000 * (1 + retried)", [1000, 2000, 3000]),
        ("max(10000, pow(2, retried) * 100)", [10_000, 10_000, 10_000]),
        ("min(86400000, exp(2.5 * (retried + 1)) * 1000)", [12_182, 148_413, 1_808_042]),
        ("1000 + 2 * 3 - 8 / 4", [1004, 1004, 1004]),
        ("100 - 10 - 1", [89, 89, 89]),
        ("1000 / 10 / 2", [50, 50, 50]),
        ("-(-5)", [5, 5, 5]),
        ("--5", [5, 5, 5]),
        ("2 * -3 + 10", [4, 4, 4]),
        (".5 + 1.", [1, 1, 1]),
        ("round(0.5) + round(2.5)", [4, 4, 4]),
        ("round(0.49999999999999994)", [0, 0, 0]),
        ("abs(round(-2.5))", [3, 3, 3]),
        ("floor(1.9) + ceil(1.1)", [3, 3, 3]),
        ("sqrt(abs(-16))", [4, 4, 4]),
        ("1.999", [1, 1, 1]),
        ("0 - 5", [0, 0, 0]),
        (" 1 ", [1, 1, 1]),
    ],
)
def test_expressions_as_people_write_them(text: str, delays_ms: list[int]):
    """The vendor's examples, precedence and rounding: Go rounds a half away from zero, and delays are whole."""
    assert [compile_expression(text).delay_ms(retried) for retried in range(3)] == delays_ms


@pytest.mark.parametrize(
    "text", ["1 / 0", "exp(1000)", "pow(10, 400)", "1 / retried", "pow(0, -1)", "exp(9) * 1000000"]
)
def test_too_much_is_a_day(text: str):
    """A division by zero, an overflow and everything over a day is a day."""
    assert compile_expression(text).delay_ms(0) == MAX_DELAY_MS


@pytest.mark.parametrize("text", ["-1 / 0", "0 - exp(1000)", "pow(-10, 401)", "1 / (0 * -1)", "-5"])
def test_less_than_nothing_is_at_once(text: str):
    """A negative delay, endless or not, is none."""
    assert compile_expression(text).delay_ms(0) == 0


@pytest.mark.parametrize(
    "text",
    ["0 / 0", "sqrt(-1)", "pow(-1, 0.5)", "exp(1000) - exp(1000)", "0 * (1 / 0)", "min(1, 0 / 0)", "max(0/0, 1)"],
)
def test_no_number_is_the_default_curve(text: str):
    """Where the arithmetic has no answer, the default curve decides."""
    compiled = compile_expression(text)
    assert math.isnan(compiled.value(0))
    assert [compiled.delay_ms(retried) for retried in range(3)] == [default_delay_ms(n) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "needs a number, a function or 'retried', not the end"),
        ("   ", "not the end"),
        ("1 +", "not the end"),
        ("(1", r"needs '\)', not the end"),
        ("1)", r"needs an operator, not '\)' at character 2"),
        ("1 2", "needs an operator, not '2' at character 3"),
        ("2 retried", "needs an operator, not 'retried' at character 3"),
        ("* 2", r"not '\*' at character 1"),
        ("+2", r"not '\+' at character 1"),
        ("pow(2)", r"needs ',', not '\)' at character 6"),
        ("pow(1, 2, 3)", r"needs '\)', not ',' at character 9"),
        ("exp(1, 2)", r"needs '\)', not ','"),
        ("exp()", "needs a number"),
        ("exp", r"needs '\(', not the end"),
        ("retried(1)", "needs an operator"),
        ("sin(1)", "does not know 'sin' at character 1; it knows retried, pow, exp, sqrt"),
        ("Retried", "does not know 'Retried'"),
        ("__import__('os')", "cannot hold"),
        ("1e3", "needs an operator, not 'e3' at character 2"),
        ("1..2", "needs an operator"),
        ("2 ** 3", r"not '\*'"),
        ("2 ^ 3", r"cannot hold '\^'"),
        ("1 % 2", "cannot hold '%'"),
        ("٣", "cannot hold '٣'"),
        ("1\x00", "cannot hold"),
        ("1 + $", r"cannot hold '\$'"),
        ("." * 3, r"cannot hold '\.'"),
        ("1" * (MAX_LENGTH + 1), f"at most {MAX_LENGTH} characters, this has {MAX_LENGTH + 1}"),
        ("(" * (MAX_DEPTH + 1), f"at most {MAX_DEPTH} levels deep"),
        ("-" * (MAX_DEPTH + 1) + "1", f"at most {MAX_DEPTH} levels deep"),
        ("abs(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH, f"at most {MAX_DEPTH} levels deep"),
    ],
)
def test_a_fault_is_named_where_it_stands(text: str, fault: str):
    """A bad expression is refused at publish, with the reason and the place."""
    with pytest.raises(ValueError, match=fault):
        compile_expression(text)


def test_the_bounds_leave_room():
    """What is at the limits of length and depth still works, long sums and huge numbers included."""
    assert compile_expression("(" * (MAX_DEPTH - 1) + "1" + ")" * (MAX_DEPTH - 1)).delay_ms(0) == 1
    assert compile_expression("+".join(["1"] * (MAX_LENGTH // 2))).delay_ms(0) == MAX_LENGTH // 2
    assert compile_expression("9" * MAX_LENGTH).delay_ms(0) == MAX_DELAY_MS


def test_an_expression_shows_its_text():
    """A compiled expression prints and compares as what its publisher wrote."""
    compiled = compile_expression("1000 * retried")
    assert repr(compiled) == "Expression(text='1000 * retried')"
    assert compiled == compile_expression("1000 * retried")
    assert compiled != compile_expression("1000*retried")


def test_a_huge_count_of_retries_is_no_overflow():
    """An endless queue of failures still gets a delay."""
    for text in ("pow(2, retried)", "exp(retried)", "retried * retried"):
        assert compile_expression(text).delay_ms(10**6) == MAX_DELAY_MS
