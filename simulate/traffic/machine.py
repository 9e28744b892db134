"""How the event-order engine is compiled: functions over plain memory, without counted references, checked indices or fastmath.

An array that is passed to a compiled function costs seven arguments and a test for negative indices at each use; an address costs
nothing. `words` and `doubles` look at the memory of one array as integers or as doubles.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types as _types
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from simulate.compiled import kept_beside
from simulate.traffic.limits import EVENTS, files

F = TypeVar("F", bound=Callable[..., Any])
JIT: Any = numba.njit
types: Any = _types
OPTIONS: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True, "error_model": "numpy", "_nrt": False}
"""`_nrt` False: references are not counted, which would take most of the time of a run; so nothing is allocated in compiled code."""


class Raw(JITCodeLibrary):
    """A part of machine code to be: numba would optimize each function with all that it calls, and so most of them many times.

    It is not loaded either: what is entered has parts of its own, and would call these, which are slow, wherever one was not inlined.
    """

    def _optimize_final_module(self) -> None:
        """Nothing."""

    def _finalize_final_module(self) -> None:
        """Nothing is loaded."""
        super()._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Nowhere."""
        return 0


@contextmanager
def libraries(kind: type) -> Iterator[None]:
    """What is compiled meanwhile is of this kind."""
    codegen: Any = cpu_target.target_context.codegen()
    before, set_env = codegen._library_class, codegen.set_env
    codegen._library_class = kind
    codegen.set_env = _unset if kind is Raw else type(codegen).set_env.__get__(codegen)
    try:
        yield
    finally:
        codegen._library_class, codegen.set_env = before, set_env


def _unset(name: str, environment: Any) -> None:
    """What is not loaded has no place for the objects of its module; nothing here uses any."""


@contextmanager
def unprepared(context: Any) -> Iterator[None]:
    """Meanwhile numba does not fill its tables of all that it can compile: what was kept needs none, and loads in a quarter of the time.

    Where nothing was kept, its compiler fills them by itself.
    """
    context.refresh = _nothing
    try:
        yield
    finally:
        del context.refresh


def _nothing() -> None:
    """Nothing is prepared."""


class Compiler:
    """Compiles the functions of some files of this folder together: what was kept of another version of any of them is not used."""

    def __init__(self, *names: str) -> None:
        self._files = files(names)

    def _made(self, function: F, **more: Any) -> Any:
        """Compiled once for each kind of argument: numba would compile anew for each constant that is passed."""
        made: Any = JIT(**OPTIONS, **more)(function)
        of_types = made.get_call_template
        made.get_call_template = lambda arguments, named: of_types(tuple(types.unliteral(one) for one in arguments), named)
        return made

    def _part(self, function: F, **more: Any) -> F:
        """Not optimized, and not kept, by itself: that is done where machine code is entered, with all its parts."""
        made = self._made(function, no_cpython_wrapper=True, **more)
        compiled_alone = made.compile

        def compiled_raw(signature: Any) -> Any:
            with libraries(Raw):
                return compiled_alone(signature)

        made.compile = compiled_raw
        return cast(F, made)

    def compiled(self, function: F) -> F:
        """Machine code that Python calls, kept between processes."""
        made = self._made(function, cache=kept_beside(*self._files))
        compiled_alone, found = made.compile, made._cache.load_overload

        def found_alone(signature: Any, context: Any) -> Any:
            with unprepared(context):
                return found(signature, context)

        def compiled_whole(signature: Any) -> Any:
            with libraries(JITCodeLibrary):
                return compiled_alone(signature)

        made.compile, made._cache.load_overload = compiled_whole, found_alone
        return cast(F, made)

    def inner(self, function: F) -> F:
        """Machine code that only machine code calls: without the entry from Python, which takes longest to compile."""
        return self._part(function)

    def inlined(self, function: F) -> F:
        """As `inner`, and put where it is called: a call would cost more than the work."""
        return self._part(function, forceinline=True)


_EVENTS = Compiler(*EVENTS)
compiled, inner, inlined = _EVENTS.compiled, _EVENTS.inner, _EVENTS.inlined


def _pointer(element: Any, kind: Any) -> Any:
    pointer = types.CPointer(element)

    def typed(context: Any, address: Any) -> Any:
        def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], kind.as_pointer())

        return pointer(types.int64), made

    return typed


words: Any = intrinsic(_pointer(types.int64, ir.IntType(64)))
"""The memory at an address as 64-bit integers; no index is checked."""
doubles: Any = intrinsic(_pointer(types.float64, ir.DoubleType()))
"""The same memory as doubles."""


def _bits(context: Any, x: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), made


bits: Any = intrinsic(_bits)
"""The 64 bits of a double, as an integer."""


def _double(context: Any, x: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), made


double_of: Any = intrinsic(_double)
"""The double that has the 64 bits of an integer."""
