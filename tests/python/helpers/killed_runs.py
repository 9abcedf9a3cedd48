"""A source that changes under runs that are killed, and what the warehouse must say in the end."""

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

# Each run is a process of its own, forked from one that has imported what takes seconds to import: so the moments of
# the kills fall into the work.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["dlt", "dbt.cli.main", "dbt.adapters.duckdb", "extract.load.runner", "extract.checks.audit"]
)

# What the loads tell of each key in the end: its last version, if that is no deletion.
TOLD = f"""
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
    """Runs of the loader that are killed at moments drawn from a seed, while the source changes between them."""

    sales: extensions.connection
    environment: dict[str, str]
    query: Callable[[str], list[tuple[Any, ...]]]
    draw: random.Random
    words: Sequence[str] = RUN
    seconds: float = math.inf  # that a whole run takes

    def change(self) -> None:
        """Adds sales, corrects and deletes some; some keys come back."""
        keys = ", ".join(f"({self.draw.randrange(1, 400)})" for _ in range(40))
        gone = ", ".join(f"{self.draw.randrange(1, 400)}" for _ in range(10))
        with self.sales, self.sales.cursor() as cursor:
            cursor.execute(
                f"with changed as (select distinct v.id from (values {keys}) v(id)), updated as ("
                "  update public.venda set venda = venda + 1 from changed where id_venda = id returning id_venda)"
                " insert into public.venda select id, 1, 1, '2024-01-01', 1 from changed"
                " where id not in (select id_venda from updated)"
            )
            cursor.execute(f"delete from public.venda where id_venda in ({gone})")

    def run(self, after: float | None = None) -> int:
        """Runs the loader, killed after so many seconds if it still runs then; returns its exit code."""
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
        """Starts a run and kills it at some moment of its work; returns False where it was faster."""
        return self.run(after=self.seconds * self.draw.uniform(0.1, 0.9)) != 0

    def truth(self) -> list[tuple[Any, ...]]:
        """The rows of the source."""
        with self.sales, self.sales.cursor() as cursor:
            cursor.execute(f"select {COLUMNS} from public.venda order by id_venda")
            return cursor.fetchall()

    def told(self) -> list[tuple[Any, ...]]:
        """The rows that the loads tell of."""
        return self.query(TOLD)

    def silver(self) -> list[tuple[Any, ...]]:
        """The rows of silver; the source has none that it rejects."""
        return self.query(f"select {COLUMNS} from silver.venda order by id_venda")


def run_program(environment: Mapping[str, str], words: Sequence[str], output: Path) -> None:
    """Is the process of one run, with nothing of its parent's but the environment that it is given."""
    from extract.__main__ import main

    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.exit(main(words))
