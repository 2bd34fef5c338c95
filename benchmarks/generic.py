"""A training step of any multilayer perceptron of ``nn``, by hand in NumPy: every hidden and every output unit."""

import numpy as np

from benchmarks.handwritten import adam_update

LEAK = 0.01

UNITS = {  # the output of a layer from its sums Z, and dZ from the cotangent D of the output, Z and the output H
    "sigmoid": (lambda Z: 1 / (1 + np.exp(-Z)), lambda D, _Z, H: D * H * (1 - H)),
    "tanh": (np.tanh, lambda D, _Z, H: D * (1 - H**2)),
    "relu": (lambda Z: np.maximum(Z, 0), lambda D, _Z, H: D * (H > 0)),
    "leaky_relu": (lambda Z: np.where(Z > 0, Z, LEAK * Z), lambda D, Z, _H: np.where(Z > 0, D, LEAK * D)),
    "softplus": (  # seven times as fast as logaddexp
        lambda Z: np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z))),
        lambda D, Z, _H: D / (1 + np.exp(-Z)),
    ),
    "linear": (lambda Z: Z, lambda D, _Z, _H: D),
    "maxout": (
        lambda Z: Z.reshape(len(Z), -1, 2).max(axis=-1),
        lambda D, Z, H: (D[..., None] * (Z.reshape(len(Z), -1, 2) == H[..., None])).reshape(Z.shape),
    ),
}


def network_step(X, target, layers, units, output, lr, moments=None, number=1):
    """One step of gradient descent, or of Adam if there are moments; updates in place, returns the loss before it.

    Args:
        X: shape (n, d).
        target: labels (n,) for a softmax, else shape (n, outputs).
        layers: for each layer its weights (in, out) and biases; centres and log-widths of radial basis units.
        units: the names of the hidden units.
        output: the name of the output unit.
        lr: learning rate.
        moments: for each layer two pairs [m, v].
        number: of the step, from 1.
    """
    inputs, sums = [], []
    for unit, (W, b) in zip((*units, "linear"), layers, strict=True):
        inputs.append(X)
        if unit == "radial_basis":
            squares = (X**2).sum(axis=1, keepdims=True) - 2 * X @ W + (W**2).sum(axis=0)
            sums.append(np.maximum(squares, 0))
            X = np.exp(-sums[-1] * np.exp(-2 * b))
        else:
            sums.append(X @ W + b)
            X = UNITS[unit][0](sums[-1])
    loss, D = likelihood(X, target, output)
    for i in reversed(range(len(layers))):
        W, b = layers[i]
        unit = (*units, "linear")[i]
        if unit == "radial_basis":
            D, gradients = radial_gradients(D, inputs[i], sums[i], X, W, b, i > 0)
        else:
            D = UNITS[unit][1](D, sums[i], X)
            gradients = inputs[i].T @ D, D.sum(axis=0)
            D = D @ W.T if i else None
        X = inputs[i]
        for k, g in enumerate(gradients):
            if moments is None:
                layers[i][k] -= lr * g
            else:
                adam_update(layers[i][k], g, moments[i][k], number, lr)
    return loss


def radial_gradients(D, X, squares, H, W, log_width, further):
    """Return the cotangent of X, if it goes further down, and the gradients of centres and log-widths."""
    scale = np.exp(-2 * log_width)
    D = D * H
    d_log_width = 2 * scale * (D * squares).sum(axis=0)
    D = -D * scale  # the cotangent of the squared distances
    dW = 2 * (W * D.sum(axis=0) - X.T @ D)
    return 2 * (X * D.sum(axis=1, keepdims=True) - D @ W.T) if further else None, (dW, d_log_width)


def likelihood(Z, target, output):
    """Return the mean negative log-likelihood and its gradient in Z."""
    if output == "softmax":
        rows, Z = np.arange(len(Z)), Z - Z.max(axis=1, keepdims=True)
        E = np.exp(Z)
        S = E.sum(axis=1, keepdims=True)
        D = E / S
        D[rows, target] -= 1
        return np.mean(np.log(S[:, 0]) - Z[rows, target]), D / len(Z)
    if output == "linear":
        D = Z - target
        return np.mean(D**2) / 2, D / D.size
    if output == "logistic":
        return np.mean(UNITS["softplus"][0](Z) - target * Z), (1 / (1 + np.exp(-Z)) - target) / Z.size
    Y = np.exp(Z)
    return np.mean(Y - target * Z), (Y - target) / Z.size
