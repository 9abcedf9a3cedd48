"""What PostgreSQL has and Redshift lacks: the stand-in refuses it, and a check of the models finds it.

Sources: "Unsupported PostgreSQL features", "Unsupported PostgreSQL data types", "Unsupported PostgreSQL functions",
"Leader node-only functions" and "Data types" in Amazon Redshift's Database Developer Guide.
"""

ARRAYS = "Redshift has no arrays, only SUPER"
FILES = "not supported: a server's files are not a client's"
LEADER = "runs on the leader node only: it cannot be joined with tables"

# Functions that no statement on tables may call, with the reason or the replacement.
FUNCTIONS = {
    "array_agg": ARRAYS,
    "array_append": ARRAYS,
    "array_length": ARRAYS,
    "array_to_string": ARRAYS,
    "bit_length": "not supported: use octet_length",
    "clock_timestamp": "not supported: use getdate()",
    "corr": "not supported",
    "covar_pop": "not supported",
    "covar_samp": "not supported",
    "div": "not supported: use trunc(a / b)",
    "encode": "not supported as a function: in Redshift ENCODE is an attribute of a column",
    "every": "not supported: use bool_and",
    "format": "not supported",
    "gen_random_uuid": "Redshift has no uuid",
    "generate_subscripts": ARRAYS,
    "json_agg": "not supported",
    "json_build_object": "not supported: use object()",
    "jsonb_agg": "not supported",
    "jsonb_build_object": "not supported: use object()",
    "justify_days": "not supported",
    "justify_hours": "not supported",
    "make_date": "not supported: cast a text to date",
    "make_timestamp": "not supported: cast a text to timestamp",
    "overlay": "not supported",
    "regexp_match": "not supported: use regexp_substr",
    "regexp_matches": "not supported: use ~",
    "regexp_split_to_array": ARRAYS,
    "regexp_split_to_table": "not supported",
    "row": "row constructors are not supported",
    "row_to_json": "not supported",
    "string_agg": "not supported: use listagg",
    "string_to_array": ARRAYS,
    "string_to_table": "not supported: use split_part",
    "to_json": "not supported: use json_serialize",
    "to_jsonb": "not supported: use json_parse",
    "uuid_generate_v4": "Redshift has no uuid",
    "width_bucket": "not supported",
    "xmlagg": "not supported",
}
LEADER_FUNCTIONS = {"age": LEADER, "generate_series": LEADER, "isfinite": LEADER}
SERVERS_FILES = dict.fromkeys(
    ("dblink", "lo_export", "lo_import", "pg_ls_dir", "pg_read_binary_file", "pg_read_file", "pg_stat_file"), FILES
)

# Forms: words of which a statement must have one, a pattern in its `words`, and why it is refused.
NEEDED_FORMS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("filter",), r"\bfilter \( where\b",
     "FILTER is not supported: use case inside the aggregate"),
    (("distinct",), r"\bdistinct on \(",
     "SELECT DISTINCT ON is not supported: use qualify row_number()"),
    (("lateral",), r"\blateral\b",
     "LATERAL is not supported"),
    (("array", "]"), r'\barray \[|\barray \( (select|with)\b|[\w\"] \[ \]',
     ARRAYS),
    (("is",), r"\bis (not )?distinct from\b",
     "IS DISTINCT FROM is not supported: compare, and handle null explicitly"),
    (("window",), r'\bwindow [\w\"]+ as \(',
     "the WINDOW clause is not supported: repeat the window in each OVER"),
    (("between",), r"\b(range|groups) between\b",
     "only ROWS BETWEEN is supported: RANGE and GROUPS with bounds are not"),
    (("tablesample",), r"\btablesample\b",
     "sampling is not supported"),
    (("values",), r"\b(from|join) \( values\b",
     "VALUES is supported in INSERT only: use select … union all"),
    (("fetch",), r"^(?!fetch\b).*\bfetch (first|next)\b",
     "FETCH is not supported: use limit"),
    (("ordinality",), r"\bwith ordinality\b",
     "WITH ORDINALITY is not supported"),
    (("extract", "date_part", "date_trunc"), r"\b(extract|date_part|date_trunc) \( (isodow|isoyear)\b",
     "not a date part of Redshift"),
    (("update", "share"), r"\bfor (no key )?update\b|\bfor (key )?share\b",
     "locking rows is not supported"),
    (("insert", "update", "delete", "merge"), r"\bas \( (insert|update|delete|merge)\b",
     "a CTE can only read: it cannot write"),
    (("partition", "inherits"), r"^create (?>.*?\btable\b).*\) (partition by|inherits)\b",
     "partitions are not supported"),
    (("partition",), r"^create .*\bpartition of\b",
     "partitions are not supported"),
    (("check", "exclude"), r"^create (?>.*?\btable\b).*\b(check \(|exclude using\b)",
     "CHECK and EXCLUDE are not supported"),
    (("generated",), r"^create (?>.*?\btable\b).*\bgenerated always as \(",
     "generated columns are not supported"),
    (("collate",), r"^create (?>.*?\btable\b).*\bcollate (case_insensitive|ci)\b",
     "stand-in: COLLATE CASE_INSENSITIVE is not here"),
    (("row",), r"^alter table .*\brow level security\b",
     "stand-in: row-level security is not here"),
    (("add",), r"^alter table (?>.*?\badd\b).*, (add|drop|alter) ",
     "ALTER TABLE takes one action at a time"),
    (("alter",), r"^alter table .*\balter (column )?\S+ (set|drop) ",
     "ALTER COLUMN can only change a type or an encoding"),
)  # fmt: skip
FORMS = {form: why for _, form, why in NEEDED_FORMS}

# The types of columns and casts, in one word.
TYPES = {
    "smallint", "int2", "integer", "int", "int4", "bigint", "int8", "decimal", "dec", "numeric", "real", "float4",
    "float8", "float", "double", "boolean", "bool", "char", "character", "nchar", "bpchar", "varchar", "nvarchar",
    "text", "national", "date", "time", "timetz", "timestamp", "datetime", "timestamptz", "interval", "geometry",
    "geography", "intervaly2m", "intervald2s", "hllsketch", "super", "varbyte", "varbinary", "binary",
}  # fmt: skip
