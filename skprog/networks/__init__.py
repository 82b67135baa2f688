"""Networks: torch modules that know tensors only."""

from .bearings import CnnLstm, DiagnosisCNN
from .images import VGG19, MicrographCNN, ResNet18, ResNet34, ResNet50, ResNet101, ScaledImages
from .series import (
    DCNN,
    FCN,
    LSTM,
    LSTMFCN,
    XCM,
    BiLSTM,
    ConvNet2d,
    DResNet,
    InceptionTime,
    LSTM2dCNN,
    ResNet,
    ScaledSeries,
    XceptionTime,
)

__all__ = [
    "DCNN",
    "FCN",
    "LSTM",
    "LSTMFCN",
    "VGG19",
    "XCM",
    "BiLSTM",
    "CnnLstm",
    "ConvNet2d",
    "DResNet",
    "DiagnosisCNN",
    "InceptionTime",
    "LSTM2dCNN",
    "MicrographCNN",
    "ResNet",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet101",
    "ScaledImages",
    "ScaledSeries",
    "XceptionTime",
]
