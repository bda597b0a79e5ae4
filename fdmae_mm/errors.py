"""Bad input as one line: what a tool shows of it, run by ``fdmae`` or as a script."""

import functools
import os
import sys
from collections.abc import Callable


def one_line(*errors: type[Exception]) -> Callable[[Callable], Callable]:
    """Decorates the ``main`` of a tool: these errors end it with a line and status 1.

    They keep their traceback with FDMAE_TRACEBACK in the environment, and where they
    are of one word, as a mistake in the code tends to be: KeyError: 'x'.
    """

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def told(*args: object, **kwargs: object) -> int:
            try:
                return main(*args, **kwargs)
            except errors as error:
                # A KeyError would quote its text.
                parts = error.args if isinstance(error, KeyError) else [error]
                message = ' '.join(map(str, parts))
                if os.environ.get('FDMAE_TRACEBACK') or ' ' not in message:
                    raise
                print(f'error: {message}', file=sys.stderr)
                return 1

        return told

    return decorate
