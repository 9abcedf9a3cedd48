"""What a raw table contains now, as SQL that is the same on every engine.

Only completed loads count: rows of a load that was stopped midway do not exist for anybody. A load's id is a time, so
a later load has a greater id.
"""

from dataclasses import dataclass

from extract.declarations import DELETED, Table
from extract.reading import letter_key
from extract.sql import literal, quote
from extract.warehouse.targets import Warehouse

WHOLE_NUMBERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class RawTable:
    """A raw table, and whether it has dead letters; with `until`, as it was after that load."""

    table: Table
    has_dead_letters: bool = False
    key_types: tuple[str, ...] = ()  # of the key's columns, in the warehouse's names
    letters_have_types: bool = True  # False if all dead letters have their key as text alone, as they once did
    until: str | None = None

    @property
    def name(self) -> str:
        """The name for people."""
        return f"{self.table.dataset}.{self.table.name}"

    @property
    def relation(self) -> str:
        """The raw table in SQL."""
        return self.table.relation

    @property
    def dead_letters(self) -> str:
        """The table of dead letters in SQL."""
        return f"{self.table.dataset}.{quote(self.table.dead_letters)}"

    @property
    def key(self) -> str:
        """The columns of the key in SQL, with commas between."""
        return ", ".join(map(quote, self.table.key))

    @property
    def has_key(self) -> str:
        """The condition that no column of the key is null."""
        return f"({' and '.join(f'{quote(name)} is not null' for name in self.table.key) or '1 = 0'})"

    @property
    def has_whole_number_key(self) -> bool:
        """True if the key is one column of whole numbers."""
        return len(self.key_types) == 1 and self.key_types[0].lower() in WHOLE_NUMBERS

    @property
    def completed_loads(self) -> str:
        """A query of the ids of its completed loads."""
        until = f" and load_id <= {literal(self.until)}" if self.until else ""
        return (
            f"select load_id from {self.table.dataset}._dlt_loads"
            f" where schema_name = {literal(self.table.name)} and status = 0{until}"
        )

    @property
    def last_load(self) -> str:
        """A query of the id of its last completed load."""
        return self.completed_loads.replace("select load_id", "select max(load_id)", 1)

    @property
    def is_completed(self) -> str:
        """The condition that a row is of a completed load."""
        return f"_dlt_load_id in ({self.completed_loads})"

    @property
    def is_of_last_load(self) -> str:
        """The condition that a row is of the last completed load."""
        return f"_dlt_load_id = ({self.last_load})"

    @property
    def letter_keys(self) -> str:
        """A query of the key and the load of every dead letter, with the key's columns named as in the raw table."""
        columns = [f"{letter_key(n)} as {quote(name)}" for n, name in enumerate(self.table.key)]
        if self.has_whole_number_key:
            typed = f"{letter_key(0)}, " if self.letters_have_types else ""
            columns = [f"coalesce({typed}cast(key as {self.key_types[0]})) as {quote(self.table.key[0])}"]
        return f"select {', '.join([*columns, '_dlt_load_id'])} from {self.dead_letters}"

    @property
    def versions(self) -> str:
        """A query of every key in every completed load, and whether the load deletes it.

        The row of a dead letter exists at the source. Its load also deletes the key, which takes out the version that
        was loaded before.
        """
        query = (
            f"select {self.key}, _dlt_load_id, case when {DELETED} then 1 else 0 end as {DELETED}"
            f" from {self.relation} where {self.is_completed} and {self.has_key}"
        )
        if self.has_dead_letters:
            query += (
                f" union all select {self.key}, _dlt_load_id, 0 from ({self.letter_keys}) as letters"
                f" where {self.is_completed} and {self.has_key}"
            )
        return query

    @property
    def current_keys(self) -> str:
        """A query of the keys that the source has, as far as the loads show: each once.

        A key that was deleted and came back exists. So does one whose row is a dead letter.
        """
        return (
            f"select {self.key} from ({self.versions}) as versions group by {self.key}"
            f" having max(case when {DELETED} = 0 then _dlt_load_id end)"
            f" >= coalesce(max(case when {DELETED} = 1 then _dlt_load_id end), '')"
        )

    @property
    def rows_without_key(self) -> str:
        """A query of the number of rows without a key in the last load, which has all of them."""
        counts = [f"(select count(*) from {self.relation} where {self.is_of_last_load} and not {self.has_key})"]
        if self.has_dead_letters:
            letters = f"({self.letter_keys}) as letters"
            counts.append(f"(select count(*) from {letters} where {self.is_of_last_load} and not {self.has_key})")
        return f"select {' + '.join(counts)}"

    @property
    def keys_of_bronze(self) -> str:
        """A query of the keys of the rows that bronze takes; of a table without a key, one constant for each row."""
        if self.table.mode == "files":
            # The newest date is the current state, and each load of a date has all files that it had then.
            newest = f"select max(_file_date) from {self.relation} where {self.is_completed}"
            rows = (
                f"from {self.relation} as files"
                f" where _file_date = ({newest}) and _dlt_load_id = ({self._last_load_of_date})"
            )
        elif self.table.replaces:
            rows = f"from {self.relation}"
        else:
            return self.current_keys
        return f"select distinct {self.key} {rows}" if self.table.key else f"select 1 as row_count {rows}"

    @property
    def rows_of_source(self) -> str:
        """A query of the number of rows that the source had at the last load, as far as the loads show."""
        if self.table.mode == "files":
            return f"select count(*) from {self.relation} as files where _dlt_load_id = ({self._last_load_of_date})"
        if self.table.replaces:
            counts = [f"(select count(*) from {self.relation})"]
            if self.has_dead_letters:
                counts.append(f"(select count(*) from {self.dead_letters} where {self.is_of_last_load})")
            return f"select {' + '.join(counts)}"
        if not self.table.counts_source:
            return self.rows_of_last_load
        return f"select (select count(*) from ({self.current_keys}) as keys) + ({self.rows_without_key})"

    @property
    def rows_of_last_load(self) -> str:
        """A query of the number of rows that the source gave for the last load."""
        given = f"where {self.is_of_last_load} and not coalesce({DELETED}, false)"
        counts = [f"(select count(*) from {self.relation} {given})"]
        if self.has_dead_letters:
            counts.append(f"(select count(*) from {self.dead_letters} where {self.is_of_last_load})")
        return f"select {' + '.join(counts)}"

    def waiting_letters(self, before: str = "") -> str:
        """Returns a query of the keys of dead letters whose row no later load has brought or deleted.

        With `before`, a load's id, of those whose last dead letter is of an earlier load.
        """
        key = [quote(name) for name in self.table.key]
        older = f" having max(_dlt_load_id) < {literal(before)}" if before else ""
        same_key = " and ".join(f"letters.{name} = versions.{name}" for name in key)
        return (
            f"select {', '.join(f'letters.{name}' for name in key)}"
            f" from (select {self.key}, max(_dlt_load_id) as _dlt_load_id from ({self.letter_keys}) as letters"
            f" where {self.is_completed} and {self.has_key} group by {self.key}{older}) as letters"
            f" left join (select {self.key}, _dlt_load_id from {self.relation} where {self.is_completed}) as versions"
            f" on {same_key} and versions._dlt_load_id > letters._dlt_load_id where versions._dlt_load_id is null"
        )

    @property
    def _last_load_of_date(self) -> str:
        return (
            f"select max(_dlt_load_id) from {self.relation} as same where same._file_date = files._file_date"
            f" and {self.is_completed}"
        )


def read_raw_table(table: Table, warehouse: Warehouse) -> RawTable:
    """Returns the raw table as the warehouse has it."""
    rows = warehouse.query(
        "select table_name, column_name, data_type from information_schema.columns"
        f" where table_schema = {literal(table.dataset)}"
        f" and table_name in ({literal(table.name)}, {literal(table.dead_letters)})"
    )
    types = {(relation, column): data_type for relation, column, data_type in rows}
    return RawTable(
        table,
        has_dead_letters=(table.dead_letters, "key") in types,
        key_types=tuple(types[table.name, name] for name in table.key if (table.name, name) in types),
        letters_have_types=(table.dead_letters, letter_key(0)) in types,
    )
