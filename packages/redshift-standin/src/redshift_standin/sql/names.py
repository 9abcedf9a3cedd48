"""Identifiers and strings of a statement as PostgreSQL needs them.

Identifiers are folded to lowercase, quoted or not. Strings have Redshift's escapes.

Redshift allows names of 127 bytes, PostgreSQL of 63. In PostgreSQL a name of more than 62 bytes is its beginning and
a hash. Clients see the whole name: in the catalogue (system_catalog.sql), in descriptions of rows and in errors.
"""

import hashlib
import re
from collections.abc import Mapping

from psycopg2 import extensions

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.statement import Statement, mask
from redshift_standin.sql.text import MARK, check_closed, quote, quote_name, to_standard

LONGEST = 127  # bytes
# Bytes that PostgreSQL keeps of a table's name and, after an underscore, of its array type's. Of two types with one
# name the second gets another one, unless both are created at once.
_KEPT = 62
_HASH = re.compile("~[0-9a-f]{12}")
_BARE = re.compile(r"(?<![^\W\d])(?:[^\W\d]\w{62,}|[^\W\d](?=\w*[^\x00-\x7f])\w{15,})")
_MARK = re.compile(MARK)
_CATALOGUES = re.compile(r'"((?:pg|svv|sys|stl|stv)_\w+|information_schema)"')
_AS_CLASS = re.compile(r"\s*::\s*(?:pg_catalog\s*\.\s*)?regclass\b", re.IGNORECASE)
_ESCAPED = re.compile(r"(?<![\w$\x80-\U0010ffff])[eE](?=\0)")


def short(name: str) -> str:
    """Returns a name as PostgreSQL has it.

    Raises:
        RedshiftError: for a name that is too long for Redshift.
    """
    size = len(name.encode())
    if size <= _KEPT:
        return name
    if size > LONGEST:
        raise RedshiftError("42622", f'identifier "{name}" has {size} bytes; the maximum is {LONGEST}')
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return name.encode()[: _KEPT - 13].decode(errors="ignore") + "~" + digest


def fold(statement: Statement) -> tuple[Statement, dict[str, str]]:
    """Returns a statement with names and strings as PostgreSQL has them, and its long names by their short forms.

    Raises:
        RedshiftError: as for `short`, or for a string, name or comment that is not closed.
    """
    long_names: dict[str, str] = {}
    if statement.hidden:
        check_closed(statement.hidden[-1])

    def shorten(name: str) -> str:
        name = name.lower()
        brief = short(name)
        if brief != name:
            long_names[brief] = name
        return brief

    def shorten_bare(found: re.Match[str]) -> str:
        brief = shorten(found[0])
        return found[0] if brief == found[0].lower() else quote_name(brief)

    def convert(code: str, hidden: tuple[str, ...], *, inside: bool = False) -> tuple[str, tuple[str, ...]]:
        new = list(hidden)

        def change(mark: re.Match[str]) -> str:
            number = int(mark[0][1:-1])
            token = hidden[number]
            if token[0] == '"':
                if _CATALOGUES.fullmatch(token.lower()):
                    return token[1:-1]
                new[number] = quote_name(shorten(token[1:-1].replace('""', '"')))
            elif token[0] == "'" and not _ESCAPED.match(code, mark.start() - 1):
                # E'…' is a string that PostgreSQL reads as Redshift does.
                token = to_standard(token)
                if not inside and token[0] == "'" and _AS_CLASS.match(code, mark.end()):
                    name = Statement(*convert(*mask(token[1:-1].replace("''", "'")), inside=True))
                    token = new[number] = quote(name.sql)
                    if "mv_tbl__" in token:  # the data of a materialized view, which is no relation of PostgreSQL
                        return f"rs.class({mark[0]})"
                new[number] = token
            return mark[0]

        if not code.isascii() or max(map(len, code.split()), default=0) > _KEPT:
            code = _BARE.sub(shorten_bare, code)
        return _MARK.sub(change, code) if hidden else code, tuple(new)

    code, hidden = convert(statement.code, statement.hidden)
    return Statement(statement.code, hidden, statement.source).with_code(code), long_names


def fold_text(text: str) -> tuple[str, dict[str, str]]:
    """Returns a part of a statement with names and strings as PostgreSQL has them, and its long names."""
    folded, long_names = fold(Statement(*mask(text)))
    return folded.sql, long_names


class Names:
    """The long names that the database has seen, stored in it so that its catalogue can show them."""

    def __init__(self, connection: extensions.connection) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute("select short, whole from rs.names")
            self._whole: dict[str, str] = dict(cursor.fetchall())
        self._by_hash = {name[-13:]: name for name in self._whole}

    def add(self, found: Mapping[str, str]) -> None:
        """Stores long names by their short forms. To be called before the statement that uses them runs."""
        for name, whole in found.items():
            if name not in self._whole:
                with self._connection.cursor() as cursor:
                    cursor.execute("insert into rs.names values (%s, %s) on conflict do nothing", (name, whole))
                self._by_hash[name[-13:]] = name
                self._whole[name] = whole

    def table_id(self, name: str) -> int:
        """Returns the id of a table of this name in any schema, 0 if there is none."""
        with self._connection.cursor() as cursor:
            cursor.execute("select coalesce(max(oid), 0)::bigint from pg_class where relname = %s", (name,))
            [(found,)] = cursor.fetchall()
        return int(found)

    def whole(self, text: str) -> str:
        """Returns text with every short form replaced by its long name."""
        for mark in _HASH.findall(text):
            if name := self._by_hash.get(mark):
                text = text.replace(name, self._whole[name])
        return text
