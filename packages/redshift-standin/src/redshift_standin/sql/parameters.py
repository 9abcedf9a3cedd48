"""Redshift's parameters that PostgreSQL lacks: SET, RESET and ALTER USER … SET.

https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html. PostgreSQL keeps their values under the
prefix `rs.`; parameters.sql has their defaults. A value that would change results is refused.
"""

import re

from redshift_standin.errors import not_implemented
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import NAME

_FLAGS = re.IGNORECASE | re.DOTALL

# Those that change how a statement runs, not its result.
_HARMLESS = {
    "analyze_threshold_percent", "datashare_break_glass_session_var", "default_geometry_encoding",
    "enable_result_cache_for_session", "enable_spectrum_oid", "enable_vacuum_boost",
    "max_concurrency_scaling_clusters", "max_cursor_result_set_size", "mv_enable_aqmv_for_session",
    "pg_federation_repeatable_read", "query_group", "spectrum_enable_pseudo_columns", "spectrum_query_maxerror",
    "stored_proc_log_min_messages", "use_fips_ssl", "wlm_query_slot_count",
}  # fmt: skip
# Those that change results, and whether they are on by default.
_SWITCHES = {
    "cast_super_null_on_error": True,
    "describe_field_name_in_uppercase": False,
    "downcase_delimited_identifier": True,
    "enable_case_sensitive_identifier": False,
    "enable_case_sensitive_super_attribute": False,
    "error_on_nondeterministic_update": False,
    "json_serialization_enable": False,
    "json_serialization_parse_nested_strings": False,
    "navigate_super_null_on_error": True,
    "parse_super_null_on_error": False,
}
PARAMETERS = _HARMLESS | _SWITCHES.keys()
OURS = rf"(?P<name>{'|'.join(sorted(PARAMETERS))}|enable_\w+|mv_enable_\w+|spectrum_\w+)\b"
_CHANGE = re.compile(
    rf"(?P<before>\s*(?:set|reset|alter\s+user\s+{NAME}\s+(?:set|reset))\s+(?:(?:session|local)\s+)?)"
    rf"{OURS}(?P<value>.*)",
    _FLAGS,
)
# https://docs.aws.amazon.com/redshift/latest/dg/r_timezone_config.html
_OFFSET = re.compile(
    r"(\bset\s+(?:(?:session|local)\s+)?)time(?:zone\s*(?:=|\bto\b)?|\s+zone)\s*(?=interval\b)", _FLAGS
)
_ISO_OFFSET = re.compile(
    r"(\bset\s+(?:(?:session|local)\s+)?)(?:timezone\s*(?:=|\bto\b)|time\s+zone)\s*"
    r"(?:'(?P<text>[+-]?\d{1,2}(?::\d\d)?)'|(?P<number>[+-]?\d+)(?![\w.]))",
    _FLAGS,
)
_TIME_ZONE = re.compile(r"(?:set|alter user \w* ?set) (?:session |local )?time ?zone\b")
_ON = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


def set_parameter(statement: Statement) -> Statement | None:
    """Returns SET, RESET and ALTER USER … SET of such a parameter as PostgreSQL runs them, None for others.

    Raises:
        RedshiftError: `stand-in: …` for a value that would change results.
    """
    text = statement.text
    if not text.startswith(("set ", "reset ", "alter user ")):
        return None
    if re.match(r"set (session |local )?seed\b", text):
        raise not_implemented("SET SEED: the numbers that RANDOM returns")
    sql = statement.sql
    # PostgreSQL reads an offset as POSIX does, with the opposite sign.
    if _TIME_ZONE.match(text) and (found := _ISO_OFFSET.search(sql)):
        offset = found["text"] or found["number"]
        interval = f"interval '{offset if ':' in offset else offset + ':00'}' hour to minute"
        return statement.with_code(f"{sql[: found.start()]}{found[1]}time zone {interval}{sql[found.end() :]}")
    code, changes = _OFFSET.subn(r"\1time zone ", statement.code)
    if found := _CHANGE.fullmatch(code):
        code = f"{found['before']}rs.{found['name'].lower()}{found['value']}"
    elif not changes:
        return None
    statement = statement.with_code(code)
    _check_switch(statement.sql)
    return statement


def _check_switch(sql: str) -> None:
    found = re.search(r"\brs\.(\w+)\s*(?:=|\bto\b)\s*([^\s;].*?)[\s;]*\Z", sql, _FLAGS)
    default = _SWITCHES.get(found[1]) if found else None
    value = found[2].strip("'\"").lower() if found else ""
    if found and default is not None and value != "default" and _ON.get(value) is not default:
        raise not_implemented(f"{found[1]} set to {value}")
