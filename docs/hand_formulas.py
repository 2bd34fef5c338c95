"""The formulas of docs/ops.md that are written by hand; tests/test_docs_formulas.py holds them against the engine."""

# Written by hand, left and right sides: what would show a length of the example as a number, a power series, or the
# shifts and masks by which a rule computes what is simpler to say with indices. A value that is missing is the row's.
BY_HAND: dict[str, list[tuple[str, str]]] = {
    "celu": [(r"\bar x", r"\begin{cases} g & \text{if } x > 0 \\ g e^{x / \alpha} & \text{otherwise} \end{cases}")],
    "cholesky": [
        (r"\bar x", r"\tfrac{1}{2} (S + S^{\top}), \quad S = y^{-\top} \, \Phi(y^{\top} g) \, y^{-1}"),
        (r"\Phi(A)_{ij}", r"A_{ij} \, ([i > j] + \tfrac{1}{2} [i = j])"),
    ],
    "cofactors_slope": [
        (r"\bar x", r"D^2 \operatorname{cof}(x)[t, g]"),
        (r"\bar t", r"D \operatorname{cof}(x)[g]"),
    ],
    "concatenate": [
        ("y", r"\operatorname{concatenate}(a, b, c)"),
        (r"(\bar a, \bar b, \bar c)", r"\operatorname{split}(g)"),
    ],
    "contraction": [
        (r"y_{ik}", r"\sum_j a_{ij} b_{jk} \quad (\text{here } ij, jk \to ik)"),
        (r"\bar a_{ij}", r"\sum_k g_{ik} b_{jk}"),
        (r"\bar b_{jk}", r"\sum_i a_{ij} g_{ik}"),
    ],
    "cumprod": [("y_i", r"\prod_{k \le i} x_k"), (r"\bar x_i", r"\sum_{j \ge i} g_j \prod_{k \le j,\, k \ne i} x_k")],
    "cumsum": [("y_i", r"\sum_{k \le i} x_k"), (r"\bar x_i", r"\sum_{j \ge i} g_j")],
    "eigenvectors": [
        (r"\bar x", r"\tfrac{1}{2} (S + S^{\top}), \quad S = y \, (F \odot (y^{\top} g)) \, y^{\top}"),
        ("F_{ij}", r"\frac{[i \ne j]}{\lambda_j - \lambda_i}"),
    ],
    "eigvalsh": [(r"\bar x", r"V \operatorname{diag}(g) \, V^{\top}, \quad V = \operatorname{eigvecs} x")],
    "elu": [(r"\bar x", r"\begin{cases} g & \text{if } x > 0 \\ g \alpha e^{x} & \text{otherwise} \end{cases}")],
    "expand_dims": [(r"\bar x", "g")],
    "gelu": [
        (r"\bar x", r"g \, \left(\Phi(x) + \frac{x e^{-x^2 / 2}}{\sqrt{2 \pi}}\right)"),
        (r"\Phi(x)", r"\frac{1}{2} \left(1 + \operatorname{erf}\left(\frac{x}{\sqrt{2}}\right)\right)"),
    ],
    "left_vectors": [
        ("y", r"U, \quad x = U \operatorname{diag}(s) \, V^{\top}"),
        (
            r"\bar x",
            r"\left(y \, (F \odot (y^{\top} g - g^{\top} y)) \operatorname{diag}(s)"
            r" + (g - y y^{\top} g) \operatorname{diag}(s)^{-1}\right) V^{\top}",
        ),
        ("F_{ij}", r"\frac{[i \ne j]}{s_j^2 - s_i^2}"),
    ],
    "logcumsumexp": [("y_i", r"\log \sum_{k \le i} e^{x_k}"), (r"\bar x_i", r"\sum_{j \ge i} g_j e^{x_i - y_j}")],
    "mean": [("y", r"\frac{1}{n} \sum_i x_i"), (r"\bar x_i", r"\frac{g}{n}")],
    "prod": [("y", r"\prod_i x_i"), (r"\bar x_i", r"g \prod_{j \ne i} x_j")],
    "ranked": [(r"\bar x_i", r"\sum_j \frac{g_j \, [x_i = y_j]}{\sum_k [x_k = y_j]}")],
    "recurrence": [
        ("y_i", r"a_i y_{i - 1} + b_i"),
        (r"\bar a_i", r"\bar b_i \, y_{i - 1}"),
        (r"\bar b_i", r"g_i + a_{i + 1} \bar b_{i + 1}"),
    ],
    "right_vectors": [
        ("y", r"V, \quad x = U \operatorname{diag}(s) \, V^{\top}"),
        (
            r"\bar x",
            r"U \left(\operatorname{diag}(s) \, (F \odot (y^{\top} g - g^{\top} y)) \, y^{\top}"
            r" + \operatorname{diag}(s)^{-1} (g - y y^{\top} g)^{\top}\right)",
        ),
        ("F_{ij}", r"\frac{[i \ne j]}{s_j^2 - s_i^2}"),
    ],
    "running_max": [
        ("y_i", r"\max_{k \le i} x_k"),
        (r"\bar x_i", r"\sum_{j \ge i} \frac{g_j \, [x_i = y_j]}{\sum_{k \le j} [x_k = y_j]}"),
    ],
    "running_min": [
        ("y_i", r"\min_{k \le i} x_k"),
        (r"\bar x_i", r"\sum_{j \ge i} \frac{g_j \, [x_i = y_j]}{\sum_{k \le j} [x_k = y_j]}"),
    ],
    "selu": [
        (
            r"\bar x",
            r"\begin{cases} g \lambda & \text{if } x > 0 \\ g \lambda \alpha e^{x} & \text{otherwise} \end{cases}",
        ),
        (r"\lambda", r"1.0507\ldots, \quad \alpha = 1.6732\ldots"),
    ],
    "sinc": [(r"\bar x", r"\frac{g \, (\cos (\pi x) - y)}{x}")],
    "squeeze": [(r"\bar x", "g")],
    "stack": [
        ("y", r"\operatorname{stack}(a, b, c)"),
        (r"(\bar a, \bar b, \bar c)", r"\operatorname{unstack}(g)"),
    ],
    "std": [
        ("y", r"\sqrt{\operatorname{var}(x)}"),
        (r"\bar x", r"\frac{g \, (x - \operatorname{mean}(x))}{(n - \text{ddof}) \, y}"),
    ],
    "sum": [("y", r"\sum_i x_i"), (r"\bar x_i", "g")],
    "svdvals": [
        ("y", r"s, \quad x = U \operatorname{diag}(s) \, V^{\top}"),
        (r"\bar x", r"U \operatorname{diag}(g) \, V^{\top}"),
    ],
    "var": [
        ("y", r"\frac{1}{n - \text{ddof}} \sum_i (x_i - \operatorname{mean}(x))^2"),
        (r"\bar x", r"\frac{2 g \, (x - \operatorname{mean}(x))}{n - \text{ddof}}"),
    ],
}
# The formulas of functions composed of rows, by hand too: their rules are those of the rows.
COMPOSED: dict[str, list[tuple[str, str]]] = {
    "absolute_error": [("y", r"\lvert p - t \rvert"), (r"\bar p", r"g \operatorname{sign}(p - t)")],
    "average": [
        ("y", r"\frac{\sum_i w_i x_i}{\sum_i w_i}"),
        (r"\bar x_i", r"\frac{g w_i}{\sum_k w_k}"),
        (r"\bar w_i", r"\frac{g \, (x_i - y)}{\sum_k w_k}"),
    ],
    "binary_cross_entropy": [
        ("y", r"-t \log p - (1 - t) \log(1 - p)"),
        (r"\bar p", r"\frac{g \, (p - t)}{p \, (1 - p)}"),
    ],
    "binary_cross_entropy_with_logits": [
        ("y", r"-t \log \sigma(z) - (1 - t) \log \sigma(-z)"),
        (r"\bar z", r"g \, (\sigma(z) - t)"),
    ],
    "cosine_embedding_loss": [
        ("y", r"\begin{cases} 1 - \cos(a, b) & \text{if } t = 1 \\"
              r" \max(0, \cos(a, b) - m) & \text{if } t = -1 \end{cases}"),
    ],
    "cosine_similarity": [
        ("y", r"\frac{\sum_i a_i b_i}{\lVert a \rVert_2 \lVert b \rVert_2}"),
        (r"\bar a", r"\frac{g}{\lVert a \rVert_2}"
                    r" \left(\frac{b}{\lVert b \rVert_2} - \frac{y a}{\lVert a \rVert_2}\right)"),
    ],
    "cross_entropy": [
        ("y", r"-\sum_k t_k \log \operatorname{softmax}(z)_k"),
        (r"\bar z_k", r"g \, (\operatorname{softmax}(z)_k - t_k) \quad (\text{where } \textstyle\sum_k t_k = 1)"),
    ],
    "gaussian_nll_loss": [
        ("y", r"\frac{1}{2} \left(\log v + \frac{(p - t)^2}{v}\right)"),
        (r"\bar p", r"\frac{g \, (p - t)}{v}"),
        (r"\bar v", r"\frac{g}{2 v} \left(1 - \frac{(p - t)^2}{v}\right)"),
    ],
    "glu": [
        ("y", r"a \, \sigma(b)"),
        (r"\bar a", r"g \, \sigma(b)"),
        (r"\bar b", r"g a \, \sigma(b) \, (1 - \sigma(b))"),
    ],
    "hinge": [
        ("y", r"\max(0, 1 - t z)"),
        (r"\bar z", r"\begin{cases} -g t & \text{if } t z < 1 \\ 0 & \text{if } t z > 1 \end{cases}"),
    ],
    "hinge_embedding_loss": [
        ("y", r"\begin{cases} p & \text{if } t = 1 \\ \max(0, m - p) & \text{if } t = -1 \end{cases}"),
        (r"\bar p", r"\begin{cases} g & \text{if } t = 1 \\"
                    r" -g & \text{if } t = -1 \land p < m \\ 0 & \text{otherwise} \end{cases}"),
    ],
    "huber_loss": [
        ("y", r"\begin{cases} \frac{(p - t)^2}{2} & \text{if } \lvert p - t \rvert < \delta \\"
              r" \delta \, (\lvert p - t \rvert - \frac{\delta}{2}) & \text{otherwise} \end{cases}"),
        (r"\bar p", r"\begin{cases} g \, (p - t) & \text{if } \lvert p - t \rvert < \delta \\"
                    r" g \delta \operatorname{sign}(p - t) & \text{otherwise} \end{cases}"),
    ],
    "kl_div": [
        ("y", r"t \, (\log t - p)"),
        (r"\bar p", r"-g t"),
        (r"\bar t", r"g \, (\log t + 1 - p)"),
    ],
    "layer_norm": [
        ("y", r"w \odot n + b, \quad n = \frac{x - \operatorname{mean}(x)}{s},"
              r" \quad s = \sqrt{\operatorname{var}(x) + \varepsilon}"),
        (r"\bar x", r"\frac{1}{s} \left(h - \operatorname{mean}(h) - n \odot \operatorname{mean}(h \odot n)\right),"
                    r" \quad h = g \odot w"),
    ],
    "margin_ranking_loss": [
        ("y", r"\max(0, m - t \, (a - b))"),
        (r"\bar a", r"\begin{cases} -g t & \text{if } t \, (a - b) < m \\ 0 & \text{otherwise} \end{cases}"),
        (r"\bar b", r"\begin{cases} g t & \text{if } t \, (a - b) < m \\ 0 & \text{otherwise} \end{cases}"),
    ],
    "matrix_power": [("y", "x^n"), (r"\bar x", r"\sum_{k = 0}^{n - 1} (x^{\top})^k g \, (x^{\top})^{n - 1 - k}")],
    "multi_margin_loss": [("y", r"\frac{1}{n} \sum_{k \ne l} \max(0, m - z_l + z_k)^p")],
    "nll_loss": [("y", "-p_l"), (r"\bar p_k", "-g \\, [k = l]")],
    "normalize": [("y", r"\frac{x}{\max(\lVert x \rVert_p, \varepsilon)}")],
    "poisson_nll_loss": [("y", r"e^{p} - t p"), (r"\bar p", r"g \, (e^{p} - t)")],
    "rms_norm": [
        ("y", r"\frac{w \odot x}{r}, \quad r = \sqrt{\operatorname{mean}(x^2) + \varepsilon}"),
        (r"\bar x", r"\frac{1}{r} \left(h - \frac{x}{r^2} \odot \operatorname{mean}(h \odot x)\right),"
                    r" \quad h = g \odot w"),
    ],
    "smooth_l1_loss": [
        ("y", r"\begin{cases} \frac{(p - t)^2}{2 \beta} & \text{if } \lvert p - t \rvert < \beta \\"
              r" \lvert p - t \rvert - \frac{\beta}{2} & \text{otherwise} \end{cases}"),
        (r"\bar p", r"\begin{cases} \frac{g \, (p - t)}{\beta} & \text{if } \lvert p - t \rvert < \beta \\"
                    r" g \operatorname{sign}(p - t) & \text{otherwise} \end{cases}"),
    ],
    "soft_margin_loss": [("y", r"\log(1 + e^{-t z})"), (r"\bar z", r"-g t \, \sigma(-t z)")],
    "solve": [("y", "a^{-1} b"), (r"\bar a", r"-\bar b \, y^{\top}"), (r"\bar b", r"a^{-\top} g")],
    "squared_error": [("y", "(p - t)^2"), (r"\bar p", r"2 g \, (p - t)")],
    "trace": [("y", r"\sum_i x_{ii}"), (r"\bar x_{ij}", r"g \, [i = j]")],
    "triplet_margin_loss": [("y", r"\max(0, m + \lVert a - p \rVert - \lVert a - n \rVert)")],
    "vector_norm": [
        ("y", r"\left(\sum_i \lvert x_i \rvert^p\right)^{1 / p}"),
        (r"\bar x_i", r"g \operatorname{sign}(x_i) \left(\frac{\lvert x_i \rvert}{y}\right)^{p - 1}"),
    ],
}  # fmt: skip
# What a chapter says before its formulas.
NOTES = {
    "losses": r"""The formulas are those of one element, or of one row of classes, before the reduction: "mean" divides
$g$ by their number, "sum" leaves it. $p$ is the prediction, $z$ a score before the output unit, $t$ the target, $l$
the label.""",
    "margins": r"""The formulas are those of one element, pair or row, before the reduction. $p$ is the prediction, $z$
a score, $t$ the target, -1 or 1, $l$ the label, $m$ the margin.""",
    "norms": r"""`norm` is `vector_norm` along one axis, with $p$ = `ord`, and `matrix_norm` along two.""",
}
