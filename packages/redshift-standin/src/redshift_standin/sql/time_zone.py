"""SET TIMEZONE with an offset: in Redshift east of Greenwich is positive, in PostgreSQL's setting west is.

https://docs.aws.amazon.com/redshift/latest/dg/r_timezone_config.html
"""

import re

_OFFSET = re.compile(
    r"\s*set\s+(?P<scope>(?:session\s+|local\s+)?)(?:timezone\s*(?:to|=)|time\s+zone)\s*"
    r"(?:'(?P<offset>[+-]?\d{1,2}(?::\d{2})?)'|(?P<number>[+-]?\d+))\s*\Z",
    re.IGNORECASE,
)
_INTERVAL = re.compile(
    r"(\s*set\s+(?:session\s+|local\s+)?)time(?:zone\s*(?:to|=)?|\s+zone)\s*(?=interval\b)", re.IGNORECASE
)


def rewrite_time_zone(sql: str) -> str:
    """Returns a SET of the session's time zone in the form in which PostgreSQL takes offsets as ISO 8601 does."""
    if found := _OFFSET.match(sql):
        hours = found["offset"] or found["number"]
        return f"set {found['scope']}time zone interval '{hours if ':' in hours else hours + ':00'}' hour to minute"
    return _INTERVAL.sub(r"\1time zone ", sql)
