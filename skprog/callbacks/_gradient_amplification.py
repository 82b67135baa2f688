from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from skorch.callbacks import Callback

from .._checks import check_integer, check_number, check_option, warn
from ._amplification_phases import (
    SCHEDULES,
    amplifies_any,
    check_phases,
    named_phases,
    phase_of,
    warn_of_single_epochs,
)
from ._conflicts import SCALE_FREE, check_last_with_gradients, other_schedules
from ._gradient_measure import MEASURES, GradientSums, normalise_measures
from ._layers import check_layer_types, find_layers, select_layers, why_none

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from skorch import NeuralNet

# There during a training only.
IN_TRAINING = (
    "_phases",
    "_layers",
    "_sums",
    "_before",
    "_amplified",
    "_factor",
    "_has_warned",
)


class GradientAmplification(Callback):
    """Amplify the gradients of layers whose gradients agree from step to step [1]_.

    A schedule says in which epochs. The first epoch of each of its amplified phases measures the
    layers and amplifies none; those chosen at its end are amplified to the end of the phase. A
    layer is amplified by itself: what flows back to earlier layers is as it was.

    Parameters
    ----------
    schedule : {"params_1", "params_2"} or list of tuple, default="params_1"
        Phases (last epoch counted from 1, learning rate or None, whether to amplify, factor). A
        rate of None leaves the rate alone; another takes no other schedule beside it. Epochs
        after the last phase are plain. The paper's two schedules go by name: their epochs are
        scaled to those of the training, of each anew with ``warm_start`` and where a checkpoint
        is trained on; their rates, 0.1 and 0.01 in the paper, are the estimator's ``lr`` and a
        tenth of it.
    measure : {"G", "G_prime"}, default="G"
        Measure of :func:`gradient_measure`, standardised over the layers.
    case : {1, 2}, default=1
        1 chooses layers whose standardised measure is above the threshold, 2 those whose absolute
        value is.
    threshold : float, default=1.5
        Standard deviations; none of L layers can exceed sqrt(L - 1).
    factor : float, default=2.0
        What named schedules multiply gradients by.
    reselect_every : int or None, default=None
        Epochs after which layers are measured and chosen anew within a phase. The old ones stay
        amplified while it is measured. None chooses once per phase.
    strategy : {"intelligent", "random", "all"}, default="intelligent"
        "random" draws as many layers as the measure would choose, "all" takes every layer: what
        the method has to beat.
    group : {"module", "parameter", "conv_bn"}, default="module"
        A layer is a module that owns parameters, a parameter, or a convolution with the batch
        normalisation that comes next.
    layer_types : tuple of str or type, default=None
        Modules that may be chosen, by class or its name, such as ``("Conv2d", "Linear")``. None
        is all. A group "conv_bn" goes by its convolution.
    apply_to : {"gradient", "update"}, default="gradient"
        "update" multiplies the step of the optimizer, which does so for Adam and its kin too,
        under which a factor of the gradient cancels. It is the same as a higher learning rate of
        the layer, its weight decay and the momentum gathered before included.
    random_state : int, default=None
        Seed of the "random" strategy; None takes the training's.

    Attributes
    ----------
    amplified_layers_ : list of str
        Names of the layers amplified in the epoch trained last; none in a plain phase.

    See Also
    --------
    gradient_measure : The measure of one layer.
    normalise_measures : Its values standardised over the layers.
    skprog.plots.AmplificationDisplay : Shows what was measured and chosen.

    Notes
    -----
    Each epoch of the history gets ``amplified_layers``, ``amplification_factor`` and, where layers
    were measured, ``gradient_measures`` and ``normalised_measures`` by layer, ``n_measured_steps``
    and ``n_left_out_steps``, those whose gradients were not finite; otherwise these are empty.

    Gradients are those before weight decay, after unscaling of mixed precision and after the
    callbacks before this one: it has to come after one that clips gradients. Frozen layers and
    those without a gradient are left out of the standardisation. Gradients are those at which
    ``on_grad_computed`` is notified: a net that accumulates them over batches has to notify it
    before its step only.

    An analysis holds two copies of the parameters and lets them go at its end; "update" holds
    one of the amplified layers during a step.

    Where the paper's Equation 1 adds the gradient to the weights it is a slip of the sign.
    Equation 3, amplification as a higher learning rate, holds without weight decay only.

    Measures of noise are about 1/sqrt(n_steps): those of trainings of other lengths of epochs do
    not compare, and those right after a fall of the rate are of its transient. For a convolution
    before batch normalisation, without weight decay, amplification by c has the effect of weights
    smaller by sqrt(c); with it that is a transient of about (1 - momentum)/(4 lr weight_decay)
    steps, at whose end the effective step is up to half of the plain one.

    ``verbose=1`` of skorch's own nets prints the lists of layers in each epoch, unless
    ``callbacks__print_log__keys_ignored`` names them.

    References
    ----------
    .. [1] S. Basodi, K. Pusuluri, X. Xiao and Y. Pan, "Intelligent gradient amplification for
       deep neural networks", arXiv:2305.18445, 2023.

    Examples
    --------
    >>> from skprog.callbacks import GradientAmplification
    >>> phases = [(2, 0.1, False, 1), (8, 0.1, True, 2), (10, 0.01, False, 1)]
    >>> callback = GradientAmplification(phases, threshold=1.0)
    >>> GradientAmplification("params_1").phases(max_epochs=30, lr=0.1)[1]
    (20, 0.1, True, 2.0)
    """

    def __init__(
        self,
        schedule: str | list[tuple] = "params_1",
        *,
        measure: Literal["G", "G_prime"] = "G",
        case: Literal[1, 2] = 1,
        threshold: float = 1.5,
        factor: float = 2.0,
        reselect_every: int | None = None,
        strategy: Literal["intelligent", "random", "all"] = "intelligent",
        group: Literal["module", "parameter", "conv_bn"] = "module",
        layer_types: tuple[str | type, ...] | None = None,
        apply_to: Literal["gradient", "update"] = "gradient",
        random_state: int | None = None,
    ) -> None:
        self.schedule = schedule
        self.measure = measure
        self.case = case
        self.threshold = threshold
        self.factor = factor
        self.reselect_every = reselect_every
        self.strategy = strategy
        self.group = group
        self.layer_types = layer_types
        self.apply_to = apply_to
        self.random_state = random_state

    def initialize(self) -> Self:
        self._check_params()
        self.amplified_layers_: list[str] = []
        self.group_scales_: Any = None
        return self

    def _check_params(self):
        if isinstance(self.schedule, str):
            check_option("schedule", self.schedule, tuple(SCHEDULES))
        else:
            check_phases(self.schedule)
        check_option("measure", self.measure, MEASURES)
        check_option("case", self.case, (1, 2))
        check_number("threshold", self.threshold, above=0)
        check_number("factor", self.factor, above=0)
        if self.reselect_every is not None:
            check_integer("reselect_every", self.reselect_every)
        check_option("strategy", self.strategy, ("intelligent", "random", "all"))
        check_option("group", self.group, ("module", "parameter", "conv_bn"))
        check_layer_types(self.layer_types)
        check_option("apply_to", self.apply_to, ("gradient", "update"))
        if self.random_state is not None:
            check_integer("random_state", self.random_state, minimum=0)

    @property
    def sets_learning_rate(self) -> bool:
        """Whether a phase of the schedule has a learning rate."""
        self._check_params()
        return isinstance(self.schedule, str) or any(
            lr is not None for _, lr, _, _ in self.schedule
        )

    @property
    def _amplifies(self):
        return isinstance(self.schedule, str) or any(phase[2] for phase in self.schedule)

    def phases(self, max_epochs: int, *, lr: float | None = None) -> list[tuple]:
        """Return the phases of a training.

        Parameters
        ----------
        max_epochs : int
            Epochs of the training.
        lr : float, default=None
            Learning rate of the net, which named schedules start from.

        Returns
        -------
        list of tuple
            Last epoch, learning rate or None, whether amplified, and factor of each.

        Raises
        ------
        ValueError
            If a named schedule has more phases than there are epochs, as with ``partial_fit``,
            or ``lr`` is missing for it.

        Warns
        -----
        UserWarning
            If an amplified phase has a single epoch, which only measures.
        """
        self._check_params()
        if not isinstance(self.schedule, str):
            phases = [tuple(phase) for phase in self.schedule]
        else:
            check_integer("max_epochs", max_epochs)
            if lr is None:
                raise ValueError(
                    f"schedule={self.schedule!r} starts from the rate of the net; give lr."
                )
            phases = named_phases(self.schedule, max_epochs, lr=lr, factor=float(self.factor))
        warn_of_single_epochs(phases)
        return phases

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        self._check_net(net)
        self._phases: Any = None
        self.planned_epochs_: Any = None
        self._has_warned = False
        if self.group_scales_ is None and self.sets_learning_rate:
            # Parameters that are given another rate than the rest keep their share of it.
            lr = _lr_of(net)
            self.group_scales_ = [group["lr"] / lr for group in net.optimizer_.param_groups]
        self._layers = self._find_layers(net)
        if not self._layers:
            raise ValueError(
                f"{type(net.module_).__name__} has no trainable layer of layer_types="
                f"{self.layer_types!r}."
            )
        # Read, not drawn, so that the training stays as it is without this callback.
        self.seed_ = torch.initial_seed() if self.random_state is None else self.random_state
        self._sums: Any = None
        self._before: Any = None

    def _find_layers(self, net):
        return find_layers(net.module_, group=self.group, layer_types=self.layer_types)

    def _check_net(self, net):
        if sum(isinstance(each, GradientAmplification) for _, each in net.callbacks_) > 1:
            raise ValueError("callbacks hold two GradientAmplification; give one, for all layers.")
        check_last_with_gradients(net, self)
        others = other_schedules(net, self)
        if self.sets_learning_rate and others:
            raise ValueError(
                f"schedule={self.schedule!r} sets learning rates, and so does {others[0]}; use "
                "None as the rate of each phase or leave the other out."
            )
        is_cancelled = isinstance(net.optimizer_, SCALE_FREE)
        if self._amplifies and self.apply_to == "gradient" and is_cancelled:
            warn(
                f"{type(net.optimizer_).__name__} cancels a constant factor of the gradient; use "
                "apply_to='update' or optimizer='sgd'."
            )

    def _plan(self, net):
        """Return the phases of a training, the one that was interrupted if it is taken up again."""
        epoch = len(net.history)
        if self.planned_epochs_ is None or epoch > self.planned_epochs_[1]:
            # Nets of skorch count the epochs of each training anew, the estimators' those of all.
            n_earlier = 0 if hasattr(net, "last_step_") else epoch - 1
            self.planned_epochs_ = [epoch, n_earlier + net.max_epochs]
        first, last = self.planned_epochs_
        n_before, n_epochs = first - 1, last - first + 1
        phases = self.phases(n_epochs, lr=_lr_of(net))
        if isinstance(self.schedule, str):
            phases = [(end + n_before, *phase) for end, *phase in phases]
        # A single epoch is one of partial_fit.
        if self._amplifies and n_epochs > 1 and not amplifies_any(phases, first, last):
            warn(
                f"schedule={self.schedule!r} amplifies none of the epochs {first} to {last}; train "
                "longer or move a phase."
            )
        return phases

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        epoch = len(net.history)
        if self._phases is None or epoch > self.planned_epochs_[1]:
            self._phases = self._plan(net)
        start, end, lr, is_amplified, factor = phase_of(self._phases, epoch)
        if lr is not None:
            for group, scale in zip(net.optimizer_.param_groups, self.group_scales_, strict=True):
                group["lr"] = lr * scale
        if self.sets_learning_rate:
            net.history.record("lr", self._lr_now(net) if lr is None else lr)
        # Layers may be frozen and thawed between epochs.
        self._layers = self._find_layers(net)
        is_kept = is_amplified and epoch > start
        self.amplified_layers_ = [
            name for name in self.amplified_layers_ if is_kept and name in self._layers
        ]
        n_since = epoch - start
        # Layers chosen at the end of a phase would not be amplified.
        is_due = n_since == 0 or (
            self.reselect_every and n_since % self.reselect_every == 0 and epoch < end
        )
        if is_amplified and is_due:
            self._sums = GradientSums([p for layer in self._layers.values() for p in layer])
        self._factor = factor if self.amplified_layers_ else 1.0
        self._amplified = [p for name in self.amplified_layers_ for p in self._layers[name]]
        net.history.record("amplified_layers", self.amplified_layers_)
        net.history.record("amplification_factor", float(self._factor))

    def _lr_now(self, net):
        """Return the net's rate, of which the first group of parameters has its share."""
        return net.optimizer_.param_groups[0]["lr"] / self.group_scales_[0]

    @torch.no_grad()
    def on_grad_computed(self, net: NeuralNet, named_parameters: Any, **kwargs: Any) -> None:
        if self._sums is not None:
            self._sums.add()
        amplified = [parameter for parameter in self._amplified if parameter.grad is not None]
        if not amplified:
            return
        if self.apply_to == "update":
            self._before = amplified, torch._foreach_mul(amplified, 1)
        else:
            torch._foreach_mul_([parameter.grad for parameter in amplified], self._factor)

    @torch.no_grad()
    def on_batch_end(self, net: NeuralNet, training: bool = False, **kwargs: Any) -> None:
        if training and self._before is not None:
            parameters, before = self._before
            torch._foreach_lerp_(parameters, before, 1 - self._factor)
            self._before = None

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        measures: dict[str, float] = {}
        normalised: dict[str, float] = {}
        sums, self._sums = self._sums, None
        if sums is not None:
            values = sums.measures(self._layers, self.measure)
            names = [
                name for name, value in zip(self._layers, values, strict=True) if value == value
            ]
            values = values[~np.isnan(values)]
            measures = dict(zip(names, values.tolist(), strict=True))
            # In a single step all weights agree with themselves.
            is_told = names and sums.n_steps > 1
            scores = normalise_measures(values) if is_told else np.zeros(len(names))
            normalised = dict(zip(names, scores.tolist(), strict=True))
            self.amplified_layers_ = self._select(names, scores, len(net.history))
        net.history.record("gradient_measures", measures)
        net.history.record("normalised_measures", normalised)
        net.history.record("n_measured_steps", 0 if sums is None else sums.n_steps)
        net.history.record("n_left_out_steps", 0 if sums is None else sums.n_left_out)

    def _select(self, names, scores, epoch):
        """Return the names of the layers to amplify."""
        if self.strategy == "all" and names:
            return names
        chosen = select_layers(scores, case=self.case, threshold=self.threshold)
        if not chosen.any():
            self._warn_of_none(scores, epoch)
            return []
        rows = np.flatnonzero(chosen)
        if self.strategy == "random":
            rng = np.random.default_rng([self.seed_, epoch])
            rows = np.sort(rng.choice(len(names), len(rows), replace=False))
        return [names[i] for i in rows]

    def _warn_of_none(self, scores, epoch):
        if not self._has_warned:
            why = why_none(scores, case=self.case, threshold=self.threshold)
            warn(
                f"no layer is amplified after epoch {epoch}: {why}. The history "
                "has amplified_layers of the epochs to come."
            )
            self._has_warned = True

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        # Parameters of the net and buffers of their size stay out of pickles.
        for name in IN_TRAINING:
            self.__dict__.pop(name, None)


def _lr_of(net):
    """Return the learning rate that a net was given or has found."""
    return net.lr_range_.lr_max_ if hasattr(net, "lr_range_") else net.lr
