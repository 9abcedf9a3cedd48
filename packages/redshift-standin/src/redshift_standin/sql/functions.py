"""Functions that PostgreSQL has under the same name with another result: calls go to those of `catalog/functions/`.

What PostgreSQL lacks altogether is in its `pg_catalog`, and needs no change of the call.
"""

# A line for each name, sorted within its topic. A column without an alias is named after the function that is called:
# `rs.date_add` gives the name that Redshift gives.
DATES = {
    "date_add": "rs.date_add",
    "date_diff": "rs.date_diff",
    "date_part": "rs.date_part",
    "date_trunc": "rs.date_trunc",
    "dateadd": "rs.date_add",
    "datediff": "rs.date_diff",
    "getdate": "rs.getdate",
}
TEXTS = {
    "concat": "rs.concat",
    "regexp_replace": "rs.regexp_replace",
}
SUPER = {
    "json_serialize": "rs.json_serialize",
}
AGGREGATES = {
    "avg": "rs.avg",
    "listagg": "rs_listagg",  # rewritten as a tree
}
OTHERS = {
    "nvl": "coalesce",
    "set_config": "rs.set_config",
}

REPLACED = DATES | TEXTS | SUPER | AGGREGATES | OTHERS
