"""Four numbers of a row, which share the processor's wide instructions in compiled loops.

numba itself makes wide instructions of whole loops alone: neighbouring ones of a step it leaves apart, as what joins
them in LLVM once broke loops with exp and log (numba, pull request 8852). So these functions write vectors for LLVM.
For numba a `Four` is a tuple: where one is made of a vector and becomes a vector again, LLVM leaves both steps out. It
does not where a tuple is made in one of two branches.

What does not belong here: loops.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from engage_pipeline.numerics.compilation import compiled_within

Four = tuple[float, float, float, float]
"""Float32 or float64."""
_LANES = 4
_inner = compiled_within(error_model="numpy")


def _float_of(kind: Any) -> Any:
    """Returns numba's type of the numbers in a Four, or of a number."""
    return kind.dtype if isinstance(kind, types.UniTuple) else kind


def _vector(context: Any, builder: Any, kind: Any, value: Any, wanted: Any) -> Any:
    """Returns a Four, or four times a number, as a vector of floats of numba's type `wanted`."""
    own, target = _float_of(kind), context.get_value_type(wanted)
    parts = cgutils.unpack_tuple(builder, value) if isinstance(kind, types.UniTuple) else [value] * _LANES
    found = ir.Constant(ir.VectorType(context.get_value_type(own), _LANES), ir.Undefined)
    for lane, part in enumerate(parts):
        found = builder.insert_element(found, part, ir.IntType(32)(lane))
    if own == wanted:
        return found
    return (builder.fpext if wanted.bitwidth > own.bitwidth else builder.fptrunc)(found, ir.VectorType(target, _LANES))


def _tuple(context: Any, builder: Any, kind: Any, vector: Any) -> Any:
    """Returns a vector as a Four of numba's type `kind`."""
    return context.make_tuple(
        builder, kind, [builder.extract_element(vector, ir.IntType(32)(lane)) for lane in range(_LANES)]
    )


def _address(context: Any, builder: Any, kinds: Any, arguments: Any) -> tuple[Any, int]:
    """Returns the address of four numbers of an array, from arguments array, row and first place, and its alignment."""
    array, *places = kinds[:3]
    found = context.make_array(array)(context, builder, arguments[0])
    indices = [context.cast(builder, one, kind, types.intp) for one, kind in zip(arguments[1:3], places, strict=True)]
    pointer = cgutils.get_item_pointer(context, builder, array, found, indices)
    vector = ir.VectorType(context.get_value_type(array.dtype), _LANES)
    return builder.bitcast(pointer, vector.as_pointer()), array.dtype.bitwidth // 8


def _load(context: Any, values: Any, row: Any, first: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, alignment = _address(context, builder, signature.args, arguments)
        return _tuple(context, builder, signature.return_type, builder.load(pointer, align=alignment))

    return types.UniTuple(values.dtype, _LANES)(values, row, first), code


def _store(context: Any, values: Any, row: Any, first: Any, four: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, alignment = _address(context, builder, signature.args, arguments)
        vector = _vector(context, builder, signature.args[3], arguments[3], signature.args[0].dtype)
        builder.store(vector, pointer, align=alignment)
        return context.get_dummy_value()

    return types.void(values, row, first, four), code


def _of_two(one: Any, other: Any, operation: Callable[..., Any]) -> Any:
    """Returns signature and code of an operation on each number of two Fours, or of a number and a Four."""
    wanted = max(_float_of(one), _float_of(other), key=lambda kind: kind.bitwidth)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = (
            _vector(context, builder, kind, value, wanted)
            for kind, value in zip(signature.args, arguments, strict=True)
        )
        return _tuple(context, builder, signature.return_type, operation(builder, *vectors))

    return types.UniTuple(wanted, _LANES)(one, other), code


def _total(context: Any, one: Any, other: Any) -> Any:
    return _of_two(one, other, ir.IRBuilder.fadd)


def _difference(context: Any, one: Any, other: Any) -> Any:
    return _of_two(one, other, ir.IRBuilder.fsub)


def _product(context: Any, one: Any, other: Any) -> Any:
    return _of_two(one, other, ir.IRBuilder.fmul)


def _ratio(context: Any, one: Any, other: Any) -> Any:
    return _of_two(one, other, ir.IRBuilder.fdiv)


def _larger(context: Any, one: Any, other: Any) -> Any:
    return _of_two(one, other, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


def _smaller(context: Any, one: Any, other: Any) -> Any:
    return _of_two(one, other, lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), a, b))


def _root(context: Any, four: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = _vector(context, builder, four, arguments[0], four.dtype)
        kind, name = ir.FunctionType(vector.type, [vector.type]), f"llvm.sqrt.v{_LANES}f{four.dtype.bitwidth}"
        root = cgutils.get_or_insert_function(builder.module, kind, name)
        return _tuple(context, builder, four, builder.call(root, [vector]))

    return four(four), code


def _choice(context: Any, four: Any, limit: Any, one: Any, other: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tested, edge, yes, no = (
            _vector(context, builder, kind, value, one.dtype)
            for kind, value in zip(signature.args, arguments, strict=True)
        )
        return _tuple(context, builder, one, builder.select(builder.fcmp_ordered(">", tested, edge), yes, no))

    return one(four, limit, one, other), code


_loaded: Any = intrinsic(_load)
_stored: Any = intrinsic(_store)
total_of: Any = intrinsic(_total)
"""Returns one + other, each a Four or a number; float64 if one of them is."""
difference_of: Any = intrinsic(_difference)
"""Returns one - other."""
product_of: Any = intrinsic(_product)
"""Returns one * other."""
ratio_of: Any = intrinsic(_ratio)
"""Returns one / other."""
larger_of: Any = intrinsic(_larger)
"""Returns the larger of one and other."""
smaller_of: Any = intrinsic(_smaller)
"""Returns the smaller of one and other."""
root_of: Any = intrinsic(_root)
"""Returns the square roots of a Four."""
chosen: Any = intrinsic(_choice)
"""Takes a Four, a number `limit`, a Four `one`, and a Four or a number `other`: returns one where the first is above
the limit, else other."""


@_inner
def four_of(values: np.ndarray, row: int, first: int = 0) -> Four:
    """Returns the numbers from place `first` of a row on."""
    return _loaded(values, row, first)


@_inner
def add_to(values: np.ndarray, row: int, more: Four, first: int = 0) -> None:
    """Adds to the numbers from place `first` on."""
    _stored(values, row, first, total_of(_loaded(values, row, first), more))


@_inner
def write_to(values: np.ndarray, row: int, four: Four, first: int = 0) -> None:
    """Writes the numbers from place `first` on."""
    _stored(values, row, first, four)


@_inner
def wide_of(values: np.ndarray, row: int, first: int = 0) -> Four:
    """Returns the numbers from place `first` on as float64."""
    return product_of(np.float64(1), _loaded(values, row, first))
