-- Aggregate functions.
-- avg of integers is a truncated bigint.
create function rs.avg_step(state numeric[], value bigint) returns numeric[] language sql immutable as $$
    select case when value is null then state else array[state[1] + value, state[2] + 1] end
$$;
create function rs.avg_step(numeric[], smallint) returns numeric[] language sql immutable as $$
    select rs.avg_step($1, $2::bigint)
$$;
create function rs.avg_step(numeric[], integer) returns numeric[] language sql immutable as $$
    select rs.avg_step($1, $2::bigint)
$$;
create function rs.avg_end(state numeric[]) returns bigint language sql immutable as $$
    select case when state[2] > 0 then trunc(state[1] / state[2]) end::bigint
$$;
create aggregate rs.avg(smallint) (sfunc = rs.avg_step, stype = numeric[], finalfunc = rs.avg_end, initcond = '{0,0}');
create aggregate rs.avg(integer) (sfunc = rs.avg_step, stype = numeric[], finalfunc = rs.avg_end, initcond = '{0,0}');
create aggregate rs.avg(bigint) (sfunc = rs.avg_step, stype = numeric[], finalfunc = rs.avg_end, initcond = '{0,0}');
create aggregate rs.avg(numeric) (
    sfunc = numeric_avg_accum, stype = internal, finalfunc = numeric_avg, sspace = 128
);
create aggregate rs.avg(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_avg, initcond = '{0,0,0}');
