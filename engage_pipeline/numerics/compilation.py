"""Loops compiled by numba, and the folders that keep what was compiled for later processes.

numba keeps compiled code in one folder, which must be writable. In an image the folder of the source is root's and has
what the build compiled (model.compiled_ahead). So code is looked for there first and then in the user's cache folder,
and is written where that is possible. Where it is possible nowhere, each process compiles anew.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic, register_jitable

LOGGER = logging.getLogger("engage_pipeline")
_OWN = __name__.partition(".")[0]
_DIGEST = hashlib.sha256().digest_size
_warned = False


def compiled(*, error_model: str = "python", any_order: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Returns a decorator of a function that is compiled when it is first called, for each combination of types.

    With the `error_model` "numpy" a division by zero is no error. With `any_order` sums may be made in any order, so
    that many numbers are added at a time. A call releases the GIL.
    """
    order = {"reassoc"} if any_order else False
    decorate: Any = numba.njit(nogil=True, error_model=error_model, fastmath=order, no_cfunc_wrapper=True)  # type: ignore[call-overload]

    def compile_later(function: Callable[..., Any]) -> Any:
        found: Any = decorate(function)
        if isinstance(found, Dispatcher):  # else numba is switched off
            found._cache = _Caches(found.py_func)  # type: ignore[attr-defined]
        return found

    return compile_later


def compiled_within(*, error_model: str = "python") -> Any:
    """Returns a decorator of a function that compiled ones call: it is compiled, and kept, as a part of them.

    Called from Python it is not compiled. Code for calls from Python would cost a fifth of the time.
    """
    return register_jitable(error_model=error_model, no_cfunc_wrapper=True)


