"""The one way in which heedful touches an object that is not its own: an attribute of the instance, for a while.

The class stays as it is, and no hook registry is used, so nothing can remain in one.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from types import FunctionType, MethodType, TracebackType
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from heedful.errors import SettingsError

T = TypeVar("T")
P = ParamSpec("P")


class Replaced:
    """A method of one instance that is another function for a while."""

    def __init__(self, owner: object, method: str, replacement: Callable[..., Any]):
        self.original: Callable[..., Any] = getattr(owner, method)
        """What is replaced: the method of the class, or what somebody else put on the instance."""
        self._owner = owner
        self._method = method
        self._replacement = replacement
        self._is_open = True
        self._place()

    def put_back(self) -> None:
        """Replace the method once more if somebody else has overwritten it, around what stands there now.

        Accelerate's offloading takes its wrapper of `forward` off and puts it on again after each call of a pipeline.
        A wrapper around the replacement is left as it is.
        """
        function = vars(self._owner).get(self._method)
        while function is not None:
            if function is self._bound:
                return
            function = getattr(function, "__wrapped__", None)
        self.original = getattr(self._owner, self._method)
        self._place()

    def close(self) -> None:
        """Put back what was there; what somebody else has put there since stays, without the replacement in it."""
        self._is_open = False
        own = vars(self._owner)
        if own.get(self._method) is self._bound:
            if self._was_own:
                own[self._method] = self._before
            else:
                del own[self._method]
        kept = f"_old_{self._method}"  # where accelerate keeps what it wraps
        if own.get(kept) is self._bound:
            own[kept] = self.original

    def _place(self) -> None:
        own = vars(self._owner)
        self._was_own, self._before = self._method in own, own.get(self._method)
        self._bound = MethodType(self._function(), self._owner)
        setattr(self._owner, self._method, self._bound)

    def _function(self) -> Callable[..., Any]:
        """Return a function of the instance that shows the signature of what it replaces."""

        @wraps(self.original)
        def call(instance: Any, /, *args: Any, **kwargs: Any) -> Any:
            if instance is not self._owner:  # a copy of the instance, to which `copy.deepcopy` has bound this
                return getattr(type(instance), self._method)(instance, *args, **kwargs)
            return (self._replacement if self._is_open else self.original)(*args, **kwargs)

        call.__signature__ = _with_instance(self.original)  # type: ignore[attr-defined]
        return call


_SIGNATURES: WeakKeyDictionary[Any, inspect.Signature] = WeakKeyDictionary()
"""By the function of a method: each pass of a denoiser replaces the same ones, and a signature is slow to look up."""


def _with_instance(method: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a method with the instance before it, by position alone."""
    function = method.__func__ if isinstance(method, MethodType) else None
    is_kept = isinstance(function, FunctionType)
    if is_kept and function in _SIGNATURES:
        return _SIGNATURES[function]
    shown = inspect.signature(method)
    first = inspect.Parameter("instance", inspect.Parameter.POSITIONAL_ONLY)
    signature = shown.replace(parameters=[first, *shown.parameters.values()])
    if is_kept:
        _SIGNATURES[function] = signature
    return signature


@contextmanager
def replaced(owner: object, method: str, replacement: Callable[..., Any]) -> Iterator[Replaced]:
    """Let `owner.method` be `replacement` while the block is open; after it, also after an error, all is as before.

    The replacement shows the signature of what it replaces: diffusers looks at it to see what a method takes. A deep
    copy of `owner` that is made in the block has the method of its class.
    """
    opened = Replaced(owner, method, replacement)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def held(owner: object, name: str, value: Any) -> Iterator[None]:
    """Let `owner` have `value` as an attribute of its own while the block is open; after it, all is as before."""
    own = vars(owner)
    was_own, before = name in own, own.get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if was_own:
            own[name] = before
        else:
            own.pop(name, None)


class OneBlock(AbstractContextManager[T], Generic[T]):
    """A context manager for one `with` block, which says so if it is used for a second one."""

    def __init__(self, make: Callable[[], AbstractContextManager[T]], name: str):
        self._make = make
        self._name = name
        self._opened: AbstractContextManager[T] | None = None

    def __enter__(self) -> T:
        if self._opened is not None:
            raise SettingsError(
                f"Expected a new {self._name}(...) for each block, got one that was used already. Call it again."
            )
        self._opened = self._make()
        return self._opened.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._opened is not None
        return self._opened.__exit__(kind, error, trace)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with a block of its own around each call."""

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with OneBlock(self._make, self._name):
                return function(*args, **kwargs)

        return inside


def one_block(function: Callable[P, Iterator[T]]) -> Callable[P, OneBlock[T]]:
    """Turn a generator function into a context manager for one block."""
    make = contextmanager(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> OneBlock[T]:
        return OneBlock(lambda: make(*args, **kwargs), function.__name__)

    return call
