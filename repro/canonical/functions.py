import torch


def _f(op):
    return lambda x: op(x.double()).float()


exp = _f(torch.exp)
log = _f(torch.log)
sigmoid = _f(torch.sigmoid)
silu = _f(torch.nn.functional.silu)
tanh = _f(torch.tanh)
erf = _f(torch.erf)
gelu = _f(torch.nn.functional.gelu)
rsqrt = _f(torch.rsqrt)
sqrt = _f(torch.sqrt)


def gelu_derivative(x):
    x = x.double()
    return (0.5 * (1 + torch.erf(x / 2**0.5)) + x * torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5).float()


exp64 = torch.exp
log64 = torch.log
