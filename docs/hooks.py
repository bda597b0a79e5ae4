"""What the site does to the pages that GitHub shows as they are."""

import re

# [text](../path): the sources are on GitHub and not on the site.
SOURCES = re.compile(r'\[([^\]]+)\]\(\.\./[^)]+\)')
# :class:`~package.Name` of a docstring, for which there is no Sphinx here.
ROLES = re.compile(r':\w+:<code>~?(?:[\w.]+\.)?(\w+)</code>')


def on_page_markdown(markdown: str, **_: object) -> str:
    """Leaves of links to the source tree the text."""
    return SOURCES.sub(r'\1', markdown)


def on_page_content(html: str, **_: object) -> str:
    """Shows names in docstrings as code."""
    return ROLES.sub(r'<code>\1</code>', html)
