"""Training steps written by hand in NumPy, as a good engineer writes them first: the 1.00 of the other benchmarks.

Fresh arrays, the row maximum subtracted before exp, column sums by ``sum(axis=0)``, parameters updated with ``-=``.
"""

import numpy as np


def sigmoid_step(X, T, W, b1, V, b2, lr):
    """One full-batch step of a network with one sigmoid layer, softmax cross entropy summed over the batch.

    X (n, d), T (n, c) one-hot, W (d, h), b1 (h,), V (h, c), b2 (c,); updates in place, returns the loss before the
    step.
    """
    H = 1 / (1 + np.exp(-(X @ W + b1)))
    Z = H @ V + b2
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    Y = E / E.sum(axis=1, keepdims=True)
    loss = -np.sum(T * np.log(Y))
    D = Y - T
    dV, db2 = H.T @ D, D.sum(axis=0)
    A = (D @ V.T) * H * (1 - H)
    dW, db1 = X.T @ A, A.sum(axis=0)
    for parameter, gradient in ((W, dW), (b1, db1), (V, dV), (b2, db2)):
        parameter -= lr * gradient
    return loss


def relu_step(X, labels, weights, biases, lr):
    """One step of a ReLU network of any depth, softmax cross entropy averaged over the batch; updates in place."""

    def descend(i, dW, db):
        weights[i] -= lr * dW
        biases[i] -= lr * db

    return relu_pass(X, labels, weights, biases, descend)


def relu_adam_step(X, labels, weights, biases, moments, count, lr):
    """One step of the same network by Adam; updates in place, the moments too.

    ``moments`` holds for each layer two pairs [m, v], of its weights and of its biases, zeros before the first step;
    ``count`` is the number of the step, from 1.
    """

    def adapt(i, dW, db):
        adam_update(weights[i], dW, moments[i][0], count, lr)
        adam_update(biases[i], db, moments[i][1], count, lr)

    return relu_pass(X, labels, weights, biases, adapt)


def adam_update(p, g, moment, count, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Update one parameter by Adam, in place, and its pair [m, v] of moments."""
    moment[0] = beta1 * moment[0] + (1 - beta1) * g
    moment[1] = beta2 * moment[1] + (1 - beta2) * g**2
    m, v = moment[0] / (1 - beta1**count), moment[1] / (1 - beta2**count)
    p -= lr * m / (np.sqrt(v) + eps)


def relu_pass(X, labels, weights, biases, update):
    """Go forward and back, call ``update(i, dW, db)`` from the last layer to the first, and return the loss."""
    n, layers = len(X), [X]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        layers.append(np.maximum(layers[-1] @ W + b, 0))
    Z = layers[-1] @ weights[-1] + biases[-1]
    Z = Z - Z.max(axis=1, keepdims=True)
    E = np.exp(Z)
    S = E.sum(axis=1, keepdims=True)
    rows = np.arange(n)
    loss = np.mean(np.log(S[:, 0]) - Z[rows, labels])
    D = E / S
    D[rows, labels] -= 1
    D /= n
    for i in reversed(range(len(weights))):
        dW, db = layers[i].T @ D, D.sum(axis=0)
        if i:
            D = (D @ weights[i].T) * (layers[i] > 0)
        update(i, dW, db)
    return loss


def hinge_step(X, y, weights, biases, lr, penalty):
    """One step of a ReLU network with one linear output on labels -1 and 1: mean hinge loss and an L2 penalty.

    X (n, d), y (n,); the penalty is ``penalty`` times the sum of the squares of all parameters. Updates in place,
    returns the loss before the step.
    """
    layers = [X]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        layers.append(np.maximum(layers[-1] @ W + b, 0))
    scores = layers[-1] @ weights[-1] + biases[-1]
    margins = 1 - y * scores[:, 0]
    loss = np.maximum(margins, 0).mean() + penalty * sum(np.sum(p**2) for p in (*weights, *biases))
    D = np.where(margins > 0, -y / len(X), 0.0)[:, None]
    for i in reversed(range(len(weights))):
        dW, db = layers[i].T @ D + 2 * penalty * weights[i], D.sum(axis=0) + 2 * penalty * biases[i]
        if i:
            D = (D @ weights[i].T) * (layers[i] > 0)
        weights[i] -= lr * dW
        biases[i] -= lr * db
    return loss


def sigmoid_hessian_product(X, T, parameters, direction):
    """Return the Hessian of the loss of ``sigmoid_step``, times a direction: four arrays in the shapes of W, b1, V, b2.

    Every line of the gradient differentiated along the direction; the dot of a name, as in ``H_dot``, is written out.
    Source: B. Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6 (1994).
    """
    (W, b1, V, b2), (W_dot, b1_dot, V_dot, b2_dot) = parameters, direction
    H = 1 / (1 + np.exp(-(X @ W + b1)))
    Z = H @ V + b2
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    Y = E / E.sum(axis=1, keepdims=True)
    D, S = Y - T, H * (1 - H)
    H_dot = S * (X @ W_dot + b1_dot)
    Z_dot = H_dot @ V + H @ V_dot + b2_dot
    D_dot = Y * (Z_dot - np.sum(Y * Z_dot, axis=1, keepdims=True))
    A_dot = (D_dot @ V.T + D @ V_dot.T) * S + (D @ V.T) * H_dot * (1 - 2 * H)
    return X.T @ A_dot, A_dot.sum(axis=0), H_dot.T @ D + H.T @ D_dot, D_dot.sum(axis=0)


def elementwise(x, a, b):
    """Return y = Σ tanh(a x + b) σ(x) + x exp(-x²) and its derivatives in x, shape (n,), and in the numbers a, b."""
    t, s, e = np.tanh(a * x + b), 1 / (1 + np.exp(-x)), np.exp(-(x**2))
    y = np.sum(t * s + x * e)
    u = (1 - t**2) * s
    dx = a * u + t * s * (1 - s) + (1 - 2 * x**2) * e
    return y, dx, np.sum(u * x), np.sum(u)


def elementwise_in_blocks(n, block=16_384):
    """Return the same as a function of x, a and b, for ``n`` numbers, that goes through x in blocks that stay in cache.

    Everything is written into storage made once, ``dx`` too.
    """
    dx, rooms = np.empty(n), [np.empty(min(block, n)) for _ in range(4)]
    ends = [(low, min(low + block, n)) for low in range(0, n, block)]
    blocks = [(slice(low, high), dx[low:high], *(room[: high - low] for room in rooms)) for low, high in ends]

    def run(x, a, b):
        y = da = db = 0.0
        for part, d, t, s, e, u in blocks:
            xs = x[part]
            np.add(np.multiply(xs, a, out=t), b, out=t)
            np.tanh(t, out=t)
            np.exp(np.negative(xs, out=s), out=s)
            np.reciprocal(np.add(s, 1.0, out=s), out=s)
            np.multiply(xs, xs, out=u)
            np.exp(np.negative(u, out=e), out=e)
            y += np.dot(t, s) + np.dot(xs, e)
            np.multiply(np.add(np.multiply(u, -2.0, out=u), 1.0, out=u), e, out=d)
            np.multiply(np.multiply(np.subtract(1.0, s, out=u), s, out=u), t, out=u)
            np.add(d, u, out=d)
            np.multiply(np.subtract(1.0, np.multiply(t, t, out=u), out=u), s, out=u)
            db += u.sum()
            da += np.dot(u, xs)
            np.add(d, np.multiply(u, a, out=u), out=d)
        return y, dx, da, db

    return run
