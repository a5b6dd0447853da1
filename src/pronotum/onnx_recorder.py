"""What torch does, written down as operations of ONNX while a network looks at an example.

What does not depend on the pictures is a constant of the graph. The first dimension of everything else counts pictures,
or parts of pictures, and stays open. Only the operations of `models.graph` are known; another one is refused.

Written here and not by torch's own exporter, which takes minutes for graphs of so many small operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

OPSET = 18
IR_VERSION = 8
"""Of the file: that of the time of `OPSET`, so that older programs read it."""
EXAMPLE = 2
"""Pictures in the example: more than one, so that a dimension which does not count pictures is noticed."""
TYPES = {
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.uint8: TensorProto.UINT8,
    torch.int32: TensorProto.INT32,
    torch.int64: TensorProto.INT64,
    torch.bool: TensorProto.BOOL,
}


def record(network: nn.Module, size: tuple[int, int], outputs: Sequence[str]) -> onnx.ModelProto:
    """The graph of a network.

    Args:
        network: (B, 3, H, W) uint8 -> several tensors (B, ...).
        size: (width, height) px of the pictures.
        outputs: names of the first results; others are left out, and whatever only they need.

    Returns:
        a model with the input ``pictures``.

    Raises:
        NotImplementedError: the network uses an operation that is not known here.
    """
    pictures = torch.zeros(EXAMPLE, 3, size[1], size[0], dtype=torch.uint8)
    with torch.no_grad(), Recorder(network, pictures) as recorder:
        results = network(pictures)[: len(outputs)]
    for value, name in zip(results, outputs, strict=True):
        recorder.node("Identity", [value], output=name)
    nodes, used = _needed(recorder.nodes, outputs)
    described = [
        helper.make_tensor_value_info(name, TYPES[value.dtype], ["batch", *value.shape[1:]])
        for name, value in zip(("pictures", *outputs), (pictures, *results), strict=True)
    ]
    constants = [constant for constant in recorder.constants if constant.name in used]
    graph = helper.make_graph(nodes, "pronotum", described[:1], described[1:], constants)
    imports = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="pronotum")


def _needed(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> tuple[list[onnx.NodeProto], set[str]]:
    """The operations on which these results depend, in order, and the names of all they use."""
    used, kept = set(outputs), list[onnx.NodeProto]()
    for node in reversed(nodes):
        if used.intersection(node.output):
            used.update(node.input)
            kept.append(node)
    return kept[::-1], used


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what torch does with values that depend on the pictures."""

    def __init__(self, network: nn.Module, pictures: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights = {id(value): name for name, value in network.state_dict(keep_vars=True).items()}
        self._names = {id(pictures): "pictures"}
        self._known: dict[tuple[object, ...], str] = {}
        # Python gives the number of a value that is gone to another one, so all of them are kept.
        self._alive: list[object] = [network, pictures]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let torch compute, and write down what it did."""
        result = func(*args, **(kwargs or {}))
        if any(self.depends(value) for value in _tensors(args)):
            first = result[0] if isinstance(result, (tuple, list)) else result
            self._alive.append(result)
            self._names[id(first)] = self._write(func.overloadpacket.__name__, args, kwargs or {}, first)
        return result

    def _write(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Tensor) -> str:
        if name not in OPERATIONS or not isinstance(result, Tensor) or len(result) % EXAMPLE:
            raise NotImplementedError(f"no graph can be made of a network that uses {name} -> {_shape(result)}")
        return OPERATIONS[name](self, result, *args, **kwargs)

    def depends(self, value: object) -> bool:
        """Whether a value depends on the pictures."""
        return id(value) in self._names

    def value(self, value: Any, dtype: torch.dtype | None = None) -> str:
        """Name of a value in the graph; of a constant, which is added to it; of the value as another type."""
        if isinstance(value, str):
            return value
        if self.depends(value):
            name = self._names[id(value)]
            return name if dtype in (None, value.dtype) else self.node("Cast", [name], to=TYPES[dtype])
        return self._constant(value, dtype)

    def _constant(self, value: Any, dtype: torch.dtype | None) -> str:
        if not isinstance(value, Tensor):
            value = torch.tensor(value, dtype=dtype)
            key: tuple[object, ...] = (value.dtype, tuple(value.shape), *value.flatten().tolist())
        else:
            self._alive.append(value)
            key = (id(value), dtype)
        if key not in self._known:
            self._known[key] = self._weights.get(id(value), f"constant_{len(self.constants)}")
            array = np.array(value.detach().to(dtype or value.dtype).cpu().numpy(), order="C")
            self.constants.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def node(self, kind: str, inputs: Sequence[Any], *, output: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add an operation; its (first) result has this name, or a new one.

        Args:
            kind: of the operation.
            inputs: whatever `value` takes.
            output: name of the result.
            outputs: how many results it has.
            **attributes: of the operation.
        """
        number = len(self.nodes)
        names = [output or f"value_{number}", *(f"value_{number}_{more}" for more in range(1, outputs))]
        named = [self.value(value) for value in inputs]
        self.nodes.append(helper.make_node(kind, named, names, f"{kind}_{number}", **attributes))
        return names[0]


def _tensors(values: Any) -> list[Tensor]:
    """Tensors among arguments, those in lists included."""
    if isinstance(values, Tensor):
        return [values]
    return [one for value in values for one in _tensors(value)] if isinstance(values, (list, tuple)) else []


def _shape(value: object) -> object:
    return list(value.shape) if isinstance(value, Tensor) else type(value).__name__


def _open(shape: Sequence[int], first: int) -> list[int]:
    """A shape whose first dimension is left open."""
    return [first, *shape[1:]]


def _axis(value: Tensor, axis: int) -> int:
    """A dimension other than the one that counts pictures."""
    chosen = axis % value.dim()
    if chosen == 0:
        raise NotImplementedError("no graph can be made of a network that takes single pictures out of several")
    return chosen


def _same(to: Recorder, result: Tensor, value: Tensor, *_: Any, **__: Any) -> str:
    return to.value(value)


def _arithmetic(kind: str) -> Callable[..., str]:
    def write(to: Recorder, result: Tensor, left: Any, right: Any, *, alpha: int = 1, **_: Any) -> str:
        assert alpha == 1
        return to.node(kind, [to.value(left, result.dtype), to.value(right, result.dtype)])

    return write


def _comparison(kind: str) -> Callable[..., str]:
    def write(to: Recorder, result: Tensor, left: Any, right: Any) -> str:
        common = torch.result_type(left, right)
        return to.node(kind, [to.value(left, common), to.value(right, common)])

    return write


def _unary(*kinds: str) -> Callable[..., str]:
    def write(to: Recorder, result: Tensor, value: Tensor) -> str:
        name = to.value(value)
        for kind in kinds:
            name = to.node(kind, [name])
        return name

    return write


def _reduction(kind: str) -> Callable[..., str]:
    def write(to: Recorder, result: Tensor, value: Tensor, axes: Any, keep: bool = False, **_: Any) -> str:
        chosen = [_axis(value, axis) for axis in (axes if isinstance(axes, (list, tuple)) else [axes])]
        return to.node(kind, [value, to.value(chosen, torch.int64)], keepdims=int(keep))

    return write


def _argmax(to: Recorder, result: Tensor, value: Tensor, axis: int, keep: bool = False) -> str:
    return to.node("ArgMax", [value], axis=_axis(value, axis), keepdims=int(keep))


def _sort(to: Recorder, result: Tensor, value: Tensor, axis: int = -1, descending: bool = False) -> str:
    count = to.value([value.shape[axis]], torch.int64)
    return to.node("TopK", [value, count], outputs=2, axis=_axis(value, axis), largest=int(descending))


def _power(to: Recorder, result: Tensor, value: Tensor, exponent: float) -> str:
    assert exponent == 2
    return to.node("Mul", [value, value])


def _clamp(to: Recorder, result: Tensor, value: Tensor, low: Any = None, high: Any = None) -> str:
    name = to.value(value)
    name = name if low is None else to.node("Max", [name, to.value(low, result.dtype)])
    return name if high is None else to.node("Min", [name, to.value(high, result.dtype)])


def _where(to: Recorder, result: Tensor, condition: Tensor, yes: Any, no: Any) -> str:
    return to.node("Where", [condition, to.value(yes, result.dtype), to.value(no, result.dtype)])


def _masked_fill(to: Recorder, result: Tensor, value: Tensor, mask: Tensor, filling: float) -> str:
    return _where(to, result, mask, filling, value)


def _full_like(to: Recorder, result: Tensor, value: Tensor, filling: float, **_: Any) -> str:
    return to.node("Expand", [to.value(filling, result.dtype), to.node("Shape", [value])])


def _cast(to: Recorder, result: Tensor, value: Tensor, **_: Any) -> str:
    return to.value(value, result.dtype)


def _reshape(to: Recorder, result: Tensor, value: Tensor, *_: Any) -> str:
    return to.node("Reshape", [value, to.value(_open(result.shape, -1), torch.int64)])


def _expand(to: Recorder, result: Tensor, value: Tensor, *_: Any) -> str:
    return to.node("Expand", [value, to.value(_open(result.shape, 1), torch.int64)])


def _transpose(to: Recorder, result: Tensor, value: Tensor, first: int, second: int) -> str:
    order = list(range(value.dim()))
    first, second = _axis(value, first), _axis(value, second)
    order[first], order[second] = order[second], order[first]
    return to.node("Transpose", [value], perm=order)


def _select(to: Recorder, result: Tensor, value: Tensor, axis: int, index: int) -> str:
    return to.node("Gather", [value, to.value(index, torch.int64)], axis=_axis(value, axis))


def _slice(
    to: Recorder, result: Tensor, value: Tensor, axis: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> str:
    if result.shape == value.shape:
        return to.value(value)
    assert step == 1
    start = (start or 0) % value.shape[axis]
    ends = [[start], [start + result.shape[axis]], [_axis(value, axis)]]
    return to.node("Slice", [value, *(to.value(one, torch.int64) for one in ends)])


def _stack(to: Recorder, result: Tensor, values: Sequence[Tensor], axis: int = 0) -> str:
    chosen = _axis(result, axis)
    single = [to.node("Unsqueeze", [value, to.value([chosen], torch.int64)]) for value in values]
    return to.node("Concat", single, axis=chosen)


def _index_select(to: Recorder, result: Tensor, value: Tensor, axis: int, index: Tensor) -> str:
    return to.node("Gather", [value, index], axis=_axis(value, axis))


def _gather(to: Recorder, result: Tensor, value: Tensor, axis: int, index: Tensor, **_: Any) -> str:
    return to.node("GatherElements", [value, index], axis=_axis(value, axis))


def _log_softmax(to: Recorder, result: Tensor, value: Tensor, axis: int, *_: Any) -> str:
    return to.node("LogSoftmax", [value], axis=_axis(value, axis))


def _convolution(
    to: Recorder,
    result: Tensor,
    value: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    *_: Any,
) -> str:
    given = [value, weight] if bias is None else [value, weight, bias]
    return to.node("Conv", given, strides=stride, pads=[*padding, *padding], dilations=dilation)


def _group_norm(to: Recorder, result: Tensor, value: Tensor, weight: Tensor, bias: Tensor, *sizes: Any) -> str:
    groups, epsilon = sizes[-2:]
    shape = to.value([-1, groups, result[0].numel() // groups], torch.int64)
    ones, zeros = (to.value([filling] * groups, torch.float32) for filling in (1.0, 0.0))
    grouped = to.node("Reshape", [value, shape])
    normal = to.node("InstanceNormalization", [grouped, ones, zeros], epsilon=epsilon)
    whole = to.node("Reshape", [normal, to.value(_open(result.shape, -1), torch.int64)])
    # Weights and biases are per channel; each is kept in its own shape, under its own name.
    along = to.value([1, 2], torch.int64)
    scaled = to.node("Mul", [whole, to.node("Unsqueeze", [weight, along])])
    return to.node("Add", [scaled, to.node("Unsqueeze", [bias, along])])


def _max_pool(to: Recorder, result: Tensor, value: Tensor, kernel: list[int], stride: Any = (), *_: Any) -> str:
    return to.node("MaxPool", [value], kernel_shape=kernel, strides=list(stride) or kernel)


def _upsample(to: Recorder, result: Tensor, value: Tensor, *_: Any) -> str:
    factors = [after / before for after, before in zip(result.shape, value.shape, strict=True)]
    scales = to.value(factors, torch.float32)
    return to.node("Resize", [value, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")


def _grid_sample(to: Recorder, result: Tensor, value: Tensor, grid: Tensor, *_: Any) -> str:
    # The grid is the same for all pictures; ONNX wants one for each.
    first, one = (to.value([number], torch.int64) for number in (0, 1))
    count = to.node("Slice", [to.node("Shape", [value]), first, one])
    shape = to.node("Concat", [count, to.value([1, 1, 1], torch.int64)], axis=0)
    every = to.node("Expand", [grid[:1], shape])
    return to.node("GridSample", [value, every], mode="bilinear", padding_mode="border", align_corners=0)


def _affine(to: Recorder, result: Tensor, bias: Tensor, value: Tensor, weight: Tensor, **_: Any) -> str:
    return to.node("Gemm", [value, weight, bias])


OPERATIONS: Mapping[str, Callable[..., str]] = {
    **dict.fromkeys(("detach", "alias", "clone", "contiguous", "lift_fresh"), _same),
    **dict.fromkeys(("view", "_unsafe_view", "unsqueeze", "squeeze"), _reshape),
    **{
        name: _unary(name.capitalize())
        for name in ("abs", "exp", "floor", "neg", "reciprocal", "relu", "round", "sqrt")
    },
    **{name: _arithmetic(name.capitalize()) for name in ("add", "sub", "mul", "div")},
    # Whole numbers are never negative here, so that rounding down is rounding to zero.
    "floor_divide": _arithmetic("Div"),
    "remainder": _arithmetic("Mod"),
    "maximum": _arithmetic("Max"),
    "minimum": _arithmetic("Min"),
    "bitwise_and": _arithmetic("And"),
    "lt": _comparison("Less"),
    "le": _comparison("LessOrEqual"),
    "gt": _comparison("Greater"),
    "ge": _comparison("GreaterOrEqual"),
    "relu_": _unary("Relu"),
    "rsqrt": _unary("Sqrt", "Reciprocal"),
    "bitwise_not": _unary("Not"),
    "sum": _reduction("ReduceSum"),
    "amax": _reduction("ReduceMax"),
    "amin": _reduction("ReduceMin"),
    "logsumexp": _reduction("ReduceLogSumExp"),
    "argmax": _argmax,
    "sort": _sort,
    "pow": _power,
    "clamp": _clamp,
    "where": _where,
    "masked_fill": _masked_fill,
    "full_like": _full_like,
    "_to_copy": _cast,
    "expand": _expand,
    "transpose": _transpose,
    "select": _select,
    "slice": _slice,
    "stack": _stack,
    "index_select": _index_select,
    "gather": _gather,
    "_log_softmax": _log_softmax,
    "convolution": _convolution,
    "native_group_norm": _group_norm,
    "max_pool2d_with_indices": _max_pool,
    "upsample_bilinear2d": _upsample,
    "grid_sampler_2d": _grid_sample,
    "addmm": _affine,
}
