"""A fitted estimator as the bytes of one safetensors file.

The file's header has the member ``skprog``: a JSON text with the format's number, the versions
that wrote it, the estimator, and the SHA-256 of all of this and of the tensors.
"""

import hashlib
import json
import platform
import reprlib

import safetensors.torch
import sklearn
import torch
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from .._checks import warn
from .._version import __version__
from ._records import EstimatorDecoder, EstimatorEncoder
from ._trusted import NAMES

FORMAT = 1
MEMBER = "skprog"
PICKLES = (b"\x80", b"PK\x03\x04")


def to_bytes(estimator):
    """Return the file of a fitted estimator."""
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        raise TypeError(f"estimator={reprlib.repr(estimator)} is no estimator.")
    check_is_fitted(estimator)
    encoder = EstimatorEncoder()
    body = {
        "format": FORMAT,
        "versions": {
            "skprog": __version__,
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
        "estimator": encoder.encode(estimator, "estimator"),
    }
    body["sha256"] = _digest(body, encoder.tensors)
    return safetensors.torch.save(encoder.tensors, {MEMBER: _dumps(body)})


def from_bytes(data):
    """Return the estimator of a file, refusing by a ValueError whatever is wrong with it."""
    body = _body(data)
    try:
        tensors = safetensors.torch.load(data)
        if body.pop("sha256", None) != _digest(body, tensors):
            raise ValueError("it was changed or damaged since it was written; copy it anew")
        decoder = EstimatorDecoder(tensors)
        estimator = decoder.decode(body["estimator"])
        unused = sorted(set(tensors) - decoder.used)
        if unused:
            raise ValueError(f"nothing refers to its tensor {reprlib.repr(unused[0])}")
        if type(estimator) not in NAMES:
            raise ValueError("it holds no estimator")
        check_is_fitted(estimator)
    except ValueError:
        raise
    # What is made up can be wrong in any way.
    except Exception as error:
        raise ValueError(f"it does not hold together ({type(error).__name__}: {error})") from error
    _warn_of_other_version(body, estimator)
    return estimator


def _body(data):
    """Return what the header says of the estimator."""
    foreign = "it is no file of skprog.deploy.save"
    n_header = int.from_bytes(data[:8], "little")
    # safetensors has headers of at most 100 MB. The length of one may begin as a pickle does.
    if len(data) < 8 or n_header > 100_000_000 or data[8:9] not in (b"{", b""):
        if data.startswith(PICKLES):
            raise ValueError(
                "it is a pickle, which can run code and is not opened; load it by what wrote it "
                "if you trust its source, and write it anew by skprog.deploy.save"
            )
        raise ValueError(foreign if data else "it is empty; copy it anew")
    if len(data) < 8 + n_header:
        raise ValueError(f"it is truncated at {len(data)} bytes; copy it anew")
    try:
        header = json.loads(data[8 : 8 + n_header])
        body = header.pop("__metadata__")[MEMBER]
        n_tensors = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
        body = json.loads(body, parse_constant=_refuse_constant)
        number = body["format"]
    except (AttributeError, KeyError, IndexError, RecursionError, TypeError, ValueError):
        raise ValueError(foreign) from None
    if len(data) < 8 + n_header + n_tensors:
        raise ValueError(
            f"it is truncated at {len(data)} of {8 + n_header + n_tensors} bytes; copy it anew"
        )
    if type(number) is not int or number < 1:
        raise ValueError(f"its format is {reprlib.repr(number)}, which is none")
    if number > FORMAT:
        raise ValueError(
            f"it has format {number} but this version of skprog reads up to {FORMAT}; update skprog"
        )
    return body


def _refuse_constant(name):
    raise ValueError(f"{name} is no JSON")


def _digest(body, tensors):
    digest = hashlib.sha256(_dumps(body).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _dumps(body):
    return json.dumps(body, separators=(",", ":"), allow_nan=False)


def _warn_of_other_version(body, estimator):
    versions = body.get("versions")
    written = versions.get("scikit-learn") if isinstance(versions, dict) else None
    if '"sklearn.' in _dumps(body["estimator"]) and written != sklearn.__version__:
        warn(
            InconsistentVersionWarning(
                estimator_name=type(estimator).__name__,
                current_sklearn_version=sklearn.__version__,
                original_sklearn_version=written,
            )
        )
