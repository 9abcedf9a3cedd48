"""What a raw table holds now: SQL that is the same on every engine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from extract.reading import Table, dead_letter_table
from extract.sql import literal, loaded_name
from extract.warehouse.targets import Warehouse

BASE_LOADS = 200  # looked at: as many as there may be ranges of a first load


@dataclass(frozen=True)
class RawTable:
    """A raw table and the one of its dead letters, if there is any yet.

    Only completed loads count: rows of a load that was stopped midway are not there for anybody.
    """

    table: Table
    has_dead_letters: bool = False
    key_type: str = "bigint"  # a dead letter has its key as text
    base_loads: tuple[str, ...] = ()  # completed loads with most of the rows, no two of which have a key in common
    has_other_loads: bool = True  # whether a load beside those, or a deletion, tells of keys too

    @property
    def dataset(self) -> str:
        """The schema."""
        return self.table.dataset

    @property
    def relation(self) -> str:
        """The table's name in SQL."""
        return f"{self.dataset}.{self.table.name}"

    @property
    def key(self) -> str:
        """The key's name in SQL."""
        return loaded_name(self.table.key)

    @property
    def dead_letters(self) -> str:
        """The name in SQL of the table of its dead letters."""
        return f"{self.dataset}.{dead_letter_table(self.table.name)}"

    @property
    def completed_loads(self) -> str:
        """A query of the ids of its completed loads."""
        return f"select load_id from {self.dataset}._dlt_loads where schema_name = '{self.table.name}' and status = 0"

    @property
    def last_load(self) -> str:
        """A query of the id of its last completed load."""
        return self.completed_loads.replace("select load_id", "select max(load_id)")

    @property
    def current_keys(self) -> str:
        """A query of the keys that the source has, as far as the loads tell: `key`, each once.

        A key that was deleted and came back is there again; one whose row does not fit is there too.
        """
        key = self.key
        completed = f"{key} is not null and _dlt_load_id in ({self.completed_loads})"
        live = (
            f"select {key} as key, _dlt_load_id as load from {self.relation} where {completed} and _deleted is null"
        )
        if self.has_dead_letters:
            live += (
                f" union all select cast(key as {self.key_type}), _dlt_load_id from {self.dead_letters}"
                f" where key is not null and _dlt_load_id in ({self.completed_loads})"
            )
        # Deletions are few: only their keys are looked up among all others.
        deletions = (
            f"select {key} as key, max(_dlt_load_id) as load from {self.relation} where {completed} and _deleted"
            " group by 1"
        )
        return (
            f"select distinct key from ({live}) as live where key not in (select deletions.key"
            f" from ({deletions}) as deletions left join (select key, max(load) as load from ({live}) as live"
            f" where key in (select key from ({deletions}) as deletions) group by key) as versions"
            " on deletions.key = versions.key where versions.load is null or versions.load < deletions.load)"
        )

    @property
    def rows_without_key(self) -> str:
        """A query of the number of rows without a key in the last load, which holds all of them."""
        counts = [f"(select count(*) from {self.relation} where {self.key} is null and {self._in_last_load})"]
        if self.has_dead_letters:
            counts.append(f"(select count(*) from {self.dead_letters} where key is null and {self._in_last_load})")
        return f"select {' + '.join(counts)}"

    @property
    def keys_of_bronze(self) -> str:
        """A query of the keys of the rows that bronze takes: the column `key`."""
        key = self.key
        if self.table.mode == "files":
            # The newest file is the current state; one that was put again replaces its earlier content.
            newest = f"select max(_file_date) from {self.relation} where _dlt_load_id in ({self.completed_loads})"
            return (
                f"select distinct {key} as key from {self.relation} as files"
                f" where _file_date = ({newest}) and _dlt_load_id = ({self._last_of_file})"
            )
        if self.table.replaces:
            return f"select distinct {key} as key from {self.relation}"
        return self.current_keys

    @property
    def rows_of_bronze(self) -> str:
        """A query of the number of rows that bronze takes."""
        keys = f"(select count(*) from ({self.keys_of_bronze}) as keys)"
        return f"select {keys}" if self.table.replaces or self.table.mode == "files" else self.rows_of_source

    @property
    def rows_of_source(self) -> str:
        """A query of the number of rows that the source held at the last load, as far as the loads tell."""
        if self.table.mode == "files":
            return f"select count(*) from {self.relation} as files where _dlt_load_id = ({self._last_of_file})"
        if self.table.replaces:
            counts = [f"(select count(*) from {self.relation})"]
            if self.has_dead_letters:
                counts.append(f"(select count(*) from {self.dead_letters} where {self._in_last_load})")
            return f"select {' + '.join(counts)}"
        return f"select ({self.number_of_keys}) + ({self.rows_without_key})"

    @property
    def number_of_keys(self) -> str:
        """A query of the number of `current_keys`, where no load has a key twice.

        The base loads' rows are counted, which costs a scan; what the other loads, dead letters and deletions change
        about that is looked up by their keys, which are few. Distinct keys of all rows would cost a hash of all.
        """
        loads = ", ".join(map(literal, self.base_loads)) or "''"  # a load's id is never empty
        base = (
            f"select {self.key} as key, _dlt_load_id as load from {self.relation} where _dlt_load_id in ({loads})"
            f" and {self.key} is not null and _deleted is null"
        )
        if not (self.has_other_loads or self.has_dead_letters):
            return f"select count(*) from ({base}) as base"
        completed = f"{self.key} is not null and _dlt_load_id in ({self.completed_loads})"
        changes = (
            f"select {self.key} as key, case when _deleted is null then _dlt_load_id end as live,"
            f" case when _deleted then _dlt_load_id end as dead from {self.relation}"
            f" where {completed} and (_deleted or _dlt_load_id not in ({loads}))"
        )
        if self.has_dead_letters:
            changes += (
                f" union all select cast(key as {self.key_type}), _dlt_load_id, null from {self.dead_letters}"
                f" where key is not null and _dlt_load_id in ({self.completed_loads})"
            )
        changed = f"select key, max(live) as live, max(dead) as dead from ({changes}) as changes group by key"
        return (
            f"select (select count(*) from ({base}) as base) + (select coalesce(sum("
            "case when changed.dead is null or changed.live >= changed.dead or base.load >= changed.dead"
            " then 1 else 0 end - case when base.key is not null then 1 else 0 end), 0)"
            f" from ({changed}) as changed left join (select key, load from ({base}) as base"
            f" where key in (select key from ({changes}) as changes)) as base on changed.key = base.key)"
        )

    @property
    def waiting(self) -> str:
        """A query of the keys of dead letters whose row no later completed load has brought or deleted."""
        return (
            f"select distinct key from {self.dead_letters} as letters where key is not null"
            f" and _dlt_load_id in ({self.completed_loads}) and not exists (select 1 from {self.relation} as rows"
            f" where cast(rows.{self.key} as varchar) = letters.key and rows._dlt_load_id > letters._dlt_load_id"
            f" and rows._dlt_load_id in ({self.completed_loads}))"
        )

    @property
    def _last_of_file(self) -> str:
        return (
            f"select max(_dlt_load_id) from {self.relation} as same where same._file_path = files._file_path"
            f" and _dlt_load_id in ({self.completed_loads})"
        )

    @property
    def _in_last_load(self) -> str:
        return f"_dlt_load_id = ({self.last_load})"