def _trailing_zeros(context: Any, word: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return numba.uint64(numba.uint64), code


trailing_zeros: Any = intrinsic(_trailing_zeros)
"""Returns, in compiled functions, the number of zeros behind the last 1 of a uint64 with at least one."""


def _prefetch(context: Any, array: Any, place: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        found = context.make_array(kind)(context, builder, arguments[0])
        indices = [arguments[1], *[context.get_constant(numba.intp, 0)] * (kind.ndim - 1)]
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(cgutils.get_item_pointer(context, builder, kind, found, indices), pointer)
        takes = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [pointer], takes)
        builder.call(ask, [address, number(_TO_READ), number(_ALL_CACHES), number(_DATA)])
        return context.get_dummy_value()

    return numba.void(array, numba.intp), code


_TO_READ, _ALL_CACHES, _DATA = 0, 3, 1
prefetch: Any = intrinsic(_prefetch)
"""Asks the processor, in compiled functions, to bring an element of an array's first axis into its caches: up to a
cache's line of it. Loops that go to elements in no order ask a dozen rows ahead; else each row waits for memory."""


def _pointer(context: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return numba.types.voidptr(address), code


_pointer_to: Any = intrinsic(_pointer)


@compiled_within()
def array_at(address: int, length: int, dtype: Any) -> np.ndarray:
    """Returns, in compiled functions, the `length` numbers of `dtype` that lie in memory from an `address` on.

    Nothing is checked and nothing held: who calls must hold the array that lies there.
    """
    return numba.carray(_pointer_to(address), length, dtype)


class _Caches:
    """What numba asks for compiled code of a function: the folders, in the order in which they are tried."""

    def __init__(self, function: FunctionType) -> None:
        self._function = function

    @cached_property
    def _folders(self) -> list[FunctionCache]:
        # Not before the first call: only then are all functions defined whose code counts.
        stamp, source = stamp_of(self._function), Path(self._function.__code__.co_filename)
        return [_FolderCache(self._function, folder, stamp) for folder in cache_folders(source)]

    @property
    def cache_path(self) -> str:
        """The first folder, for numba's statistics."""
        return str(self._folders[0].cache_path)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Returns the compiled code for a signature; None if no folder has it."""
        for folder in self._folders:
            try:
                if (found := folder.load_overload(signature, target)) is not None:
                    return found
            except OSError:
                continue
        return None

    def save_overload(self, signature: Any, code: Any) -> None:
        """Writes compiled code to the first folder where that is possible."""
        global _warned  # noqa: PLW0603
        errors = []
        for folder in self._folders:
            try:
                folder.save_overload(signature, code)
            except OSError as error:
                errors.append(str(error))
            else:
                return
        if not _warned:
            LOGGER.warning("compiled code is not kept, each process compiles anew for seconds: %s", "; ".join(errors))
        _warned = True


class _Folder(_CacheLocator):
    """A folder of compiled code; it need not be writable."""

    def __init__(self, function: FunctionType, folder: Path, stamp: str) -> None:
        self._function, self._folder, self._stamp = function, folder, stamp

    def from_function(  # type: ignore[override]
        self, py_func: FunctionType, py_file: str
    ) -> "_Folder":
        """Returns itself, whatever numba looks for a folder for."""
        return self

    def ensure_cache_path(self) -> None:
        """Makes the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        """Returns the folder."""
        return str(self._folder)

    def get_source_stamp(self) -> str:
        """Returns what compiled code must have been made of to be taken."""
        return self._stamp

    def get_disambiguator(self) -> str:
        """Returns what tells functions of one name in a file apart."""
        return str(self._function.__code__.co_firstlineno)


class _CodeFiles(IndexDataCacheFile):
    """A file of compiled code for each signature, which ends with the SHA-256 of what is before.

    numba numbers the files in an index, which it writes first: a process that is killed then leaves a signature with
    the code of an earlier source, and two at once may leave one with the code of another.
    """

    def save(self, key: tuple[Any, ...], data: Any) -> None:
        """Writes the code for a key: signature, processor, and what the function is made of."""
        content = self._dump(data)
        with self._open_for_write(self._data_path(self._name_of(key))) as file:
            file.write(content + hashlib.sha256(content).digest())

    def load(self, key: tuple[Any, ...]) -> Any:
        """Returns the code for a key; None if there is none, or it is damaged."""
        name = self._name_of(key)
        try:
            whole = Path(self._data_path(name)).read_bytes()
        except FileNotFoundError:
            return None
        content, digest = whole[:-_DIGEST], whole[-_DIGEST:]
        return self._load_data(name) if hashlib.sha256(content).digest() == digest else None

    def _name_of(self, key: tuple[Any, ...]) -> str:
        made_of = hashlib.sha256(repr((self._version, self._source_stamp, key)).encode()).hexdigest()
        return f"{self._index_name.removesuffix('.nbi')}.{made_of[:_DIGEST]}.nbc"


class _FolderCache(FunctionCache):
    """numba's cache of a function in one folder."""

    def __init__(self, function: FunctionType, folder: Path, stamp: str) -> None:
        class Implementation(CompileResultCacheImpl):
            _locator_classes = [_Folder(function, folder, stamp)]  # type: ignore[list-item]  # noqa: RUF012

        self._impl_class = Implementation
        super().__init__(function)
        self._cache_file = _CodeFiles(self._cache_path, self._impl.filename_base, stamp)


def cache_folders(source: Path) -> list[Path]:
    """Returns the folders for compiled code of the file `source`.

    NUMBA_CACHE_DIR replaces them.
    """
    own = hashlib.sha256(str(source.parent).encode()).hexdigest()[:16]
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(given) / own]
    users = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - never raises
    return [source.parent / "__pycache__", *([users / "engage_pipeline" / own] if users.is_absolute() else [])]


def stamp_of(function: FunctionType) -> str:
    """Returns a hash of all that the code of a compiled function is made of, in whatever file it stands.

    numba's own stamp is of the function's file alone: after a change of lanes.py it would take old code of kernels.py.
    """
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(part)
    return digest.hexdigest()


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    """Yields the code of a function and of those within it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _with_inner(one)


def _parts(function: FunctionType, seen: set[FunctionType]) -> Iterator[bytes]:
    """Yields bytecode and constants of a function, and those of the functions that it calls."""
    seen.add(function)
    codes = list(_with_inner(function.__code__))
    for code in codes:  # codes within are constants, too, but with an address
        yield repr((code.co_code, [one for one in code.co_consts if one not in codes], code.co_names)).encode()
    names = [name for code in codes for name in code.co_names]
    for name in names:
        value = function.__globals__.get(name)
        members = map(vars(value).get, names) if isinstance(value, ModuleType) else (value,)
        for member in members:
            one = member.py_func if isinstance(member, Dispatcher) else getattr(member, "_defn", member)  # an intrinsic
            if isinstance(one, FunctionType) and one.__module__.startswith(_OWN) and one not in seen:
                yield from _parts(one, seen)
            elif isinstance(one, np.ndarray):
                yield one.tobytes()
            elif isinstance(one, int | float | bytes | np.generic | tuple):
                yield repr(one).encode()
