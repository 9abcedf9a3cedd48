"""A source that changes while runs are killed, and what the warehouse must contain in the end."""

import math
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import extensions

from tests.python.helpers import ROOT

COLUMNS = "id_venda, id_funcionario, id_categoria, data_venda, venda"
RUN = ("run", "--source", "postgres")

# Each run is a process of its own, forked from one that has imported what takes seconds to import, so that the kills
# fall into the work.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["dlt", "dbt.cli.main", "dbt.adapters.duckdb", "extract.load.runner", "extract.checks.audit"]
)

# The last version of each key in the completed loads, without deleted keys.
LOADED = f"""
select {COLUMNS} from (
    select venda.*, row_number() over (partition by id_venda order by _dlt_load_id desc) as age
    from raw_postgres.venda
    where _dlt_load_id in (select load_id from raw_postgres._dlt_loads where schema_name = 'venda' and status = 0)
) as versions
where age = 1 and _deleted is null
order by id_venda
"""


@dataclass
class KilledRuns:
    """Runs of the loader that are killed at moments drawn from a seed; the source changes between them."""

    sales: extensions.connection
    environment: dict[str, str]
    query: Callable[[str], list[tuple[Any, ...]]]
    draw: random.Random
    words: Sequence[str] = RUN
    seconds: float = math.inf  # of a whole run, the fastest so far

    def change(self) -> None:
        """Adds, corrects and deletes sales; some deleted keys return."""
        keys = ", ".join(f"({self.draw.randrange(1, 400)})" for _ in range(40))
        deleted = ", ".join(f"{self.draw.randrange(1, 400)}" for _ in range(10))
        with self.sales, self.sales.cursor() as cursor:
            cursor.execute(
                f"with changed as (select distinct v.id from (values {keys}) v(id)), updated as ("
                "  update public.venda set venda = venda + 1 from changed where id_venda = id returning id_venda)"
                " insert into public.venda select id, 1, 1, '2024-01-01', 1 from changed"
                " where id not in (select id_venda from updated)"
            )
            cursor.execute(f"delete from public.venda where id_venda in ({deleted})")

    def run(self, after: float | None = None) -> int:
        """Runs the loader and returns its exit code; a run that takes more than `after` seconds is killed."""
        output = Path(self.environment["EXTRACT_WORK"]).with_name("output")
        process = PROCESSES.Process(target=run_program, args=(os.environ | self.environment, self.words, output))
        started = time.monotonic()
        process.start()
        process.join(after)
        if process.exitcode is None:
            process.kill()
            process.join()
            return -9
        assert process.exitcode == 0, output.read_text()
        self.seconds = min(self.seconds, time.monotonic() - started)
        return 0

    def kill(self) -> bool:
        """Starts a run and kills it at a random moment; returns False if it ended before."""
        return self.run(after=self.seconds * self.draw.uniform(0.1, 0.9)) != 0

    def in_source(self) -> list[tuple[Any, ...]]:
        """Returns the rows of the source."""
        with self.sales, self.sales.cursor() as cursor:
            cursor.execute(f"select {COLUMNS} from public.venda order by id_venda")
            return cursor.fetchall()

    def loaded(self) -> list[tuple[Any, ...]]:
        """Returns the rows that the completed loads contain."""
        return self.query(LOADED)

    def silver(self) -> list[tuple[Any, ...]]:
        """Returns the rows of silver; the source has no sales that silver rejects."""
        return self.query(f"select {COLUMNS} from silver.venda order by id_venda")


def run_program(environment: Mapping[str, str], words: Sequence[str], output: Path) -> None:
    """Runs the loader as the main function of a process, with this environment instead of the parent's."""
    from extract.__main__ import main

    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.exit(main(words))
