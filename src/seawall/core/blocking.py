"""The one way off the event loop for work that blocks or computes.

Everything that touches the database, the disk or a hash of many bytes goes through `run`, so that
the loop never waits and the number of threads has a bound.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

MAX_THREADS = 16

_executor = concurrent.futures.ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="blocking")


async def run(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `function` in a bounded pool of threads and return its result."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor, partial(function, *args, **kwargs))
