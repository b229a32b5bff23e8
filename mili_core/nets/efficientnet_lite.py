"""EfficientNet-Lite0 without its classifier: features at strides 4, 8, 16 and 32.

Tan and Le, "EfficientNet" (ICML 2019) and the Lite variant: no squeeze-and-excitation, ReLU6, fixed stem.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(input, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        rows, columns = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (input.shape[2], input.shape[3])
        )
        padded = F.pad(input, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


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
        self.layers = nn.Sequential(
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
        self.stem = nn.Sequential(*_conv_norm(3, STEM_CHANNELS, 3, 2), nn.ReLU6(inplace=True))
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
