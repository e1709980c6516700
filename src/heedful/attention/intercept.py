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

    own = vars(owner)
    was_own = method in own
    before = own.get(method)
    setattr(owner, method, call)
    try:
        yield
    finally:
        if was_own:
            own[method] = before
        else:
            own.pop(method, None)
