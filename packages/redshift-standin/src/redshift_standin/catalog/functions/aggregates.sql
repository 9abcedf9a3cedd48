-- Aggregate functions.
create function median_of(float8[]) returns float8 language sql immutable as $$
    select percentile_cont(0.5) within group (order by x) from unnest($1) x
$$;
create aggregate median(float8) (sfunc = array_append, stype = float8[], finalfunc = median_of, initcond = '{}');
create aggregate rs.listagg(text, text) (
    sfunc = string_agg_transfn, stype = internal, finalfunc = string_agg_finalfn
);
create function rs.listagg_step(text, anynonarray, text) returns text language sql immutable as $$
    select case when $2 is null then $1 else coalesce($1 || coalesce($3, ''), '') || $2::text end
$$;
create aggregate rs.listagg(anynonarray, text) (sfunc = rs.listagg_step, stype = text);
create aggregate rs.avg(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_avg, initcond = '{0,0,0}');
