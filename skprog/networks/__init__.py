"""Networks: torch modules that know tensors only."""

from ._bilstm import BiLSTM
from ._cnn_lstm import CnnLstm
from ._convnet2d import ConvNet2d
from ._dcnn import DCNN
from ._diagnosis_cnn import DiagnosisCNN
from ._dresnet import DResNet
from ._fcn import FCN
from ._image_resnets import ResNet18, ResNet34, ResNet50, ResNet101
from ._inception_time import InceptionTime
from ._lstm import LSTM
from ._lstm_2dcnn import LSTM2dCNN
from ._lstm_fcn import LSTMFCN
from ._micrograph_cnn import MicrographCNN
from ._resnet import ResNet
from ._scaled_images import ScaledImages
from ._scaled_series import ScaledSeries
from ._vgg import VGG19
from ._xception_time import XceptionTime
from ._xcm import XCM

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
