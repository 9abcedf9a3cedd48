"""Names, types and words whose meaning does not depend on their place."""

import re
from functools import cache

from redshift_standin.sql.functions import REPLACED
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, NAME

_FLAGS = re.IGNORECASE

# What system_catalog.sql replaces.
_CATALOGUES = frozenset(
    f"pg_{name}"
    for name in (
        "attrdef", "attribute", "class", "class_info", "constraint", "database", "group", "indexes", "namespace",
        "proc", "table_def", "tables", "type", "user", "views",
    )
)  # fmt: skip
_WRAPPED = (
    "current_schema", "format_type", "has_schema_privilege", "has_table_privilege", "pg_get_constraintdef",
    "pg_get_viewdef", "version",
)  # fmt: skip
_FUNCTIONS = REPLACED | {name: f"rs.{name}" for name in _WRAPPED}

# A call; not a CTE with its columns.
_COLUMN_NAMES = rf"\s*{NAME}(?:\s*,\s*{NAME})*\s*\)\s*as\s*\("
_CALL = re.compile(rf"(?<![\w.])(pg_catalog\s*\.\s*)?(\w+)\s*\((?!{_COLUMN_NAMES})", _FLAGS)
_BEFORE_RELATION = re.compile(r"\b(?:into|table|exists|view|references)\s+$", _FLAGS)
_DATE_PART = re.compile(r"\b(rs\.(?:pg)?date_(?:add|diff|trunc|part))\(\s*(\w+)\s*,", _FLAGS)
_QUALIFIED = re.compile(r"\bpg_catalog\s*\.\s*(pg_\w+)\b", _FLAGS)
_UNQUALIFIED = re.compile(r"(?<![\w.])(pg_\w+)\b(?!\s*[.(])", _FLAGS)
# PostgreSQL would truncate them to the type `name`.
_COLUMNS = re.compile(r"\bpg_get_(?:late_binding_view_)?cols\s*\([^)]*\)[\w\s]*\([^)]*\)", _FLAGS)
_NAME_TYPE = re.compile(r"(\w\s+)name\b", _FLAGS)


def _rule(words: str, pattern: str, replacement: str) -> tuple[tuple[str, ...], re.Pattern[str], str]:
    return tuple(words.split()), re.compile(pattern, _FLAGS), replacement


# Words of which a statement must have one, the pattern and its replacement.
_RULES = (
    _rule("extract", r"(?<![\w.])extract\s*\(\s*epoch\s+from\b", "rs.date_part("),
    _rule("extract", r"(?<![\w.])extract\s*\(\s*(\w+)\s+from\b", r"rs.date_part('\1',"),
    _rule("extract", rf"(?<![\w.])extract\s*\(\s*({MARK})\s+from\b", r"rs.date_part(\1,"),
    _rule("current_date", r"(?<![\w.])current_date\b(?!\s*\()", 'rs."date"()'),
    _rule("sysdate", r"(?<![\w.])sysdate\b(?!\s*\()", 'rs."timestamp"()'),
    _rule("current_user", r"(?<![\w.])current_user\b(?!\s*\()", 'rs."current_user"()'),
    # `user` as an expression. Elsewhere it is a word of a command.
    _rule(
        "user",
        r"((?:\b(?:select|where|and|or|by|then|else)\b|[(,=<>|])\s*)user\b",
        r'\1rs."current_user"()',
    ),
    _rule("varchar", r"\bvarchar\s*\(\s*max\s*\)", "varchar(65535)"),
    _rule("varbinary binary", r"\bvarbinary\b|\bbinary\s+varying\b", "varbyte"),
    _rule("varbyte varbinary binary", r"\bvarbyte\s*\(\s*max\s*\)", "varbyte(1024000)"),
    _rule("nvarchar", r"\bnvarchar\b", "varchar"),
    _rule("intervaly2m", r"\bintervaly2m\b", "interval year to month"),
    _rule("intervald2s", r"\bintervald2s\b", "interval day to second"),
    _rule(
        "current_user_id current_namespace current_aws_account",
        r"(?<![\w.])(current_(?:user_id|namespace|aws_account))\b(?!\s*\()",
        r"rs.\1()",
    ),
    _rule("information_schema", r"(?<![\w.])information_schema\s*\.", "rs_information_schema."),
    _rule("delete", r"(^\s*|\)\s*)delete\s+(?=(?!(?:from|on|when)\b)[\w\0#])", r"\1delete from "),
    _rule("password", r"\bpassword\s+disable\b", "password null"),
    _rule("minus", r"\bminus\s+(?=select|\()", "except "),
)
_TEMPORARY = (
    re.compile(r"\bcreate\s+table\s+(?=(if\s+not\s+exists\s+)?#)", _FLAGS),
    re.compile(r"((?:\b(?:table|exists|into|from|join|update|using)\s|,)\s*)#(\w+)", _FLAGS),
)


def replace_calls(statement: Statement) -> Statement:
    """Returns a statement that calls the functions of the stand-in in place of PostgreSQL's."""
    if statement.vocabulary.isdisjoint(_FUNCTIONS):
        return statement
    if statement.has("pg_catalog"):
        code = _CALL.sub(_replace_call, statement.code)
    else:
        calls = [
            (found.span(), _FUNCTIONS[name])
            for name in statement.vocabulary & _FUNCTIONS.keys()
            for found in _call_of(name).finditer(statement.lower)
            if not _names_relation(found)
        ]
        code = statement.code
        for (start, end), replacement in sorted(calls, reverse=True):
            code = f"{code[:start]}{replacement}({code[end:]}"
    if "date_" in code:
        code = _DATE_PART.sub(r"\1('\2',", code)
    return statement.with_code(code)


def _replace_call(call: re.Match[str]) -> str:
    """Returns the call of the function that replaces another one; a relation's name with its columns is no call."""
    replacement = _FUNCTIONS.get(call[2].lower())
    return call[0] if not replacement or _names_relation(call) else replacement + "("


def _names_relation(call: re.Match[str]) -> bool:
    return bool(_BEFORE_RELATION.search(call.string, max(0, call.start() - 20), call.start()))


@cache
def _call_of(name: str) -> re.Pattern[str]:
    """Returns the pattern of a call of one function in lowercase code. It begins with the name, which is quick."""
    return re.compile(rf"{name}(?<![\w.]{name})\s*\((?!{_COLUMN_NAMES})")


def replace_words(statement: Statement) -> Statement:
    """Returns a statement with the stand-in's catalogue, PostgreSQL's types, and temporary tables without `#`."""
    code = statement.code
    for words, pattern, replacement in _RULES:
        if statement.has(*words):
            code = pattern.sub(replacement, code)
    if not statement.vocabulary.isdisjoint(_CATALOGUES):
        code = _UNQUALIFIED.sub(_in_catalogue, _QUALIFIED.sub(_in_catalogue, code))
    if statement.has("pg_get_cols", "pg_get_late_binding_view_cols"):
        code = _COLUMNS.sub(lambda found: _NAME_TYPE.sub(r"\1varchar", found[0]), code)
    if "#" in code:
        code = _TEMPORARY[1].sub(r'\1"#\2"', _TEMPORARY[0].sub("create temp table ", code))
    return statement.with_code(code)


def _in_catalogue(found: re.Match[str]) -> str:
    return f"rs_catalog.{found[1]}" if found[1].lower() in _CATALOGUES else found[0]
