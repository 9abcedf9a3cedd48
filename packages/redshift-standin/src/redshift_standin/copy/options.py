"""The words of COPY and UNLOAD: tokens, the options that both have in common, and the keys in their text."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redshift_standin.copy.s3 import S3
from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.signatures import AccessKey
from redshift_standin.sql.statement import Statement

_TOKEN = re.compile(
    r"""\s+ | --[^\n]* | /\*.*?(?:\*/|\Z) | (?P<text>'(?:[^'\\]++|''|\\.)*+') | (?P<unclosed>'.*+)
    | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<name>"(?:[^"]|"")*") | (?P<word>[\w.]+) | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)|''", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}
_SYNTAX = "42601"
_KNOWN_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/copy\Z")
_SECRETS = {
    "credentials", "access_key_id", "secret_access_key", "session_token", "master_symmetric_key", "password",
}  # fmt: skip
_TRANSFER = re.compile(r"(copy|unload)\b")
_MAY_HAVE_SECRETS = re.compile(
    r"(?>.*?\b(?:copy|unload|user)\b).*\b(?:credentials|access_key_id|session_token|symmetric_key|password)",
    re.IGNORECASE | re.DOTALL,
)


def transfers(statement: Statement) -> str:
    """Returns `copy` or `unload` for a statement that the stand-in runs itself, else an empty text."""
    word = _TRANSFER.match(statement.text)
    return word[1] if word else ""


def mask_keys(statement: str) -> str:
    """Returns a statement with asterisks in place of the keys of COPY and UNLOAD, and of passwords."""
    if not _MAY_HAVE_SECRETS.match(statement):
        return statement
    parts: list[str] = []
    secret = False
    for match in _TOKEN.finditer(statement):
        part = match[0]
        if match["unclosed"]:
            part = "'***'"
        if secret and (match["text"] or match["dollar"]) and not re.fullmatch(r"'aws_iam_role=[^;]*'", part):
            part = "'***'"
        parts.append(part)
        if match["word"]:
            secret = part.lower() in _SECRETS or (secret and part.lower() == "as")
        elif match["text"] or match["dollar"] or match["name"] or match["sign"]:
            secret = False
    return "".join(parts)


@dataclass(frozen=True)
class Token:
    """A word in lowercase, a quoted name or a string without its quotes, or a sign."""

    kind: str  # word, name, text, sign
    value: str
    raw: str


def literal_value(literal: str) -> str:
    r"""Returns the value of a string literal; `\N` and other unknown escapes stay as they are."""
    if literal.startswith("$"):
        tag = literal.index("$", 1) + 1
        return literal[tag:-tag]

    def unescape(found: re.Match[str]) -> str:
        escaped = found[1]
        if escaped is None:
            return "'"
        if escaped[0] in "01234567":
            return chr(int(escaped, 8))
        return _ESCAPES.get(escaped, found[0])

    return _ESCAPE.sub(unescape, literal[1:-1])


def tokens(statement: str) -> list[Token]:
    """Returns the tokens of a statement without white space, comments, and the semicolon at its end."""
    found = []
    for match in _TOKEN.finditer(statement):
        if match["text"] or match["dollar"]:
            found.append(Token("text", literal_value(match[0]), match[0]))
        elif match["name"]:
            found.append(Token("name", match[0][1:-1].replace('""', '"').lower(), match[0]))
        elif match["word"]:
            found.append(Token("word", match[0].lower(), match[0]))
        elif match["sign"] or match["unclosed"]:  # whose text may be a key
            found.append(Token("sign", match[0][0], match[0][0]))
    while found and found[-1].raw == ";":
        found.pop()
    return found


