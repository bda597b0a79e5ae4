"""Bad input as one line: what a tool shows of it, run by ``fdmae`` or as a script."""

import functools
import os
import sys
from collections.abc import Callable


def one_line(*errors: type[Exception]) -> Callable[[Callable], Callable]:
    """Decorates the ``main`` of a tool: these errors end it with a line and status 1.

    With FDMAE_TRACEBACK in the environment they keep their traceback.
    """

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def told(*args: object, **kwargs: object) -> int:
            try:
                return main(*args, **kwargs)
            except errors as error:
                if os.environ.get('FDMAE_TRACEBACK'):
                    raise
                print(f'error: {error}', file=sys.stderr)
                return 1

        return told

    return decorate
