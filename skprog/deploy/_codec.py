"""Values as JSON and tensors, and back.

Numbers, text, None and lists are themselves. Anything else is an object of one member, whose name
says what it is: ``{"tuple": [1, 2]}``.
"""

import math
import reprlib

import numpy as np
import torch
from sklearn.utils import Bunch

from ._trusted import NAMES, OBJECTS

PLAIN = (bool, int, str)
# Not on every platform of more than 8 bytes.
WIDE = (np.longdouble,) if np.dtype(np.longdouble).itemsize > 8 else ()
GENERATORS = {
    "MT19937": np.random.MT19937,
    "PCG64": np.random.PCG64,
    "PCG64DXSM": np.random.PCG64DXSM,
    "Philox": np.random.Philox,
    "SFC64": np.random.SFC64,
}


class Encoder:
    """Turn values into what JSON can say, and collect the tensors that it only names."""

    def __init__(self):
        self.tensors = {}

    def encode(self, value, place):
        """Return a value for JSON; ``place`` names it to a user whose value has no such form."""
        kind = type(value)
        if value is None or kind in PLAIN:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return self._all(value, place)
        if kind is tuple:
            return {"tuple": self._all(value, place)}
        if kind in (dict, Bunch):
            pairs = [
                [self.encode(key, place), self.encode(each, f"{place}[{key!r}]")]
                for key, each in value.items()
            ]
            return {"bunch" if kind is Bunch else "dict": pairs}
        if kind is slice:
            return {"slice": self._all([value.start, value.stop, value.step], place)}
        if isinstance(value, np.dtype) and value.kind in "biufUO":
            return {"dtype": value.str}
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value), place)}
        if kind in (np.ndarray, np.memmap):
            return {"array": self._array(np.asarray(value), place)}
        if kind is torch.Tensor and not value.requires_grad:
            return {"tensor": self.add(f"tensor{len(self.tensors)}", value)}
        if kind is np.random.RandomState:
            return {"random_state": self.encode(value.get_state(legacy=False), place)}
        if kind is np.random.Generator:
            return {"generator": self.encode(value.bit_generator.state, place)}
        return self._other(value, place)

    def add(self, name, tensor):
        """Keep a tensor and return its name."""
        self.tensors[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        return name

    def _all(self, values, place):
        return [self.encode(each, f"{place}[{i}]") for i, each in enumerate(values)]

    def _array(self, array, place):
        if array.dtype.kind not in "biufUOmM" or array.dtype in WIDE:
            raise ValueError(
                f"{place} has dtype {array.dtype}, which no file can hold; convert it to float64."
            )
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        record = {"dtype": array.dtype.str, "shape": list(array.shape)}
        if array.dtype.kind in "UO" or (array.ndim == 0 and array.dtype.kind in "biuf"):
            values = array.ravel().tolist()
            return {**record, "values": self._all(values, place)}
        if array.dtype.kind in "mM":
            return {**record, "values": array.ravel().astype(np.int64).tolist()}
        # Products of matrices round by the order in memory.
        is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        array = np.array(array.T if is_fortran else array, order="C")
        tensor = torch.from_numpy(array)
        name = self.add(f"array{len(self.tensors)}", tensor)
        return {**record, "order": "F" if is_fortran else "C", "tensor": name}

    def _other(self, value, place):
        is_name = isinstance(value, type) or callable(value)
        if is_name and _is_hashable(value) and NAMES.get(value) in OBJECTS:
            return {"object": NAMES[value]}
        raise ValueError(
            f"{place}={reprlib.repr(value)} cannot be written without code; choose one of skprog, "
            "torch or scikit-learn by name in its place and fit anew, or keep this estimator by "
            "pickle, which only those who trust its source should load."
        )


class Decoder:
    """Turn what :class:`Encoder` wrote back into values, and refuse anything else."""

    def __init__(self, tensors):
        self.tensors = tensors
        self.used = set()
        self.decoders = {
            "float": self._float,
            "tuple": lambda content: tuple(self._list(content)),
            "dict": lambda content: dict(self._pairs(content)),
            "bunch": lambda content: Bunch(**dict(self._pairs(content))),
            "slice": lambda content: slice(*self._list(content, length=3)),
            "dtype": self._dtype,
            "scalar": lambda content: self._array(content)[()],
            "array": self._array,
            "tensor": lambda content: self.take(content).clone(),
            "random_state": self._random_state,
            "generator": self._generator,
            "object": self._object,
        }

    def decode(self, value):
        """Return the value that JSON stands for."""
        if value is None or type(value) in (*PLAIN, float):
            return value
        if type(value) is list:
            return [self.decode(each) for each in value]
        if type(value) is dict and len(value) == 1:
            ((kind, content),) = value.items()
            if kind in self.decoders:
                return self.decoders[kind](content)
        raise ValueError(f"it holds {reprlib.repr(value)}, which is no value")

    def take(self, name):
        """Return a tensor by its name."""
        if name not in self.tensors:
            raise ValueError(f"the tensor {reprlib.repr(name)} is missing")
        self.used.add(name)
        return self.tensors[name]

    def _list(self, content, length=None):
        if type(content) is not list or length not in (None, len(content)):
            raise ValueError(f"{reprlib.repr(content)} is no list of the right length")
        return self.decode(content)

    def _pairs(self, content):
        if type(content) is not list:
            raise ValueError(f"{reprlib.repr(content)} is no list of pairs")
        return [self._list(pair, length=2) for pair in content]

    def _float(self, content):
        if content not in ("nan", "inf", "-inf"):
            raise ValueError(f"{reprlib.repr(content)} is no number")
        return float(content)

    def _dtype(self, content):
        dtype = np.dtype(content) if type(content) is str else None
        if dtype is None or dtype.kind not in "biufUOmM" or dtype.names is not None:
            raise ValueError(f"{reprlib.repr(content)} is no type of numbers or text")
        return dtype

    def _array(self, content):
        dtype, shape = self._dtype(content["dtype"]), tuple(content["shape"])
        if "values" in content:
            values = self._list(content["values"])
            array = np.empty(len(values), dtype=object)
            array[:] = values
            if dtype.kind in "mM":
                return array.astype(np.int64).astype(dtype).reshape(shape)
            if dtype.kind == "U" and not all(type(value) is str for value in values):
                raise ValueError("an array of text holds something else")
            return array.astype(dtype).reshape(shape)
        is_fortran = content["order"] == "F"
        array = self.take(content["tensor"]).numpy().copy()
        found = array.T if is_fortran else array
        if (found.dtype, found.shape) != (dtype, shape):
            raise ValueError(
                f"the tensor {content['tensor']!r} has dtype {found.dtype} and shape "
                f"{found.shape} in place of {dtype} and {shape}"
            )
        return found

    def _random_state(self, content):
        random_state = np.random.RandomState()
        random_state.set_state(self.decode(content))
        return random_state

    def _generator(self, content):
        state = self.decode(content)
        bit_generator = GENERATORS[state["bit_generator"]]()
        bit_generator.state = state
        return np.random.Generator(bit_generator)

    def _object(self, content):
        if content not in OBJECTS:
            raise ValueError(
                f"it names {reprlib.repr(content)}, which load does not know; update skprog, or "
                "do not trust the file"
            )
        return OBJECTS[content]


def _is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True
