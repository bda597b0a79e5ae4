"""What command lines share: ``--cfg-options``, and examples below the help."""

from __future__ import annotations

import os
import re
import textwrap
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence

from mmengine.config import DictAction


class ConfigOptions(DictAction):
    """KEY=VALUE as MMEngine reads it, but for paths and words, which stay as they are.

    MMEngine takes the spaces out of every value and splits it at its commas, so that a
    path that has some becomes another. Here what is quoted, or stands in no brackets
    and has a ``/``, or spaces and no comma, is one string.
    """

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        """Adds the settings to those of an earlier use of the option."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for setting in values:
            key, equals, value = setting.partition('=')
            if not equals:
                parser.error(f'{option_string} {setting}: expected KEY=VALUE')
            options[key] = value_of(value)
        setattr(namespace, self.dest, options)


def value_of(text: str) -> object:
    """The value of a setting: a number, True, False, None, a string, list or tuple."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in '\'"'
    if quoted:
        return text[1:-1]
    separators = {'/', os.sep}
    if text[:1] not in ('[', '('):
        if separators & set(text) or (' ' in text.strip() and ',' not in text):
            return text
    return DictAction._parse_iterable(text)


def command_parser(description: str, *examples: str) -> ArgumentParser:
    """A parser with lines of examples below its ``--help``."""
    return ArgumentParser(
        description=description,
        epilog='examples:\n' + textwrap.indent('\n'.join(examples), '  '),
        formatter_class=RawDescriptionHelpFormatter,
    )


def tool_parser(doc: str) -> ArgumentParser:
    """A parser whose help is the docstring of a tool, under the name it runs by."""
    return ArgumentParser(
        description=re.sub(r'python tools/\S+\.py', '%(prog)s', doc),
        formatter_class=RawDescriptionHelpFormatter,
    )
