"""Names and values as SQL writes them."""


def quote(name: str) -> str:
    """Returns a name as SQL's identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Returns a text as SQL's literal; ADBC's COPY takes no parameters."""
    return "'" + text.replace("'", "''") + "'"
