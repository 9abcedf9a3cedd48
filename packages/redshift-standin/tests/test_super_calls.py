"""Calls of functions whose arguments become SUPERs."""

import pytest

from redshift_standin.sql.super_calls import rewrite_calls


@pytest.mark.parametrize(
    ("call", "rewritten"),
    [
        ("select array()", "select rs.array()"),
        ("select ARRAY ( a, f(b, c) )", "select rs.array(array[rs.to_array(a), rs.to_array(f(b, c))])"),
        (
            "select object(\0001\0, array(1)), x",
            "select rs.object(array[rs.to_object(\0001\0), rs.to_object(rs.array(array[rs.to_array(1)]))]), x",
        ),
        ("select array_contains(a[0], 1)", "select rs.array_contains(rs.to_array(a[0]), rs.to_array(1))"),
        ("insert into object (a, b) values (1, 2)", "insert into object (a, b) values (1, 2)"),
        ("select s.array(1), my_array(2), array_concat(a, b)", "select s.array(1), my_array(2), array_concat(a, b)"),
        ("select array(1", "select array(1"),
    ],
)
def test_arguments_become_supers(call: str, rewritten: str) -> None:
    assert rewrite_calls(call) == rewritten
