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
from redshift_standin.sql.text import HIDDEN, check_closed, to_standard

LONGEST = 127  # bytes
# Bytes that PostgreSQL keeps of a table's name and, after an underscore, of its array type's. Of two types with one
# name the second gets another one, unless both are created at once.
_KEPT = 62
_HASH = re.compile("~[0-9a-f]{12}")
_BARE = re.compile(r"[^\W\d]\w{62,}|[^\W\d](?=\w*[^\x00-\x7f])\w{15,}")
_CATALOGUES = re.compile(r'"((?:pg|svv|sys|stl|stv)_\w+|information_schema)"')
_AS_CLASS = re.compile(r"\s*::\s*(?:pg_catalog\s*\.\s*)?regclass\b", re.IGNORECASE)
_ESCAPED = re.compile(r"(?<![\w$\x80-\U0010ffff])[eE]\Z")


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


def fold(sql: str) -> tuple[str, dict[str, str]]:
    """Returns SQL with identifiers and strings as PostgreSQL has them, and its long names by their short forms.

    Raises:
        RedshiftError: as for `short`.
    """
    found: dict[str, str] = {}

    def shorten(name: str) -> str:
        name = name.lower()
        brief = short(name)
        if brief != name:
            found[brief] = name
        return brief

    def shorten_bare(code: str) -> str:
        def replace(match: re.Match[str]) -> str:
            brief = shorten(match[0])
            return match[0] if brief == match[0].lower() else f'"{brief}"'

        return _BARE.sub(replace, code)

    def shorten_quoted(token: str) -> str:
        if _CATALOGUES.fullmatch(token.lower()):
            return token[1:-1]
        return '"' + shorten(token[1:-1].replace('""', '"')).replace('"', '""') + '"' if token[0] == '"' else token

    def convert(text: str, *, inside: bool = False) -> str:
        place, out = 0, []
        for hidden in HIDDEN.finditer(text):
            code, token = text[place : hidden.start()], hidden[0]
            out.append(shorten_bare(code))
            if hidden.end() == len(text):
                check_closed(token)
            if token[0] != "'":
                token = shorten_quoted(token)
            elif not _ESCAPED.search(code):  # E'…' is one that PostgreSQL reads as Redshift does
                token = to_standard(token)
                if not inside and _AS_CLASS.match(text, hidden.end()) and token[0] == "'":
                    token = "'" + convert(token[1:-1].replace("''", "'"), inside=True).replace("'", "''") + "'"
                    if "mv_tbl__" in token:  # the data of a materialized view, which is no relation of PostgreSQL
                        token = f"rs.class({token})"
            out.append(token)
            place = hidden.end()
        out.append(shorten_bare(text[place:]))
        return "".join(out)

    return convert(sql), found


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
