"""Read the LaTeX of a formula as the number that it stands for: a second opinion on templates and parentheses."""

import math
import re

import numpy as np

import tinygrad_mlp as tg

TOKEN = re.compile(r"\\begin\{cases\}|\\end\{cases\}|\\text\{[^}]*\}|\\operatorname\{[^}]*\}|\\[a-zA-Z]+|\\\\|\\,|"
                   r"\d+\.?\d*|\w|\S")  # fmt: skip
RELATIONS = {
    "<": np.less, ">": np.greater, "=": np.equal, r"\le": np.less_equal, r"\ge": np.greater_equal, r"\ne": np.not_equal,
}  # fmt: skip
FENCES = {r"\lvert": (r"\rvert", abs), r"\lfloor": (r"\rfloor", math.floor), r"\lceil": (r"\rceil", math.ceil)}
CONSTANTS = {
    r"\pi": math.pi, "e": math.e, r"\infty": math.inf, r"\lambda": 1.0507009873554805, r"\alpha": 1.6732632423543772,
    r"\text{nan}": math.nan,
}  # fmt: skip
FUNCTIONS = {r"\sigma": tg.sigmoid, r"\Phi": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2, "H": tg.heaviside}
FUNCTIONS |= {"\\" + f.name: f for f in (tg.sin, tg.cos, tg.tan, tg.sinh, tg.cosh, tg.tanh, tg.log)}
FUNCTIONS |= {"\\" + f.name: f for f in (tg.arcsin, tg.arccos, tg.arctan)}
FUNCTIONS |= {r"\max": max, r"\min": min}


def latex_value(latex, **letters):
    """The number that ``latex`` stands for, as a careful reader takes it: ``\\sin x y`` is (sin x) y."""
    reader = Reader([t for t in TOKEN.findall(latex) if t not in (r"\,", r"\left", r"\right")], letters)
    value = reader.logic()
    assert reader.at == len(reader.tokens), reader.tokens[reader.at :]
    return value


class Reader:
    """A parser by recursive descent, loosest first."""

    def __init__(self, tokens, letters):
        self.tokens, self.letters, self.at = tokens, letters, 0

    def next(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *expected):
        token = self.next()
        assert not expected or token in expected, (token, expected)
        self.at += 1
        return token

    def logic(self):
        value = self.relation()
        while self.next() in (r"\land", r"\lor"):
            both = self.take() == r"\land"
            other = self.relation()
            value = (value and other) if both else (value or other)
        return value

    def relation(self):
        if self.next() == r"\lnot":
            self.take()
            return not self.relation()
        value = self.sum()
        return RELATIONS[self.take()](value, self.sum()) if self.next() in RELATIONS else value

    def sum(self):
        sign = -1 if self.next() == "-" and self.take() else 1
        value = sign * self.product()
        while self.next() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self):
        value = self.power()
        while True:
            token = self.next()
            if token in (r"\cdot", "/", r"\bmod"):
                self.take()
                other = self.power()
                value = (
                    tg.remainder(value, other)
                    if token == r"\bmod"
                    else tg.divide(value, other)
                    if token == "/"
                    else value * other
                )
            elif (
                token
                and token not in (")", "}", "]", ",", "+", "-", "&", r"\\", r"\end{cases}", r"\land", r"\lor")
                and not (token in RELATIONS or token.startswith(r"\r"))
            ):
                value = value * self.power()
            else:
                return value

    def power(self):
        value = self.atom()
        if self.next() == "^":
            self.take()
            return tg.power(float(value), float(self.atom()))
        return value

    def group(self, opening="{", closing="}"):
        self.take(opening)
        values = [self.logic()]
        while self.next() == ",":
            self.take()
            values.append(self.logic())
        self.take(closing)
        return values

    def atom(self):
        token = self.next()
        if token in ("{", "(", "["):
            (value,) = self.group(token, {"{": "}", "(": ")", "[": "]"}[token])
            return value
        self.take()
        if re.match(r"\d", token):
            return float(token)
        if token in FENCES:
            closing, f = FENCES[token]
            value = self.logic()
            self.take(closing)
            return float(f(value))
        if token in (r"\frac", r"\tfrac"):
            return tg.divide(float(self.atom()), float(self.atom()))
        if token == r"\sqrt":
            cubic = self.next() == "[" and self.group("[", "]")
            return (tg.cbrt if cubic else tg.sqrt)(float(self.atom()))
        if token == r"\begin{cases}":
            return self.cases()
        if token.startswith(r"\operatorname") or token in FUNCTIONS:
            return self.function(token)
        return self.letters[token] if token in self.letters else CONSTANTS[token]

    def function(self, token):
        name = token.removeprefix(r"\operatorname{").removesuffix("}").replace(r"\_", "_")
        f = FUNCTIONS[token] if token in FUNCTIONS else getattr(tg, name)
        if self.next() == "_":
            self.take()
            f = {2.0: tg.log2, 10.0: tg.log10}[self.atom()]
        if self.next() == "(":
            return f(*map(float, self.group("(", ")")))
        return f(float(self.power()))

    def cases(self):
        chosen, found = math.nan, False
        while True:
            value = self.logic()
            self.take("&")
            holds = self.take() != r"\text{if }" or self.logic()
            if holds and not found:
                chosen, found = value, True
            if self.take(r"\\", r"\end{cases}") != r"\\":
                return chosen