class Reader:
    """Reads tokens from left to right."""

    def __init__(self, statement: str) -> None:
        self._tokens = tokens(statement)
        self._place = 0
        self._seen: set[str] = set()

    def peek(self, offset: int = 0) -> Token:
        """Returns the next token, or an empty sign at the end."""
        place = self._place + offset
        return self._tokens[place] if place < len(self._tokens) else Token("sign", "", "")

    def next(self) -> Token:
        """Takes the next token."""
        token = self.peek()
        self._place += 1
        return token

    def take(self, *values: str) -> bool:
        """Takes words or signs if exactly these are next."""
        if all(
            self.peek(n).value == value and self.peek(n).kind in ("word", "sign") for n, value in enumerate(values)
        ):
            self._place += len(values)
            return True
        return False

    def expect(self, *values: str) -> None:
        """Takes words or signs.

        Raises:
            RedshiftError: something else is next.
        """
        if not self.take(*values):
            raise self.error()

    def once(self, option: str) -> None:
        """Notes an option.

        Raises:
            RedshiftError: it was there before.
        """
        if option in self._seen:
            raise RedshiftError(_SYNTAX, "conflicting or redundant options")
        self._seen.add(option)

    def text(self) -> str:
        """Takes a string, which AS may precede."""
        self.take("as")
        if self.peek().kind != "text":
            raise self.error()
        return self.next().value

    def number(self) -> str:
        """Takes a number, which AS may precede."""
        self.take("as")
        if not re.fullmatch(r"\d+(\.\d+)?", self.peek().value) or self.peek().kind != "word":
            raise self.error()
        return self.next().value

    def switch(self) -> bool:
        """Takes ON, TRUE, OFF, FALSE or nothing, which is ON."""
        if self.take("off") or self.take("false"):
            return False
        return self.take("on") or self.take("true") or True

    def names(self) -> tuple[str, ...]:
        """Takes names in parentheses."""
        self.expect("(")
        found = []
        while True:
            if self.peek().kind not in ("word", "name"):
                raise self.error()
            found.append(self.next().value)
            if self.take(")"):
                return tuple(found)
            self.expect(",")

    def error(self, token: Token | None = None) -> RedshiftError:
        """Returns the error for a token, without one for the next. A string is not shown: it may be a key."""
        token = token or self.peek()
        if not token.raw:
            return RedshiftError(_SYNTAX, "syntax error at end of input")
        shown = "''" if token.kind == "text" else token.raw
        return RedshiftError(_SYNTAX, f'syntax error at or near "{shown}"')


@dataclass(frozen=True)
class Authorization:
    """Who reads or writes in S3: a role, an empty text for the default role, or keys."""

    role: str = ""
    key: AccessKey | None = None
    token: str = ""
    region: str = ""

    def apply(self, s3: S3, roles: Collection[str]) -> S3:
        """Returns S3 with these keys, or with the server's own for a role.

        Raises:
            RedshiftError: the role may not be used.
        """
        for role in self.role.split(",") if self.role else ():
            if not (role in roles if roles else _KNOWN_ROLE.match(role)):
                raise RedshiftError("XX000", f"Not authorized to get credentials of role {role}")
        changed = replace(s3, region=self.region or s3.region)
        return replace(changed, key=self.key, token=self.token) if self.key else changed


