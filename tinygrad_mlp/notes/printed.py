"""The figures that the notes print, cell by cell, each with the number of digits that it was printed with.

The notes are a text of 2018, *Building a Multilayer Perceptron*, which derives every gradient by hand; the project
keeps its figures and none of its words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Form = Literal["whole", "3 decimals", "8 decimals", "9 digits", "16 digits", "timing"]


@dataclass(frozen=True)
class Printed:
    """One printed figure.

    Attributes:
        cell: the cell, or ``text`` for what stands between the cells.
        what: what it is.
        value: the number or the array, as nested tuples.
        form: how it was printed, which says how closely it can be compared; a timing is not compared at all.
        addition: where the notes add up wrongly, the addition with its right sum.
    """

    cell: str
    what: str
    value: Any
    form: Form = "8 decimals"
    addition: str = ""


_LOGISTIC = {
    "labels": Printed("1", "labels of the first 10 rows", (1, 0, 1, 1, 1, 0, 0, 0, 0, 1), "whole"),
    "unit": Printed("2", "logistic unit on the first row: label, probability", (1.0, 0.75460182)),
}

_BINARY = {
    "w": Printed(
        "6", "weights w, layer 1", ((0.98436901, 0.61562226), (0.15471633, 0.83146947), (0.81569707, 0.09204188))
    ),
    "v": Printed("6", "weights v, layer 2", (0.8877899, 0.01643906, 0.86393011)),
    "rows": Printed(
        "6",
        "first 3 rows of the clusters",
        ((-1.52856484, -3.19097569), (-0.56729303, -2.3126519), (-2.72058873, -1.11283706)),
    ),
    "binary": Printed("6", "P(y=1|x) of 3 rows, those of cell 1", (0.86159527, 0.65919976, 0.8759911)),
    "binary classes": Printed("6", "classes of these 3 rows", (1, 1, 1), "whole"),
    "products": Printed(
        "7",
        "first row of the clusters times w",
        ((-1.50467186, -1.96443566), (-0.23649394, -2.65319885), (-1.24684586, -0.29370339)),
    ),
    "a": Printed("8", "activations a of that row", (-2.57033683, -2.03932623, -0.88767989)),
    "h": Printed("9", "hidden units h", (0.07107206, 0.11513536, 0.29158885)),
    "z": Printed("10", "output activation z", (0.64565741,)),
    "y": Printed("11", "output y", (0.6560312,)),
    "loop seconds": Printed("13", "1000 runs by loops, seconds", 2.61031383399677, "timing"),
    "array seconds": Printed("13", "1000 runs by arrays, seconds", 0.020483225001953542, "timing"),
    "speed-up": Printed("13", "speed-up", 127, "timing"),
}

_SMALL = ((0.545, 0.238), (0.872, 0.177), (0.371, 0.76))

_UNITS = {
    "x": Printed("15", "random x", _SMALL, "3 decimals"),
    "sigmoid": Printed("15", "σ(x)", ((0.63297478, 0.55922072), (0.70516169, 0.54413484), (0.59170059, 0.68135373))),
    "tanh": Printed("15", "tanh(x)", ((0.49676344, 0.23360578), (0.70238885, 0.17517446), (0.35486609, 0.64107696))),
    "relu": Printed("15", "relu(x)", _SMALL, "3 decimals"),
    "leaky_relu": Printed("15", "leaky relu(x), α = 0.01; here every x > 0", _SMALL, "3 decimals"),
}

_SOFTMAX = {
    "softmax": Printed(
        "17",
        "2-3-3 network: probabilities of the first 5 rows",
        (
            (0.20216983, 0.13695254, 0.66087763),
            (0.25471053, 0.11371593, 0.63157355),
            (0.16181301, 0.16726807, 0.67091892),
            (0.21431385, 0.13150355, 0.6541826),
            (0.20059063, 0.13664066, 0.66276871),
        ),
    ),
    "softmax classes": Printed("18", "their classes", (2, 2, 2, 2, 2), "whole"),
    "deep": Printed(
        "20",
        "2-3-3-3 network of σ units: probabilities",
        (
            (0.14564756, 0.118766, 0.73558643),
            (0.13115102, 0.13289294, 0.73595605),
            (0.15343812, 0.1130349, 0.73352698),
            (0.14177793, 0.12236817, 0.7358539),
            (0.1470072, 0.1174373, 0.7355555),
        ),
    ),
    "deep classes": Printed("20", "their classes", (2, 2, 2, 2, 2), "whole"),
    "deep h1": Printed(
        "20",
        "first hidden layer",
        (
            (0.83134602, 0.97468111, 0.01280102),
            (0.85492522, 0.86678168, 0.10075084),
            (0.59471722, 0.97268828, 0.0146361),
            (0.83269313, 0.94206466, 0.0356623),
            (0.84672789, 0.99297467, 0.00264793),
        ),
    ),
    "deep h2": Printed(
        "20",
        "second hidden layer",
        (
            (0.03639988, 0.59453961, 0.88437948),
            (0.05068968, 0.5164686, 0.86972511),
            (0.03008168, 0.62887252, 0.88373331),
            (0.03992494, 0.57399953, 0.88022924),
            (0.03510774, 0.60217442, 0.88658792),
        ),
    ),
    "relu net": Printed(
        "21",
        "2-3-3-3 network of ReLU units: probabilities",
        (
            (7.13324047e-02, 1.48524336e-03, 9.27182352e-01),
            (2.23670047e-02, 5.09100401e-02, 9.26722955e-01),
            (1.96202089e-01, 5.32725276e-04, 8.03265186e-01),
            (4.48304629e-02, 7.88769059e-03, 9.47281846e-01),
            (1.23605886e-01, 1.30132544e-04, 8.76263982e-01),
        ),
        "9 digits",
    ),
    "relu classes": Printed("21", "their classes", (2, 2, 2, 2, 2), "whole"),
    "relu rate": Printed("22", "its classification rate, untrained", 0.34, "16 digits"),
}

_GRADIENTS = {
    "dV": Printed(
        "25",
        "gradient of the log-likelihood in V",
        (
            (-5.77182772e01, -1.46908800e01, 7.24091572e01),
            (8.48206695e00, -8.55365889e00, 7.15919389e-02),
            (5.21896533e00, -5.63958175e01, 5.11768522e01),
        ),
        "9 digits",
    ),
    "dW": Printed(
        "27",
        "gradient of the log-likelihood in W",
        ((-31.39030402, 18.07760568, 21.62027152), (-37.09958634, 41.53504906, -12.72079506)),
    ),
}

_TRAINING = {
    "log-likelihood": Printed(
        "30",
        "log-likelihood every 1000 epochs, the loop as written",
        (
            -320.5080195131097,
            -296.39723655779954,
            -276.8417363259807,
            -261.0504429295131,
            -248.26395147589318,
            -237.81632648428135,
            -229.1615446256186,
            -221.87270677101793,
            -215.6264693679105,
            -210.182584922862,
        ),
        "16 digits",
    ),
    "rate": Printed(
        "30",
        "classification rate every 1000 epochs",
        (
            0.42,
            0.4266666666666667,
            0.4333333333333333,
            0.4433333333333333,
            0.4266666666666667,
            0.39,
            0.36666666666666664,
            0.4533333333333333,
            0.54,
            0.5766666666666667,
        ),
        "16 digits",
    ),
}

_COUNTS = {
    "2-3-1": Printed("text", "parameters of 2-3-1", 12, "whole", "6 + 3 + 3 + 1 = 13"),
    "2-3-2": Printed("text", "parameters of 2-3-2", 18, "whole", "6 + 6 + 3 + 2 = 17"),
    "2-3-3": Printed("text", "parameters of 2-3-3", 21, "whole"),
    "2-3-3-3": Printed("text", "parameters of 2-3-3-3", 33, "whole"),
}

PRINTED: Mapping[str, Printed] = MappingProxyType(
    _LOGISTIC | _BINARY | _UNITS | _SOFTMAX | _GRADIENTS | _TRAINING | _COUNTS
)
