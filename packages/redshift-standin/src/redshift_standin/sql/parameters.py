"""Redshift's parameters that PostgreSQL lacks: SET, RESET, ALTER USER … SET and SHOW.

https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html. PostgreSQL keeps their values under the
prefix `rs.`; parameters.sql has their defaults. A value that would change results is refused.
"""

import re

from redshift_standin.errors import not_implemented
from redshift_standin.sql.text import MARK, change_code, without_comments

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
_OURS = rf"(?P<name>{'|'.join(sorted(PARAMETERS))}|enable_\w+|mv_enable_\w+|spectrum_\w+)\b"
_CHANGE = re.compile(
    rf"(?P<before>\s*(?:{MARK}\s*)*(?:set|reset|alter\s+user\s+(?:{MARK}|\w+)\s+(?:set|reset))\s+(?:(?:session|local)\s+)?)"
    rf"{_OURS}(?P<value>.*)",
    _FLAGS,
)
_SHOW = re.compile(rf"show (?:{_OURS}|(?P<other>search_path|server_version|all))$")
_NOT_SHOWN = re.compile(
    r"show (?P<what>table|view|external table|databases|datashares|model|procedures?|functions|constraints|parameters"
    r"|policies|column grants)\b"
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


def rewrite_parameters(sql: str, text: str) -> str | None:
    """Returns SET, RESET and ALTER USER … SET as PostgreSQL runs them, None for others. `text` is the code alone.

    Raises:
        RedshiftError: `stand-in: …` for a value that would change results.
    """
    if not text.startswith(("set ", "reset ", "alter user ")):
        return None
    if re.match(r"set (session |local )?seed\b", text):
        raise not_implemented("SET SEED: the numbers that RANDOM returns")
    # PostgreSQL reads an offset as POSIX does, with the opposite sign.
    if _TIME_ZONE.match(text) and (found := _ISO_OFFSET.search(sql)):
        offset = found["text"] or found["number"]
        interval = f"interval '{offset if ':' in offset else offset + ':00'}' hour to minute"
        return f"{sql[: found.start()]}{found[1]}time zone {interval}{sql[found.end() :]}"
    changed = False

    def change(masked: str) -> str:
        nonlocal changed
        masked, changed = _OFFSET.sub(r"\1time zone ", masked), bool(_OFFSET.search(masked))
        if found := _CHANGE.fullmatch(masked):
            changed = True
            # The value is checked in the statement itself: here strings are marks.
            return f"{found['before']}rs.{found['name'].lower()}{found['value']}"
        return masked

    rewritten = change_code(sql, change)
    if not changed:
        return None
    _check_switch(rewritten)
    return rewritten


def _check_switch(sql: str) -> None:
    found = re.search(r"\brs\.(\w+)\s*(?:=|\bto\b)\s*([^\s;].*?)[\s;]*\Z", without_comments(sql), _FLAGS)
    default = _SWITCHES.get(found[1]) if found else None
    value = found[2].strip("'\"").lower() if found else ""
    if found and default is not None and value != "default" and _ON.get(value) is not default:
        raise not_implemented(f"{found[1]} set to {value}")


def rewrite_show_parameter(text: str) -> str | None:
    """Returns SHOW of a parameter as a query, None for one that PostgreSQL shows. `text` is the code alone.

    Raises:
        RedshiftError: `stand-in: …` for SHOW of a definition.
    """
    if found := _NOT_SHOWN.match(text):
        raise not_implemented(f"SHOW {found['what'].upper()}")
    found = _SHOW.match(text)
    if not found:
        return None
    name = found["name"] or found["other"]
    if name == "all":
        return "select name, setting from rs.parameters_shown"
    return f"select rs.current_setting('{name}') as \"{name}\""