class AuthorizationReader:
    """Collects the options of authorization, which may stand anywhere among the others."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._found: dict[str, str] = {}

    def take(self, word: str) -> bool:
        """Takes the value of an option whose word was just taken, if it is one of authorization."""
        reader = self._reader
        if word == "with" and reader.take("credentials"):
            word = "credentials"
        if word not in ("iam_role", "credentials", "access_key_id", "secret_access_key", "session_token", "region"):
            return False
        reader.once(word)
        if word == "iam_role" and (reader.take("default") or reader.take("as", "default")):
            self._found[word] = ""
        else:
            self._found[word] = reader.text()
        return True

    def finish(self) -> Authorization:
        """Returns what was found.

        Raises:
            RedshiftError: there is none, or more than one.
        """
        found = dict(self._found)
        region = found.pop("region", "")
        if not re.fullmatch(r"[a-z0-9-]*", region):
            raise RedshiftError("22023", f'Invalid region "{region}"')
        keys = {"access_key_id", "secret_access_key", "session_token"} & found.keys()
        if not found:
            raise RedshiftError("22023", "COPY/UNLOAD requires CREDENTIALS or IAM_ROLE")
        if len({"iam_role", "credentials"} & found.keys()) + bool(keys) > 1:
            raise RedshiftError(_SYNTAX, "conflicting or redundant options")
        if "iam_role" in found:
            return Authorization(role=found["iam_role"], region=region)
        if "credentials" in found:
            return replace(_parse_credentials(found["credentials"]), region=region)
        if not {"access_key_id", "secret_access_key"} <= keys:
            raise RedshiftError("22023", "ACCESS_KEY_ID and SECRET_ACCESS_KEY must be given together")
        key = AccessKey(found["access_key_id"], found["secret_access_key"])
        return Authorization(key=key, token=found.get("session_token", ""), region=region)


Option = Callable[[Reader, dict[str, Any]], None]


def flag(name: str, *, to: object = True) -> Option:
    """Returns an option without a value of its own."""

    def take(_: Reader, values: dict[str, Any]) -> None:
        values[name] = to

    return take


def read_options(
    reader: Reader, options: Mapping[str, Option], not_here: Mapping[str, str]
) -> tuple[dict[str, Any], set[str], AuthorizationReader]:
    """Returns the values of the options up to the end of a statement, their words, and the authorization.

    Raises:
        RedshiftError: an unknown or repeated option, or `stand-in: …` for one of `not_here`.
    """
    authorization = AuthorizationReader(reader)
    values: dict[str, Any] = {}
    given: set[str] = set()
    while reader.peek().raw:
        token = reader.next()
        word = token.value if token.kind == "word" else ""
        if word in ("format", "as"):
            continue
        if word in not_here:
            raise not_implemented(f"COPY with {not_here[word]}")
        if not authorization.take(word):
            if word not in options:
                raise reader.error(token)
            reader.once(word)
            options[word](reader, values)
        given.add(word)
    return values, given, authorization


def _parse_credentials(text: str) -> Authorization:
    """Returns what the string of CREDENTIALS says; its values are not shown in errors."""
    pairs = dict(part.partition("=")[::2] for part in text.split(";") if part)
    if "master_symmetric_key" in pairs:
        raise not_implemented("client-side encryption")
    if pairs.keys() == {"aws_iam_role"}:
        return Authorization(role=pairs["aws_iam_role"])
    token = pairs.pop("token", "") or pairs.pop("aws_session_token", "")
    if re.search(r"\s", text) or pairs.keys() != {"aws_access_key_id", "aws_secret_access_key"}:
        raise RedshiftError(
            "22023",
            "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...' or"
            " 'aws_access_key_id=...;aws_secret_access_key=...[;token=...]'",
        )
    return Authorization(key=AccessKey(pairs["aws_access_key_id"], pairs["aws_secret_access_key"]), token=token)


_URL = re.compile(r"s3://([^/]+)/(.*)", re.DOTALL)


def split_url(url: str) -> tuple[str, str]:
    """Returns the bucket and the key of an S3 URL.

    Raises:
        RedshiftError: it is of another source, or no URL.
    """
    if found := _URL.fullmatch(url):
        return found[1], found[2]
    for scheme, name in (("dynamodb:", "DynamoDB"), ("emr:", "EMR")):
        if url.startswith(scheme):
            raise not_implemented(f"COPY from {name}")
    raise RedshiftError("22023", "The S3 path must be of the form s3://bucket/prefix")


def single_character(option: str, value: str) -> str:
    """Returns the value of an option that is one ASCII character.

    Raises:
        RedshiftError: it is longer, or not ASCII.
    """
    if len(value) != 1 or not value.isascii():
        raise RedshiftError("22023", f"COPY {option} must be a single ASCII character")
    return value


def parse_widths(spec: str) -> tuple[int, ...]:
    """Returns the widths of FIXEDWIDTH's specification.

    Raises:
        RedshiftError: it is not of the form `label:width, …`.
    """
    found = [re.fullmatch(r"\s*\w+\s*:\s*([1-9]\d*)\s*", part) for part in spec.split(",")]
    if not all(found):
        raise RedshiftError("22023", "Invalid fixedwidth specification; expected 'label:width, label:width, ...'")
    return tuple(int(match[1]) for match in found if match)


def refuse_together(option: str, others: Sequence[str], given: Collection[str]) -> None:
    """Raises Redshift's error if an option and one of the others are given."""
    for other in others:
        if option in given and other in given:
            raise RedshiftError(_SYNTAX, f"{option.upper()} cannot be used with {other.upper()}")
