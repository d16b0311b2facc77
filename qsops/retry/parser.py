"""From the text of a retry expression to a program for a stack: never ``eval``, and bounded in length and depth.

::

    sum     = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }
    factor  = "-" factor | number | "retried" | "(" sum ")" | function "(" sum { "," sum } ")"
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from qsops.retry.operations import FUNCTIONS, NEGATE, OPERATORS, Operation

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "RETRIED", "Step", "parse"]

MAX_LENGTH: Final = 1000
MAX_DEPTH: Final = 50
RETRIED: Final = "retried"

#: A constant, the variable, or an operation on what lies on top of the stack.
Step = float | Literal["retried"] | Operation

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-+*/(),]))", re.A
)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        return f"{self.text!r} at character {self.position + 1}" if self.kind != "end" else "the end"


def parse(text: str) -> tuple[Step, ...]:
    """The steps of ``text``, operands before their operation.

    :raises ValueError: naming the fault and where it stands.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a retry delay expression has at most {MAX_LENGTH} characters, this has {len(text)}")
    parser = _Parser(_tokens(text))
    parser.sum()
    parser.expect("end")
    return tuple(parser.steps)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    text = text.rstrip()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"a retry delay expression cannot hold {text[position:].lstrip()[0]!r}: {text!r}")
        kind = match.lastgroup or ""
        tokens.append(_Token(match[kind] if kind == "sign" else kind, match[kind], match.start(kind)))
        position = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    """Recursive descent; each rule of the grammar is a method that appends its steps."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.steps: list[Step] = []

    def sum(self) -> None:
        self.product()
        while self._token.kind in ("+", "-"):
            operator = self._take()
            self.product()
            self.steps.append(OPERATORS[operator.text])

    def product(self) -> None:
        self.factor()
        while self._token.kind in ("*", "/"):
            operator = self._take()
            self.factor()
            self.steps.append(OPERATORS[operator.text])

    def factor(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"a retry delay expression is at most {MAX_DEPTH} levels deep")
        token = self._take()
        if token.kind == "-":
            self.factor()
            self.steps.append(NEGATE)
        elif token.kind == "(":
            self.sum()
            self.expect(")")
        elif token.kind == "number":
            self.steps.append(float(token.text))
        elif token.kind == "name":
            self._named(token)
        else:
            raise ValueError(f"a retry delay expression needs a number, a function or {RETRIED!r}, not {token}")
        self._depth -= 1

    def expect(self, kind: str) -> None:
        token = self._take()
        if token.kind != kind:
            wanted = "an operator" if kind == "end" else repr(kind)
            raise ValueError(f"a retry delay expression needs {wanted}, not {token}")

    def _named(self, name: _Token) -> None:
        if name.text == RETRIED:
            self.steps.append(RETRIED)
            return
        function = FUNCTIONS.get(name.text)
        if function is None:
            known = ", ".join([RETRIED, *FUNCTIONS])
            raise ValueError(f"a retry delay expression does not know {name}; it knows {known}")
        self.expect("(")
        self.sum()
        for _ in range(function.arity - 1):
            self.expect(",")
            self.sum()
        self.expect(")")
        self.steps.append(function)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._token
        # The end is never passed, so that a rule may ask for more and be told what is missing.
        self._at += token.kind != "end"
        return token
