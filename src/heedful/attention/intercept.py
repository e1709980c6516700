"""The one way in which heedful touches an object that is not its own: an attribute of the instance, for a while.

Knows how to put such an attribute there and how to take it away again. Knows nothing of denoisers or schedulers. The
class stays as it is, and no hook registry is used, so nothing can remain in one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


@contextmanager
def replaced(owner: object, method: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """Let `owner.method` be `replacement` while the block is open; after it, also after an error, all is as before.

    The replacement shows the signature of what it replaces: diffusers looks at it to see what a method takes.
    What was there may be the method of the class, or an attribute of the instance that somebody else put there
    (accelerate's offloading wraps `forward` in this way).
    """

    @wraps(getattr(owner, method))
    def call(*args: Any, **kwargs: Any) -> Any:
        return replacement(*args, **kwargs)

    with held(owner, method, call):
        yield


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
