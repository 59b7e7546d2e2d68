"""Calls that wait, made beside the load: a fault that is put in force must not hold requests up."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gevent
from gevent import monkey

T = TypeVar("T")
P = ParamSpec("P")


def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``call(*args, **kwargs)`` in a thread of its own, while other greenlets go on; its answer, or what it raised.

    Under plain Locust the standard library is patched, and its waits let the others go on by themselves.
    """
    if monkey.is_module_patched("socket"):
        return call(*args, **kwargs)

    def caught() -> tuple[T | None, BaseException | None]:
        try:
            return call(*args, **kwargs), None
        except BaseException as e:  # gevent would print it
            return None, e

    answer, error = gevent.get_hub().threadpool.apply(caught)
    if error is not None:
        raise error
    return answer  # type: ignore[no-any-return]
