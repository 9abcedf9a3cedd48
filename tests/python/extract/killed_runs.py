"""A source that changes under runs that are killed, and what the warehouse must say in the end."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import extensions

ROOT = Path(__file__).parents[3]
COLUMNS = "id_venda, id_funcionario, id_categoria, data_venda, venda"
COMMAND = (sys.executable, "-m", "extract", "run", "--source", "postgres")

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
        process = subprocess.Popen(
            COMMAND, cwd=ROOT, env=os.environ | self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            output, _ = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return -9
        assert process.returncode == 0, output.decode()
        return process.returncode

    def truth(self) -> list[tuple[Any, ...]]:
        """The rows of the source."""
        with self.sales, self.sales.cursor() as cursor:
            cursor.execute(f"select {COLUMNS} from public.venda order by id_venda")
            return cursor.fetchall()

    def told(self) -> list[tuple[Any, ...]]:
        """The rows that the loads tell of."""
        return self.query(TOLD)
