"""Batch normalisation over the whole batch, on one process or several that share its rows.

torch.nn.SyncBatchNorm does this on GPUs only.
"""

import torch  # noqa: TID253 - nothing light imports this module
from torch import distributed, nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline.model.network.exchange import in_group


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that also trains on a batch of one row, which has no variance: by the running statistics."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[n, size] -> [n, size]; n may be 0 if other processes have rows."""
        if self.training and in_group():
            return self._over_all_processes(input)
        if self.training and len(input) == 1:
            return self._by_running_statistics(input)
        return super().forward(input)

    def _by_running_statistics(self, input: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)

    def _over_all_processes(self, input: torch.Tensor) -> torch.Tensor:
        values, size = input.double(), input.shape[1]  # of which a variance is the difference of two means
        rows = values.new_tensor([len(input)])
        sums = SumOverProcesses.apply(torch.cat([rows, values.sum(0), values.square().sum(0)]))
        if (count := int(sums[0])) == 1:
            return self._by_running_statistics(input)
        mean = sums[1 : 1 + size] / count
        variance = (sums[1 + size :] / count - mean.square()).clamp(min=0)
        self._note(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return ((values - mean) * scale + self.bias).to(input.dtype)

    def _note(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Moves the running statistics towards those of a batch; `variance` is unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            raise ValueError("no running statistics")
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


class SumOverProcesses(torch.autograd.Function):
    """Sums a tensor over all processes; each term's gradient is the sum's gradient, summed over all processes too."""

    @staticmethod
    def forward(context: object, tensor: torch.Tensor) -> torch.Tensor:
        """Sums tensors of any shape, the same in every process."""
        return _summed(tensor)

    @staticmethod
    def backward(context: object, *gradients: torch.Tensor) -> torch.Tensor:
        """Sums the gradients, which have the shape of the tensor."""
        return _summed(gradients[0])


def _summed(tensor: torch.Tensor) -> torch.Tensor:
    total = tensor.clone().contiguous()
    distributed.all_reduce(total)
    return total
