"""Estimators as values: class by name, parameters, what was learnt, and the nets' weights."""

import contextlib
import reprlib
import threading

import torch
from sklearn.base import BaseEstimator
from skorch.history import History
from torch.nn.modules.module import register_module_parameter_registration_hook

from .._checks import check_option
from .._training import AMP_DTYPES, LRRange, forked_generator
from ..estimators import NetEstimator
from ._codec import Decoder, Encoder
from ._schema import check_learnt, check_params
from ._sklearn_trees import Tree, tree_from_values, tree_to_values
from ._trusted import CALLBACKS, ESTIMATORS, NAMES, SPLITTERS

# Parameters that name files of pickles, which a fit would open.
OTHER_FILES = ("checkpoint", "memory")
NET_ATTRIBUTES = ("nets_", "history_", "lr_range_")


class EstimatorEncoder(Encoder):
    """Encode fitted and unfitted estimators, each of them once."""

    def __init__(self):
        super().__init__()
        self.numbers = {}
        self.kept = []
        self.n_nets = 0

    def _other(self, value, place):
        if id(value) in self.numbers:
            return {"same": self.numbers[id(value)]}
        if type(value) is LRRange:
            return {"lr_range": self._lr_range(value)}
        if type(value) is Tree:
            return {"tree": self.encode(tree_to_values(value), place)}
        if NAMES.get(type(value)) in ESTIMATORS:
            record = {"estimator": self._estimator(value)}
        elif NAMES.get(type(value)) in CALLBACKS:
            record = {"callback": self._part(value, value.get_params(deep=False))}
        elif NAMES.get(type(value)) in SPLITTERS:
            # They have no get_params; what begins with an underscore follows from the rest.
            params = {key: each for key, each in vars(value).items() if not key.startswith("_")}
            record = {"splitter": self._part(value, params)}
        elif isinstance(value, BaseEstimator):
            raise ValueError(
                f"{place} is a {type(value).__name__}, which load does not know; save the "
                "estimators around it by themselves, or keep it by pickle, which only those who "
                "trust its source should load."
            )
        else:
            return super()._other(value, place)
        # Kept alive, as another object could else get the same id.
        self.kept.append(value)
        self.numbers[id(value)] = len(self.numbers)
        return record

    def _estimator(self, estimator):
        name = type(estimator).__name__
        params = estimator.get_params(deep=False)
        for param in OTHER_FILES:
            if params.get(param) is not None:
                raise ValueError(
                    f"{param}={params[param]!r} of {name} is a file of this machine, which a fit "
                    f"elsewhere would open; call set_params({param}=None) first."
                )
        record = {"class": NAMES[type(estimator)], "params": self._members(params, name)}
        check_params(estimator)
        learnt = {key: value for key, value in vars(estimator).items() if key not in params}
        nets = learnt.get("nets_") if isinstance(estimator, NetEstimator) else None
        if nets is not None:
            learnt = {key: value for key, value in learnt.items() if key not in NET_ATTRIBUTES}
        check_learnt(estimator, learnt)
        record["learnt"] = self._members(learnt, name)
        if nets is not None:
            record["nets"] = [self._net(estimator, net) for net in nets]
        return record

    def _part(self, part, params):
        return {"class": NAMES[type(part)], "params": self._members(params, type(part).__name__)}

    def _members(self, values, name):
        return {key: self.encode(value, f"{name}.{key}") for key, value in values.items()}

    def _net(self, estimator, net):
        name = type(estimator).__name__
        module, params = estimator.module_and_params()
        given = net.get_params(deep=False)
        changed = [key for key in params if repr(given.get(f"module__{key}")) != repr(params[key])]
        if net.module is not module or changed:
            raise ValueError(
                f"{', '.join(changed) or 'network'} of {name} changed since fit; set it back or "
                "fit anew."
            )
        weights = {}
        for key, tensor in net.module_.state_dict().items():
            weights[key] = self.add(f"net{self.n_nets}/{key}", tensor)
        self.n_nets += 1
        # Losses of each batch would take as much room as the weights.
        epochs = [
            {key: value for key, value in epoch.items() if key != "batches"}
            for epoch in net.history
        ]
        return {
            "weights": weights,
            "amp": net.amp,
            "history": self.encode(epochs, f"{name}.history_"),
            "lr_range": self.encode(getattr(net, "lr_range_", None), f"{name}.lr_range_"),
        }

    def _lr_range(self, lr_range):
        curves = {
            decay: (lrs, lr_range.raw_losses_[decay])
            for decay, (lrs, _) in lr_range.curves_.items()
        }
        values = [curves, lr_range.weight_decay_, lr_range.n_batches_, lr_range.time_]
        return self.encode(values, "lr_range_")


