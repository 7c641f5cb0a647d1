"""Networks of the shapes that are recorded in practice, narrow enough for tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet50(nn.Module):
    """Stem, four stages of 3, 4, 6 and 3 bottlenecks, and fc; 54 layers."""

    def __init__(self, width: int = 4, classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = width
        for stage, blocks in enumerate((3, 4, 6, 3)):
            made = []
            for block in range(blocks):
                made.append(Bottleneck(inputs, width << stage, 2 if stage and not block else 1))
                inputs = 4 * (width << stage)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


class Branch(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(inputs, outputs, size, padding=size // 2), nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class InceptionBlock(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch1x1 = Branch(inputs, 4, 1)
        self.branch5x5_1, self.branch5x5_2 = Branch(inputs, 3, 1), Branch(3, 4, 5)
        self.branch_pool = Branch(inputs, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = functional.avg_pool2d(x, 3, 1, 1)
        return torch.cat([self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), self.branch_pool(pooled)], 1)


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = Branch(3, 5, 3)
        self.mixed = InceptionBlock(5)
        self.fc = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.mixed(self.stem(x)).mean((2, 3)))


class DenseBlock(nn.Module):
    """Every layer sees the concatenation of all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3 + 2 * index, 2, 3, padding=1) for index in range(3))

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.layers:
            features.append(functional.relu(layer(torch.cat(features, 1))))
        return torch.cat(features, 1)


class Tied(nn.Module):
    """One block used twice, and an output layer that shares the weight of the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.block = nn.Linear(6, 6)
        self.again = self.block
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.again(torch.relu(self.block(self.embed(tokens)))))


class Vgg(nn.Module):
    """Plain convolutions in `features`, three fully connected layers in `classifier`."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        inputs = 3
        for width in (4, 4, 0, 6, 6, 0):
            if width:
                parts += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = width
            else:
                parts.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(
            nn.Linear(96, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


class DenseLayer(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 8, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(8), nn.Conv2d(8, 2, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        bottleneck = self.conv1(functional.relu(self.norm1(torch.cat(features, 1))))
        return self.conv2(functional.relu(self.norm2(bottleneck)))


class DenseNet(nn.Module):
    """Two dense blocks of three layers with a transition between them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 4, 3, padding=1)
        self.block1 = nn.ModuleList(DenseLayer(4 + 2 * index) for index in range(3))
        self.transition1 = nn.Sequential(nn.BatchNorm2d(10), nn.ReLU(), nn.Conv2d(10, 5, 1), nn.AvgPool2d(2))
        self.block2 = nn.ModuleList(DenseLayer(5 + 2 * index) for index in range(3))
        self.classifier = nn.Linear(11, 3)

    @staticmethod
    def dense(block: nn.ModuleList, x: Tensor) -> Tensor:
        features = [x]
        for layer in block:
            features.append(layer(features))
        return torch.cat(features, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.transition1(self.dense(self.block1, self.conv0(x)))
        return self.classifier(self.dense(self.block2, x).mean((2, 3)))


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, with a shortcut where the shape allows it (MobileNet)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.is_same = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out = self.pointwise(functional.relu6(self.depthwise(x)))
        return x + out if self.is_same else out


class MobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2, 1, bias=False)
        self.blocks = nn.Sequential(Separable(6, 6), Separable(6, 10), Separable(10, 10))
        self.fc = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(functional.relu6(self.stem(x))).mean((2, 3)))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """Stem, four stages of 2 blocks, and fc; 21 layers, 5,800 filters at full width."""

    def __init__(self, width: int = 64, classes: int = 1000) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = width
        for stage in range(4):
            outputs = width << stage
            first = BasicBlock(inputs, outputs, 2 if stage else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(first, BasicBlock(outputs, outputs, 1)))
            inputs = outputs
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))
