"""From a canonical QDQ model to the integer graph.

Every QuantizeLinear ends one float operator (with the activation fused behind it) and starts one tensor, so the
walk goes from one QuantizeLinear to the next in topological order. An operator with integers or truth values among its
results is ended by nothing and lowered where it is met. All problems of a model are collected and reported together.
Nothing here optimizes: layouts are changed by transposes around the operators that want NHWC, for a pass to cancel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq import budget
from edgeq.errors import EdgeqError, Problem
from edgeq.ir import DType, Graph, Quantization, Source, State, Tensor
from edgeq.ir.verify import verify_graph
from edgeq.lowering.attributes import constant_array, require_implemented
from edgeq.lowering.context import Context, Target, plain_type
from edgeq.lowering.floating import emit_quantize, is_float, lower_float
from edgeq.lowering.parameters import as_signed, parameter, quantizer_parameters
from edgeq.lowering.plain import bounds_of, fitted, in_type, input_type, note_range
from edgeq.lowering.requantize import at_scale, copied, emit_requantize, in_int16, requantized, widened
from edgeq.lowering.rules import RULES
from edgeq.numerics.scale_range import ScaleRangeError
from edgeq.numerics.scaling import INT16_MODES, SCALINGS, Mode, Scaling
from edgeq.onnxio.forms import is_plain, stays_float
from edgeq.onnxio.qdq_form import mask_of
from edgeq.onnxio.states import kept_outputs, states_of
from edgeq.ops import OnnxForm, Op, infer, onnx_types

if TYPE_CHECKING:
    import onnx_ir

_CLAMPS: Final = onnx_types(lambda op, form: form.clamps)

_HIGHMUL: Final = "compile with --requantize highmul and without --backend tflite, or quantize to int8"


def lower(model: onnx_ir.Model, *, mode: Mode, name: str) -> Graph:
    """Lower a canonical QDQ model.

    Args:
        model: static shapes, opset 21, every activation behind QuantizeLinear and DequantizeLinear.
        mode: the arithmetic; a property of every node that comes out.
        name: the graph's name.

    Returns:
        A verified integer graph, in topological order.

    Raises:
        EdgeqError: EQ035x, all problems of the model at once.
    """
    return lower_named(model, mode=mode, name=name)[0]


def lower_named(model: onnx_ir.Model, *, mode: Mode, name: str) -> tuple[Graph, dict[str, str]]:
    """As :func:`lower`, and the tensor of the graph that holds each quantized or dequantized value, by ONNX name."""
    ctx = Context(Graph(name), SCALINGS[mode])
    problems: list[Problem] = []
    if mode not in INT16_MODES:
        problems += _wide_activations(model, mode)
    _take_constants(ctx, model)
    _take_integer_inputs(ctx, model)
    _take_plain_inputs(ctx, model)
    for node in model.graph:
        budget.tick("lowering")
        try:
            _lower_node(ctx, node)
        except EdgeqError as error:
            problems.extend(error.problems)
            _assume_result(ctx, node)
        except ScaleRangeError as error:
            problems.append(_scales_apart(node, error))
            _assume_result(ctx, node)
    problems.extend(_outputs(ctx, model))
    if problems:
        raise EdgeqError.of(dict.fromkeys(problems))
    _carry_states(ctx, model)
    given = set(ctx.graph.inputs) - {state.input for state in ctx.graph.states}
    ctx.graph.inputs = tuple(str(value.name) for value in model.graph.inputs if value.name in given)
    ctx.graph.replace_nodes(ctx.graph.nodes)
    verify_graph(ctx.graph, infer, after="lowering")
    return ctx.graph, {value: tensor for value, tensor in ctx.activations.items() if tensor in ctx.graph.tensors}


def _wide_activations(model: onnx_ir.Model, mode: Mode) -> list[Problem]:
    """What is int16 in a model for an arithmetic that has no int16."""
    quantizers = (node for node in model.graph if node.op_type in {"QuantizeLinear", "DequantizeLinear"})
    wide = [node for node in quantizers if any(_is_int16(value) for value in node.inputs)]
    return [
        Problem(
            "EQ0364",
            "this arithmetic has no int16 activations",
            where=f"node {node.name}",
            got=mode,
            allowed=", ".join(INT16_MODES),
            hint=_HIGHMUL,
        )
        for node in wide[:1]
    ]


def _is_int16(value: onnx_ir.Value | None) -> bool:
    return value is not None and value.dtype is not None and value.dtype.name == "INT16"


def _scales_apart(node: onnx_ir.Node, error: ScaleRangeError) -> Problem:
    value = node.inputs[0]
    producer = value.producer() if value is not None else None
    return Problem(
        "EQ0358",
        "the scales around an operator are too far apart for integers",
        where=f"node {(producer or node).name}",
        got=str(error),
        hint="quantize the model again: a scale is damaged, or calibration data never reached this operator",
    )


def _lower_node(ctx: Context, node: onnx_ir.Node) -> None:
    if node.op_type == "QuantizeLinear":
        _lower_quantize(ctx, node)
    elif node.op_type == "DequantizeLinear":
        source = node.inputs[0]
        if source is not None and source.name in ctx.activations:
            ctx.activations[str(node.outputs[0].name)] = ctx.activations[source.name]
    elif stays_float(node):
        require_implemented(node)
        value = node.outputs[0]
        ctx.activations[str(value.name)] = lower_float(ctx, node, _static_shape(value)).name
    elif any(is_plain(value) for value in node.outputs):
        _lower_plain(ctx, node)


def _lower_plain(ctx: Context, node: onnx_ir.Node) -> None:
    """An operator with a plain result; a float one beside it keeps the parameters of the operand."""
    op, form = require_implemented(node)
    value = node.outputs[0]
    declared = plain_type(value) if is_plain(value) else None
    low, high = (0, 0) if declared is None else bounds_of(declared)
    target = Target(str(value.name), _static_shape(value), None, low, high, (str(node.name),), declared)
    operands = _operands(ctx, node, op, form)
    result = RULES[op.name](ctx, node, target, *operands)
    note_range(ctx, op, operands, result)
    ctx.activations[str(value.name)] = result.name


def _operands(ctx: Context, node: onnx_ir.Node, op: Op, form: OnnxForm) -> list[Tensor]:
    """What fills the slots for activations; of a masked Softmax, what is masked."""
    mask = mask_of(node)
    if mask is not None and mask.outputs[0].name not in ctx.activations:
        return [ctx.activation(mask, 1)]
    indices = range(len(node.inputs)) if form.activations is None else form.activations
    given = [index for index in indices if index < len(node.inputs) and node.inputs[index] is not None]
    return fitted(ctx, op, [ctx.activation(node, index) for index in given])


def _lower_quantize(ctx: Context, node: onnx_ir.Node) -> None:
    value = node.inputs[0]
    assert value is not None  # QuantizeLinear's first input is required, which the reader has checked
    quant = quantizer_parameters(node)
    result = str(node.outputs[0].name)
    if value.is_graph_input():
        ctx.activations[result] = _graph_input(ctx, value, quant).name
        return
    if value.name in ctx.activations and is_float(ctx.graph.tensors[ctx.activations[value.name]]):
        producer = value.producer()
        sources = () if producer is None else (str(producer.name),)
        ctx.activations[result] = emit_quantize(ctx, ctx.activation(node, 0), quant, str(value.name), sources).name
        return
    if value.name in ctx.activations or value.name in ctx.constants:
        ctx.activations[result] = at_scale(ctx, ctx.activation(node, 0), quant, "rescaled").name
        return
    core, target = _target(ctx, value, quant)
    ctx.activations[result] = _lower_operator(ctx, core, target).name


def _lower_operator(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """An operator that wants one type computes in int16 where an operand or the result is int16 and others are not."""
    op, form = require_implemented(node)
    rule = RULES[op.name]
    operands = _operands(ctx, node, op, form)
    if form.scale == "same":
        label = "rescaled" if form.activations is not None else "rescaled_{}"
        scaled = [at_scale(ctx, x, target.quant, label.format(number)) for number, x in enumerate(operands)]
        return rule(ctx, node, target, *scaled)
    if op.signature.mixes_activations and ctx.scaling.mixes_types:
        return rule(ctx, node, target, *operands)
    dtypes = {operand.dtype for operand in operands if not operand.is_plain} | {target.dtype}
    if DType.INT16 in dtypes and op.name in ctx.scaling.int8_only:
        raise EdgeqError(
            "EQ0364",
            f"{node.op_type} of int16 is not in this arithmetic",
            where=f"node {node.name}",
            got=ctx.scaling.name,
            allowed=", ".join(name for name in INT16_MODES if op.name not in SCALINGS[name].int8_only),
            hint=_HIGHMUL,
        )
    if len(dtypes) == 1:
        return rule(ctx, node, target, *operands)
    wide = [in_int16(ctx, operand) for operand in operands]
    if target.dtype is DType.INT16:
        return rule(ctx, node, target, *wide)
    quant = form.fixed_for(DType.INT16) or widened(target.quant)
    inner = replace(target, name=f"{target.name}.int16", params=quant, clamp_min=quant.q_min, clamp_max=quant.q_max)
    return requantized(ctx, rule(ctx, node, inner, *wide), target)


def _target(ctx: Context, value: onnx_ir.Value, quant: Quantization) -> tuple[onnx_ir.Node, Target]:
    """Walk back from the quantized value over fused activations to the operator that computes it."""
    low, high = quant.q_min, quant.q_max
    sources: list[str] = []
    current = value
    while True:
        node = current.producer()
        if node is None:
            raise EdgeqError("EQ0350", "a constant is quantized at run time", where=f"value {value.name}")
        sources.append(str(node.name))
        operand = node.inputs[0] if node.inputs else None
        if node.op_type not in _CLAMPS or operand is None or operand.name in ctx.activations:
            break
        require_implemented(node)
        low, high = _clamped(ctx.scaling, node, quant, low, high)
        current = operand
    shape = _static_shape(value)
    return node, Target(str(value.name), shape, quant, low, high, tuple(reversed(sources)))


def _clamped(scaling: Scaling, node: onnx_ir.Node, quant: Quantization, low: int, high: int) -> tuple[int, int]:
    """Narrow a clamp by a Relu or Clip: rounding is monotone, so clamping before or after it is the same."""
    bounds: list[float | None] = [0.0, None]
    if node.op_type == "Clip":
        bounds = [_bound(node, 1), _bound(node, 2)]
    lower, upper = (None if bound is None else _quantized(bound, quant, scaling) for bound in bounds)
    low = low if lower is None else max(low, lower)
    high = high if upper is None else min(high, upper)
    return low, max(low, high)


def _bound(node: onnx_ir.Node, index: int) -> float | None:
    """A bound of a Clip; None where there is none, or one that clamps nothing."""
    array = constant_array(node, index)
    bound = None if array is None or not array.size else float(array.reshape(-1)[0])
    return None if bound is None or not np.isfinite(bound) else bound


def _quantized(real: float, quant: Quantization, scaling: Scaling) -> int:
    """QuantizeLinear of one number: float32 division, rounded as the arithmetic does, saturated."""
    whole = scaling.round_bound(float(np.float32(real) / np.float32(quant.scale[0])))
    return int(np.clip(whole + quant.zero_point[0], quant.q_min, quant.q_max))


def _graph_input(ctx: Context, value: onnx_ir.Value, quant: Quantization) -> Tensor:
    name = str(value.name)
    if name in ctx.graph.tensors:
        return at_scale(ctx, ctx.graph.tensors[name], quant, "rescaled")
    shape = _static_shape(value)
    tensor = Tensor(name, shape, quant.dtype, quant=quant, source=Source(name, tuple(range(len(shape))), shape))
    ctx.graph.add_tensor(tensor)
    ctx.graph.inputs += (name,)
    return tensor


def _take_integer_inputs(ctx: Context, model: onnx_ir.Model) -> None:
    """Inputs that are integers already pass through; their first DequantizeLinear tells their scale."""
    for value in model.graph.inputs:
        readers = [usage.node for usage in value.uses()]
        dequantize = next((node for node in readers if node.op_type == "DequantizeLinear"), None)
        if dequantize is not None:
            tensor = _graph_input(ctx, value, quantizer_parameters(dequantize))
            ctx.activations[str(value.name)] = tensor.name


def _take_plain_inputs(ctx: Context, model: onnx_ir.Model) -> None:
    """Inputs of integers or truth values that nothing dequantizes."""
    for value in model.graph.inputs:
        name = str(value.name)
        if not is_plain(value) or name in ctx.activations or not value.uses():
            continue
        shape = _static_shape(value)
        source = Source(name, tuple(range(len(shape))), shape)
        dtype = input_type(value, plain_type(value), {state.input for state in states_of(model)})
        ctx.activations[name] = ctx.graph.add_tensor(Tensor(name, shape, dtype, source=source))
        ctx.graph.inputs += (name,)


def _take_constants(ctx: Context, model: onnx_ir.Model) -> None:
    for node in model.graph:
        if node.op_type != "DequantizeLinear":
            continue
        source = node.inputs[0]
        if source is None or source.const_value is None:
            continue
        stated = np.asarray(source.const_value.numpy(), order="C")  # which keeps rank 0
        scale = parameter(node, 1).astype(np.float32).reshape(-1)
        zero = parameter(node, 2) if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros(1, stated.dtype)
        values, zero = as_signed(stated, node), as_signed(zero, node)
        axis = None
        if scale.size > 1:
            attribute = node.attributes.get("axis")
            axis = (attribute.as_int() if attribute is not None else 1) % values.ndim
        zeros = np.broadcast_to(zero.reshape(-1), scale.shape)
        quant = Quantization.of(DType.of(values), scale, zeros, axis)
        ctx.constants[str(node.outputs[0].name)] = Tensor.constant(str(source.name), values, quant)


def _carry_states(ctx: Context, model: onnx_ir.Model) -> None:
    """Say which tensors are states; an output at another scale than its input is requantized.

    Where the ONNX model has integers, they are handed on as they are.
    """
    values = {str(value.name): value for value in model.graph.inputs}
    for state in states_of(model):
        source, name = ctx.graph.tensors[state.input], ctx.activations.get(state.output)
        if name is None:
            constant = ctx.constants[state.output]
            name = ctx.add_constant(constant.name, constant.value(), constant.quant)
        result = ctx.graph.tensors[name]
        dtype = values[state.input].dtype
        if dtype is not None and dtype.is_floating_point():
            result = at_scale(ctx, result, source.quant, "carried")
        elif source.is_plain and result.is_plain:
            result = in_type(ctx, result, source.dtype)
        if result.is_constant:
            result = copied(ctx, result, ctx.graph.fresh_name(f"{state.output}.carried"))
        ctx.graph.states += (State(source.name, result.name),)


def _outputs(ctx: Context, model: onnx_ir.Model) -> list[Problem]:
    problems = []
    kept = {str(value.name) for value in kept_outputs(model)}
    for value in model.graph.outputs:
        tensor = ctx.activations.get(str(value.name))
        if tensor is None and value.name in ctx.constants:
            found = ctx.constants[str(value.name)]
            tensor = ctx.add_constant(found.name, found.value(), found.quant)
        if tensor is None:
            node = value.producer()
            problems.append(
                Problem(
                    "EQ0350",
                    "a model output is not quantized",
                    where=f"output {value.name}" + (f", node {node.name} ({node.op_type})" if node is not None else ""),
                    hint="quantize the float model with `edgeq quantize`, or give --data so that it is calibrated",
                )
            )
        elif value.name in kept:
            ctx.graph.outputs += (_distinct_output(ctx, tensor),)
    return problems


def _distinct_output(ctx: Context, name: str) -> str:
    """A graph output that is also an input, a constant or another output gets a copy of its own."""
    tensor = ctx.graph.tensors[name]
    if name not in ctx.graph.inputs and name not in ctx.graph.outputs and not tensor.is_constant:
        return name
    if tensor.is_constant or tensor.quant is None:
        return copied(ctx, tensor, f"{name}.output").name
    return emit_requantize(ctx, tensor, tensor.quant, f"{name}.output").name


def _assume_result(ctx: Context, node: onnx_ir.Node) -> None:
    """Give a failed node a stand-in result, so that only its own problem is reported and not its followers'."""
    for output in node.outputs if node.op_type != "QuantizeLinear" else ():
        if output.name and is_plain(output):
            name = ctx.graph.fresh_name(f"{output.name}.failed")
            ctx.graph.add_tensor(Tensor(name, _static_shape(output), plain_type(output)))
            ctx.activations[str(output.name)] = name
    if node.op_type != "QuantizeLinear":
        return
    value = node.inputs[0]
    name = ctx.graph.fresh_name(f"{node.outputs[0].name}.failed")
    shape = _static_shape(value) if value is not None else ()
    ctx.graph.add_tensor(Tensor(name, shape, DType.INT8, quant=Quantization.per_tensor(DType.INT8, 1.0, 0)))
    ctx.activations[str(node.outputs[0].name)] = name


def _static_shape(value: onnx_ir.Value) -> tuple[int, ...]:
    if value.shape is None or not value.shape.is_static():
        raise EdgeqError("EQ0357", "a shape is not known at compile time", where=f"value {value.name}")
    return tuple(int(size) for size in value.shape.numpy())
