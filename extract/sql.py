"""Names and values in SQL."""


def quote(name: str) -> str:
    """Returns a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Returns a text as an SQL literal; ADBC's COPY accepts no parameters."""
    return "'" + text.replace("'", "''") + "'"


def loaded_name(name: str) -> str:
    """Returns a column's name as dlt writes it in the warehouse, quoted: the source may call it `"Id Venda"`."""
    from dlt.common.normalizers.naming.sql_ci_v1 import NamingConvention

    return quote(NamingConvention().normalize_identifier(name))
