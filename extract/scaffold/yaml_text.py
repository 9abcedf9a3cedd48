"""YAML files edited as text, so that comments, order and layout of everything else stay as a person wrote them."""

import re
import textwrap
from collections.abc import Sequence
from functools import lru_cache

import yaml

from extract.errors import ExtractError

Step = str | tuple[str, str]  # a key, or in a list the item in which a key has a value

WIDTH = 118
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is built


def find(text: str, path: Sequence[Step]) -> yaml.Node | None:
    """Returns the node at a path, such as ("sources", ("name", "raw_crm"), "tables"); None if it does not exist."""
    node = parse(text)
    for step in path:
        if isinstance(step, str):
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            node = next((value for key, value in pairs if key.value == step), None)
        else:
            items = node.value if isinstance(node, yaml.SequenceNode) else ()
            node = next((item for item in items if value_of(item, step[0]) == step[1]), None)
        if node is None:
            return None
    return node


@lru_cache(maxsize=32)
def parse(text: str) -> yaml.Node | None:
    """Returns the nodes of a file, with their places in the text."""
    return yaml.compose(text, Loader=LOADER)


def value_of(node: yaml.Node, key: str) -> str | None:
    """Returns the scalar that a mapping has at a key."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value.value for name, value in pairs if name.value == key and isinstance(value.value, str)), None)


def names(text: str, path: Sequence[Step]) -> list[str]:
    """Returns the `name` of each item of a list; none if the list does not exist."""
    node = find(text, path)
    items = node.value if isinstance(node, yaml.SequenceNode) else ()
    return [name for item in items if (name := value_of(item, "name"))]


def add_items(text: str, path: Sequence[Step], blocks: Sequence[str], before: Sequence[str] = ()) -> str:
    """Returns the text with items at the end of a list, or before the first item with one of these names.

    Each block is written without indentation, from the dash on. Blank lines separate the items of a list that has
    them, and the models of a file.

    Raises:
        ExtractError: if the list does not exist or is written in brackets.
    """
    node = find(text, path)
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        raise ExtractError(f"expected a list with a line for each item at {describe(path)}; edit the file by hand")
    lines = text.splitlines()
    dash = dash_column(lines, node.value[0])
    at = end_of(lines, node)
    for item in node.value:
        if value_of(item, "name") in before:
            at = start_of(lines, item)
            break
    has_gaps = any(not lines[start_of(lines, item) - 1].strip() for item in node.value[1:]) or path[-1] == "models"
    last = at == end_of(lines, node)
    added: list[str] = []
    for block in blocks:
        item = [f"{' ' * dash}{line}".rstrip() for line in block.splitlines()]
        added += item if not has_gaps else ["", *item] if last else [*item, ""]
    return "\n".join([*lines[:at], *added, *lines[at:]]) + "\n"


def remove_item(text: str, path: Sequence[Step]) -> str:
    """Returns the text without an item of a list, with the comments above it. A list that is left empty goes too."""
    found, parent = find(text, path), find(text, path[:-1])
    if found is None or not isinstance(parent, yaml.SequenceNode):
        return text
    lines = text.splitlines()
    if len(parent.value) == 1:  # with the key of the list
        start = parent.start_mark.line
        while f"{path[-2]}:" not in lines[start]:
            start -= 1
        end = end_of(lines, parent)
    else:
        after = [item for item in parent.value if item.start_mark.line > found.start_mark.line]
        start = start_of(lines, found)
        end = start_of(lines, after[0]) if after else end_of(lines, parent)
    before, rest = lines[:start], lines[end:]
    while before and not before[-1].strip() and (not rest or not rest[0].strip()):
        before.pop()
    return "\n".join([*before, *rest]).rstrip("\n") + "\n" if before or rest else ""


def replace_scalar(text: str, path: Sequence[Step], value: str) -> str:
    """Returns the text with another scalar at a path."""
    node = find(text, path)
    if not isinstance(node, yaml.ScalarNode):
        raise ExtractError(f"expected a value at {describe(path)}; edit the file by hand")
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def start_of(lines: Sequence[str], item: yaml.Node) -> int:
    """Returns the line on which an item starts, with the comments above it."""
    start: int = item.start_mark.line
    while not lines[start].lstrip().startswith("-"):
        start -= 1
    while lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def end_of(lines: Sequence[str], node: yaml.Node) -> int:
    """Returns the line after the last one of a list."""
    end: int = node.end_mark.line if node.end_mark.line < len(lines) else len(lines)
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return end


def dash_column(lines: Sequence[str], item: yaml.Node) -> int:
    """Returns the column of an item's dash."""
    line = lines[item.start_mark.line]
    return len(line) - len(line.lstrip())


def describe(path: Sequence[Step]) -> str:
    """Returns a path for people: `sources, raw_crm, tables`."""
    return ", ".join(step if isinstance(step, str) else step[1] for step in path)


def scalar(text: str, *, flow: bool = False) -> str:
    """Returns a text as YAML writes it on one line, `flow` in brackets; in quotes only where it needs them."""
    plain = re.fullmatch(r"[^\W\d_]\S*( \S+)*", text) and not re.search(r":( |$)| #", text) and text.isprintable()
    other = re.fullmatch(r"(?i)y|n|yes|no|true|false|on|off|null", text) or (flow and re.search(r"[][{},:?]", text))
    if plain and not other:
        return text
    if '"' in text and "'" not in text and "\\" not in text and text.isprintable():
        return f"'{text}'"
    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=len(text) * 12 + 2)
    return quoted.rstrip("\n")


def described(text: str, indent: int) -> str:
    """Returns `description:` with a text, folded if it is long. `indent` is the column of the key."""
    words = plain_text(text)
    line = f"description: {scalar(words)}"
    if len(line) + indent <= WIDTH:
        return line
    folded = textwrap.wrap(words, WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(["description: >", *(f"  {part}" for part in folded)])


def plain_text(text: str) -> str:
    """Returns a text of the source on one line, in which dbt reads no Jinja and a browser no HTML.

    Both may run code: the first in the next dbt command, the second in the docs.
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"\{(?=[{%#])|<(?=[A-Za-z/!?])", r"\g<0> ", " ".join(printable.split()))
