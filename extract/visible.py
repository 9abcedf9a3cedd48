"""Texts from outside as they are printed: with everything escaped that a terminal or a reader takes for a command."""

import re

# Control characters (C0, DEL, C1), separators of lines and paragraphs, marks that turn the direction of a text, and
# halves of surrogate pairs, which no encoding can write.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: str) -> str:
    r"""Returns a text on one line, with each such character escaped as Python does: `\n`, `\x1b`, `\u202e`.

    A byte of a file's name that is no UTF-8 becomes `\xff`. Every other character stays as it is.
    """
    return UNSEEN.sub(lambda found: _escape(found[0]), text)


def visible_lines(text: str) -> str:
    """Returns a text of several lines, each of them visible."""
    return "\n".join(map(visible, text.split("\n")))


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python reads a byte of a name that it cannot decode
        return f"\\x{code - 0xDC00:02x}"
    return SHORT.get(character) or (f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}")
