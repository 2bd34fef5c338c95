"""Every operation that the library promises is there, under its own name."""

import pytest

import tinygrad_mlp as tg

PROMISED = """
sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh exp exp2 expm1 log log1p log2 log10 cbrt sqrt
square reciprocal hypot arctan2 logaddexp logaddexp2 copysign fmax fmin maximum minimum power float_power sinc
nan_to_num deg2rad rad2deg fmod remainder rint floor ceil trunc sign heaviside erf logit rsqrt lerp xlogy
relu relu6 leaky_relu elu celu selu gelu silu mish softsign softplus log_sigmoid sigmoid hardtanh hardsigmoid hardswish
softmax log_softmax softmin glu prelu normalize layer_norm rms_norm cosine_similarity
sum mean max min prod std var norm cumsum cumprod logcumsumexp logsumexp median ptp average trace argmax argmin any all
matmul dot inner outer vdot tensordot einsum kron cross det slogdet inv solve cholesky matrix_power multi_dot
reshape ravel transpose swapaxes moveaxis squeeze expand_dims broadcast_to flip rot90 roll repeat tile concatenate stack
hstack vstack dstack column_stack split array_split hsplit vsplit dsplit unstack diag diagonal tril triu diff pad block
meshgrid atleast_1d atleast_2d atleast_3d append take take_along_axis gather scatter_add sort topk compress where
index_update index_add l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss binary_cross_entropy
binary_cross_entropy_with_logits kl_div cosine_embedding_loss
"""


@pytest.mark.parametrize("name", PROMISED.split())
def test_every_promised_operation_is_there(name):
    assert callable(getattr(tg, name))
