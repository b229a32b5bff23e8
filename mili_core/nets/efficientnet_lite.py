"""EfficientNet-Lite0 without its classifier: features at strides 4, 8, 16 and 32.

Tan and Le, "EfficientNet" (ICML 2019) and the Lite variant: no squeeze-and-excitation, ReLU6, fixed stem.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BATCH_NORM_EPS = 1e-3  # the value that the ImageNet weights were trained with


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the architecture table: `repeats` inverted bottlenecks of one shape."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
TAPS = (1, 2, 4, 6)  # stages whose outputs are C2, C3, C4, C5


class SamePadConv(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME: with stride 2 the odd pixel goes to the right and bottom."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the base class's name
        """Returns the convolution of `input` (N, C, H, W), ceil(H / stride) rows high."""
        return self.convolved(input, self.weight, self.bias)

    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Returns the convolution of x (N, C, H, W) with a weight and bias of this layer's shapes."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, weight, bias, 1, kernel // 2, 1, self.groups)
        rows, columns = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:])
        padded = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.conv2d(padded, weight, bias, self.stride, 0, 1, self.groups)

    @property
    def slow_in_bf16(self) -> bool:
        """Whether the gradient by weight takes several times as long in bfloat16 as in float32 on a CPU (oneDNN)."""
        return self.groups == self.in_channels > 1 and (self.kernel_size[0] > 3 or self.stride[0] > 1)


class NormedLayers(nn.Sequential):
    """Layers in a row, a norm after each convolution; a norm that is not trained becomes part of the convolution.

    Statistics that stay are one scale and one shift a channel, so conv -> norm is one convolution. Gradients reach
    the same parameters, without the pass over the activations that the norm's own backward takes.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the base class's name
        """Returns the last layer's output for `input` (N, C, H, W)."""
        x, layers = input, iter(self)
        for layer in layers:
            if isinstance(layer, SamePadConv):
                norm = next(layers)
                assert isinstance(norm, nn.BatchNorm2d)
                x = norm(layer(x)) if norm.training else _folded(layer, norm, x)
            else:
                x = layer(x)
        return x


def _folded(conv: SamePadConv, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Returns norm(conv(x)) of a norm with fixed statistics, as one convolution."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    weight = conv.weight * scale[:, None, None, None]
    bias = norm.bias - norm.running_mean * scale
    if conv.slow_in_bf16 and torch.is_grad_enabled() and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return conv.convolved(x.float(), weight, bias)
    return conv.convolved(x, weight, bias)


def _conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = SamePadConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS)]


class InvertedBottleneck(nn.Module):
    """1x1 expansion, depthwise convolution, 1x1 projection; residual where shapes allow."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expand
        self.residual = stride == 1 and inputs == stage.channels
        expand = [*_conv_norm(inputs, hidden, 1), nn.ReLU6(inplace=True)] if stage.expand > 1 else []
        self.layers = NormedLayers(
            *expand,
            *_conv_norm(hidden, hidden, stage.kernel, stride, groups=hidden),
            nn.ReLU6(inplace=True),
            *_conv_norm(hidden, stage.channels, 1),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Returns the block's output."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Images to C2..C5.

    Attributes:
        channels: widths of C2..C5.
    """

    channels = (24, 40, 112, 320)

    def __init__(self) -> None:
        super().__init__()
        self.stem = NormedLayers(*_conv_norm(3, STEM_CHANNELS, 3, 2), nn.ReLU6(inplace=True))
        self.stages = nn.ModuleList()
        inputs = STEM_CHANNELS
        for stage in STAGES:
            blocks = []
            for repeat in range(stage.repeats):
                blocks.append(InvertedBottleneck(inputs, stage, stage.stride if repeat == 0 else 1))
                inputs = stage.channels
            self.stages.append(nn.Sequential(*blocks))

    def first(self, stages: int) -> list[nn.Module]:
        """Returns the stem and the first stages."""
        return [self.stem, *self.stages[:stages]]

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Returns C2, C3, C4, C5 at strides 4, 8, 16, 32."""
        x = self.stem(images)
        taps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAPS:
                taps.append(x)
        return taps
