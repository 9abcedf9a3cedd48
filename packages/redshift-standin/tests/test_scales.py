"""Divisions and averages of decimals have Redshift's scale."""

from collections.abc import Callable

import psycopg2
import pytest
import redshift_connector

from stand_in import StandIn

PRICES = """create table prices (price decimal(8,2), quantity smallint, total decimal(8,2), id bigint, rate float);
    insert into prices values (276, 3, 41.40, 7, 2.5), (100, 7, 15, 8, 1)"""


@pytest.fixture
def prices(stand_in: StandIn) -> StandIn:
    stand_in.execute(PRICES)
    return stand_in


def results(stand_in: StandIn, sql: str) -> list[str]:
    return [str(value) for (value,) in stand_in.execute(sql)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("price / quantity", "14.28571428"),  # (8,2) / (5,0): scale 8
        ("price / total", "6.666666666"),  # (8,2) / (8,2): scale 9, truncated
        ("sum(price) / 7", "14.2857"),  # (38,2) / (10,0): 49 digits become 38
        ("sum(price) / count(*)", "100.0000"),
        ("avg(price) / 3 + max(price) / quantity", "47.61901428"),  # scales 4 and 8: 33.3333 and 14.28571428
        ("price / nullif(quantity, 0)", "14.28571428"),
        ("coalesce(price, 0) / quantity", "14.28571428"),
        ("price * 2 / quantity", "28.57142857"),
        ("case when id > 0 then price else 0 end / quantity", "14.28571428"),
        ("count(*) / 100.0", "0.0100"),
        ("cast(quantity as decimal(3,1)) / 3", "2.333333333333"),
        ("quantity / 3", "2"),
        ("price / rate", "100.0"),
        ("price / (select count(*) from prices)", "50.0000000000000000000000"),
        ("(select max(other.price) / prices.quantity from prices as other)", "39.42857142"),
    ],
)
def test_scale_of_a_division(value: str, expected: str, prices: StandIn) -> None:
    grouped = "group by price, total, quantity, id, rate"
    assert results(prices, f"select {value} from prices where quantity = 7 {grouped}") == [expected]


def test_precision_is_known_after_a_subquery_and_in_a_table(prices: StandIn) -> None:
    nested = "select part / 2 from (select price / quantity as part from prices where quantity = 7) as parts"
    assert results(prices, nested) == ["7.1428571400000000000"]
    prices.execute("create table parts as select price / quantity as part from prices")
    kind = "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 't.parts'::regclass"
    assert results(prices, f"{kind} and attnum = 1") == ["numeric(14,8)"]


def test_a_division_in_a_change_of_a_table(prices: StandIn) -> None:
    prices.execute("create table shares (id bigint, share decimal(38,20)); insert into shares values (7, 0), (8, 0)")
    prices.execute("update shares set share = p.price / p.quantity from prices as p where p.id = shares.id")
    assert results(prices, "select share from shares order by id") == ["92." + "0" * 20, "14.28571428" + "0" * 12]
    prices.execute(
        "merge into shares using prices as p on shares.id = p.id"
        " when matched then update set share = p.price / p.total when not matched then insert values (p.id, 0)"
    )
    assert results(prices, "select share from shares where id = 8") == ["6.666666666" + "0" * 11]
    prices.execute(
        "delete from shares using prices as p where p.id = shares.id and p.price / p.quantity = 14.28571428"
    )
    assert results(prices, "select id from shares") == ["7"]


def test_columns_keep_their_names(prices: StandIn) -> None:
    with prices.connection.cursor() as cursor:
        cursor.execute(
            'select price / quantity, price / total as "part", max(price / total) from prices group by 1, 2'
        )
        assert [column.name for column in cursor.description or ()] == ["?column?", "part", "max"]


def test_a_transaction_goes_on_after_the_types_were_asked_for(prices: StandIn) -> None:
    prices.execute("begin")
    prices.execute("insert into prices (price, quantity) values (10, 4)")
    assert results(prices, "select price / quantity from prices where quantity = 4") == ["2.50000000"]
    prices.execute("commit")
    assert results(prices, "select count(*) from prices") == ["3"]


def test_an_average_has_the_scale_of_its_argument(prices: StandIn) -> None:
    prices.execute("insert into prices (price) values (0.01)")
    assert results(prices, "select avg(price) from prices") == ["125.33"]  # 125.3366…
    assert results(prices, "select avg(price) over () from prices limit 1") == ["125.33"]
    assert results(prices, "select avg(price) from prices where false") == ["None"]


@pytest.mark.usefixtures("prices")
def test_a_parameter_has_no_precision(connect_like_dbt: Callable[..., redshift_connector.Connection]) -> None:
    cursor = connect_like_dbt().cursor()
    with pytest.raises(
        redshift_connector.ProgrammingError, match="stand-in: a division of a decimal and a parameter"
    ):
        cursor.execute("select price / %s from t.prices", (3,))


def test_errors_are_those_of_the_statement(prices: StandIn) -> None:
    with pytest.raises(psycopg2.errors.UndefinedColumn, match="missing"):
        prices.execute("select missing / 2 from prices")
    with pytest.raises(psycopg2.errors.DivisionByZero):
        prices.execute("select price / 0 from prices")