class EstimatorDecoder(Decoder):
    """Decode what :class:`EstimatorEncoder` wrote; classes come from the tables of names only."""

    def __init__(self, tensors):
        super().__init__(tensors)
        self.objects = []
        self.decoders |= {
            "same": self._same,
            "lr_range": lambda content: LRRange(*self._list(content, length=4)),
            "tree": lambda content: tree_from_values(self.decode(content)),
            "estimator": self._estimator,
            "callback": lambda record: self._part(record, CALLBACKS),
            "splitter": lambda record: self._part(record, SPLITTERS),
        }

    def _same(self, content):
        if type(content) is not int or not 0 <= content < len(self.objects):
            raise ValueError(f"there is no object {content!r}")
        return self.objects[content]

    def _estimator(self, record):
        estimator, params = self._built(record, ESTIMATORS)
        name = type(estimator).__name__
        for param in OTHER_FILES:
            if params.get(param) is not None:
                raise ValueError(f"{param} of {name} is another file, which save does not write")
        unknown = sorted(set(params) - set(estimator._get_param_names()))
        if unknown:
            raise ValueError(f"{name} has no parameter {unknown[0]!r}; update skprog")
        check_params(estimator)
        learnt = self._members(record["learnt"])
        check_learnt(estimator, learnt)
        vars(estimator).update(learnt)
        if "nets" in record:
            self._add_nets(estimator, record["nets"])
        self.objects.append(estimator)
        return estimator

    def _part(self, record, table):
        part, _ = self._built(record, table)
        self.objects.append(part)
        return part

    def _built(self, record, table):
        name = record["class"]
        if name not in table:
            raise ValueError(
                f"it names the class {reprlib.repr(name)}, which load does not know; update "
                "skprog, or do not trust the file"
            )
        params = self._members(record["params"])
        return table[name](**params), params

    def _members(self, content):
        return {key: self.decode(value) for key, value in content.items()}

    def _add_nets(self, estimator, records):
        if not isinstance(estimator, NetEstimator) or len(records) == 0:
            raise ValueError(f"{type(estimator).__name__} cannot have {len(records)} networks")
        estimator.nets_ = [self._net(estimator, record) for record in records]
        estimator.history_ = estimator.net_.history
        if hasattr(estimator.net_, "lr_range_"):
            estimator.lr_range_ = estimator.net_.lr_range_

    def _net(self, estimator, record):
        module_class, params = estimator.module_and_params()
        weights = {key: self.take(name) for key, name in record["weights"].items()}
        # Without memory at first, as a file could tell any size.
        with torch.device("meta"), _parameters_at_most(2 * len(weights)):
            _check_weights(module_class(**params).state_dict(), weights)
        with forked_generator(0):
            module = module_class(**params)
        module.load_state_dict(weights)
        check_option("amp", record["amp"], (None, *AMP_DTYPES))
        net_class, net_params = estimator.net_and_params()
        net = net_class(
            **{f"module__{key}": value for key, value in params.items()},
            **net_params,
            module=module_class,
            criterion=None,
            amp=record["amp"],
            verbose=0,
        )
        # As in initialize, which would build a criterion and an optimizer beside it.
        with net._current_init_context("module"):
            net.module_ = module.eval()
        net.history = History({**epoch, "batches": []} for epoch in self.decode(record["history"]))
        lr_range = self.decode(record["lr_range"])
        if lr_range is not None:
            net.lr_range_ = lr_range
        return net


@contextlib.contextmanager
def _parameters_at_most(n_most):
    """Refuse a module of more parameters while it is built, as a file could ask for any number."""
    n_parameters, thread = 0, threading.get_ident()

    def count(module, name, parameter):
        nonlocal n_parameters
        n_parameters += threading.get_ident() == thread
        if n_parameters > n_most:
            raise ValueError("its network has more layers than the file has weights")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _check_weights(expected, weights):
    """Refuse weights of another network than the one expected."""
    for key in {**expected, **weights}:
        if key not in weights or key not in expected:
            what = "missing" if key in expected else "of no layer"
            raise ValueError(f"the weights {reprlib.repr(key)} are {what}")
        found, wanted = weights[key], expected[key]
        if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
            raise ValueError(
                f"the weights {key!r} have shape {tuple(found.shape)} and dtype {found.dtype} in "
                f"place of {tuple(wanted.shape)} and {wanted.dtype}"
            )
