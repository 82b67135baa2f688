"""Networks that tell classes of time series."""

from ._bilstm import BiLSTM
from ._convnet2d import ConvNet2d
from ._dcnn import DCNN
from ._dresnet import DResNet
from ._fcn import FCN
from ._inception_time import InceptionTime
from ._lstm import LSTM
from ._lstm_2dcnn import LSTM2dCNN
from ._lstm_fcn import LSTMFCN
from ._resnet import ResNet
from ._scaled_series import ScaledSeries
from ._xception_time import XceptionTime
from ._xcm import XCM

__all__ = [
    "DCNN",
    "FCN",
    "LSTM",
    "LSTMFCN",
    "XCM",
    "BiLSTM",
    "ConvNet2d",
    "DResNet",
    "InceptionTime",
    "LSTM2dCNN",
    "ResNet",
    "ScaledSeries",
    "XceptionTime",
]