def raw_table(table: Table, warehouse: Warehouse) -> RawTable:
    """Returns the raw table as the warehouse has it."""
    letters = dead_letter_table(table.name)
    raw = RawTable(table)
    key_types = dict(
        warehouse.query(
            f"select table_name, data_type from information_schema.columns where table_schema = '{raw.dataset}'"
            f" and (table_name = '{table.name}' and column_name = {literal(raw.key.strip(chr(34)))}"
            f" or table_name = '{letters}' and column_name = 'key')"
        )
    )
    if table.name in key_types and not (table.replaces or table.mode == "files"):
        loads = warehouse.query(
            f"select _dlt_load_id, count(live), count(*) - count(live), min(live), max(live) from ("
            f"select _dlt_load_id, case when _deleted is null then {raw.key} end as live"
            f" from {raw.relation} where {raw.key} is not null and _dlt_load_id in ({raw.completed_loads})) as told"
            f" group by 1 order by 2 desc, 1 limit {BASE_LOADS + 1}"
        )
        base = apart([(load_id, first, last) for load_id, live, _, first, last in loads[:BASE_LOADS] if live])
        has_others = len(loads) > len(base) or any(deleted for _, _, deleted, _, _ in loads)
        raw = replace(raw, base_loads=base, has_other_loads=has_others)
    return replace(raw, has_dead_letters=letters in key_types, key_type=key_types.get(table.name, "bigint"))


def apart(loads: Sequence[tuple[str, Any, Any]]) -> tuple[str, ...]:
    """Returns the ids of loads whose keys lie apart from those of all that are returned before them.

    `loads` are ids with the least and the greatest key. Only whole numbers have the same order everywhere: of loads
    with other keys the first is returned alone.
    """
    chosen: list[tuple[str, Any, Any]] = []
    for load_id, first, last in loads:
        if not chosen or (isinstance(first, int) and all(last < low or high < first for _, low, high in chosen)):
            chosen.append((load_id, first, last))
    return tuple(load_id for load_id, _, _ in chosen)
