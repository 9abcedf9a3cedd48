"""Names and values in SQL."""


def quote(name: str) -> str:
    """Returns a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Returns a text as an SQL literal; ADBC's COPY accepts no parameters."""
    return "'" + text.replace("'", "''") + "'"
