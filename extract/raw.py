"""What a raw table holds now: SQL that is the same on every engine."""

from dataclasses import dataclass

from extract.reading import Table, dead_letter_table
from extract.targets import Warehouse


@dataclass(frozen=True)
class RawTable:
    """A raw table and the one of its dead letters, if there is any yet.

    Only completed loads count: rows of a load that was stopped midway are not there for anybody.
    """

    table: Table
    has_dead_letters: bool = False
    key_type: str = "bigint"  # a dead letter has its key as text

    @property
    def dataset(self) -> str:
        """The schema."""
        return f"raw_{self.table.source}"

    @property
    def relation(self) -> str:
        """The table's name in SQL."""
        return f"{self.dataset}.{self.table.name}"

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
        key = self.table.key
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
        counts = [f"(select count(*) from {self.relation} where {self.table.key} is null and {self._in_last_load})"]
        if self.has_dead_letters:
            counts.append(f"(select count(*) from {self.dead_letters} where key is null and {self._in_last_load})")
        return f"select {' + '.join(counts)}"

    @property
    def keys_of_bronze(self) -> str:
        """A query of the keys of the rows that bronze takes: the column `key`."""
        key = self.table.key
        if self.table.mode == "files":
            # The newest file is the current state; one that was put again replaces its earlier content.
            return (
                f"select distinct {key} as key from {self.relation} as newest"
                f" where _file_date = (select max(_file_date) from {self.relation}) and _dlt_load_id = (select"
                f" max(_dlt_load_id) from {self.relation} as same where same._file_path = newest._file_path)"
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
            return (
                f"select count(*) from {self.relation} as files where _dlt_load_id = (select max(_dlt_load_id)"
                f" from {self.relation} as same where same._file_path = files._file_path)"
            )
        if self.table.replaces:
            counts = [f"(select count(*) from {self.relation})"]
            if self.has_dead_letters:
                counts.append(f"(select count(*) from {self.dead_letters} where {self._in_last_load})")
            return f"select {' + '.join(counts)}"
        return f"select (select count(*) from ({self.current_keys}) as keys) + ({self.rows_without_key})"

    @property
    def _in_last_load(self) -> str:
        return f"_dlt_load_id = ({self.last_load})"


def raw_table(table: Table, warehouse: Warehouse) -> RawTable:
    """Returns the raw table as the warehouse has it."""
    kinds = warehouse.query(
        "select table_name, column_name, data_type from information_schema.columns"
        f" where table_schema = 'raw_{table.source}' and (table_name, column_name) in"
        f" (('{table.name}', '{table.key}'), ('{dead_letter_table(table.name)}', 'key'))"
    )
    key_types = {name: kind for name, _, kind in kinds}
    return RawTable(table, dead_letter_table(table.name) in key_types, key_types.get(table.name, "bigint"))
