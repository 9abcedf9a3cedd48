"""Functions that PostgreSQL has under the same name with another result: calls go to those of `catalog/functions/`.

What PostgreSQL lacks altogether is in its `pg_catalog`, and needs no change of the call.
"""

# A line for each name, sorted within its topic. A column without an alias is named after the function that is called:
# `rs.date_add` gives the name that Redshift gives.
DATES = {
    "date_add": "rs.date_add",
    "date_diff": "rs.date_diff",
    "date_part": "rs.pgdate_part",
    "date_trunc": "rs.date_trunc",
    "dateadd": "rs.date_add",
    "datediff": "rs.date_diff",
    "getdate": "rs.getdate",
    "pgdate_part": "rs.pgdate_part",
    "to_char": "rs.to_char",
    "to_date": "rs.to_date",
    "to_timestamp": "rs.to_timestamp",
}
TEXTS = {
    "bpcharcmp": "rs.bpcharcmp",
    "bttext_pattern_cmp": "rs.bttext_pattern_cmp",
    "chr": "rs.chr",
    "concat": "rs.concat",
    "crc32": "rs.crc32",
    "octet_length": "rs.octet_length",
    "regexp_count": "rs.regexp_count",
    "regexp_instr": "rs.regexp_instr",
    "regexp_replace": "rs.regexp_replace",
    "regexp_substr": "rs.regexp_substr",
    "split_part": "rs.split_part",
}
NUMBERS = {
    "exp": "rs.exp",
    "ln": "rs.ln",
    "log": "rs.dlog10",
    "power": "rs.power",
    "sqrt": "rs.sqrt",
}
SUPER = {
    "json_serialize": "rs.json_serialize",
    "unnest": "rs.unnested",
}
AGGREGATES = {
    "avg": "rs.avg",
    "stddev": "rs.stddev",
    "stddev_pop": "rs.stddev_pop",
    "stddev_samp": "rs.stddev_samp",
    "var_pop": "rs.var_pop",
    "var_samp": "rs.var_samp",
    "variance": "rs.variance",
}
OTHERS = {
    "current_setting": "rs.current_setting",
    "grouping_id": "grouping",
    "nvl": "coalesce",
    "set_config": "rs.set_config",
}

REPLACED = DATES | TEXTS | NUMBERS | SUPER | AGGREGATES | OTHERS
