-- What windows.py writes for aggregate and window functions. Each function takes the result of an aggregate, so that its
-- name is that of the column and the aggregate may have a window.
create function rs.in_order(anycompatiblearray) returns anycompatiblearray language sql immutable as $$
    select array_agg(x order by x) from unnest($1) x where x is not null
$$;
create aggregate rs.sorted(anycompatible) (
    sfunc = array_append, stype = anycompatiblearray, finalfunc = rs.in_order, initcond = '{}'
);
create function rs.between_values(low numeric, high numeric, share numeric) returns numeric
language sql immutable as $$
    select case
        when low is null then null
        else round(x, greatest(1, scale(low), scale(high), min_scale(x)))
    end from (select (1 - share) * low + share * high) i (x)
$$;
create function rs.between_values(low float8, high float8, share numeric) returns float8 language sql immutable as $$
    select (1 - share::float8) * low + share::float8 * high
$$;
create function rs.between_values(low timestamp, high timestamp, share numeric) returns timestamp
language sql immutable as $$ select low + share::float8 * (high - low) $$;
create function rs.between_values(low timestamptz, high timestamptz, share numeric) returns timestamptz
language sql immutable as $$ select low + share::float8 * (high - low) $$;
create function rs.between_values(low date, high date, share numeric) returns date language sql immutable as $$
    select case when share * (high - low) % 1 = 0 then low + (share * (high - low))::int
        else rs.refuse('a percentile between two dates')::date end
$$;
create function rs.share(p numeric, down bool) returns numeric language plpgsql immutable as $$
begin
    if p is null or p not between 0 and 1 then
        raise numeric_value_out_of_range using message = 'percentile value should be in range of 0 to 1';
    end if;
    return case when down then 1 - p else p end;
end $$;
do $do$
declare
    source text;
    target text;
begin
    foreach source in array array['smallint', 'int', 'bigint', 'numeric', 'float8', 'real', 'timestamp', 'timestamptz', 'date'] loop
        target := case when source in ('smallint', 'int', 'bigint') then 'numeric' when source = 'real' then 'float8' else source end;
        execute format(
            $f$create function rs.percentile_cont(v %1$s[], p numeric, down bool) returns %2$s language sql immutable as $b$
                select rs.between_values(
                    (v)[1 + floor(rs.share(p, down) * (cardinality(v) - 1))::int]::%2$s,
                    (v)[1 + ceil(rs.share(p, down) * (cardinality(v) - 1))::int]::%2$s,
                    rs.share(p, down) * (cardinality(v) - 1) %% 1
                )
            $b$;
            create function rs.median(v %1$s[]) returns %2$s language sql immutable as $b$
                select rs.percentile_cont(v, 0.5, false)
            $b$$f$, source, target
        );
    end loop;
end $do$;
create function rs.percentile_disc(v anyarray, p numeric, down bool) returns anyelement language sql immutable as $$
    select v[case
        when down then cardinality(v) + 1 - greatest(1, ceil(rs.share(p, false) * cardinality(v))::int)
        else greatest(1, ceil(rs.share(p, false) * cardinality(v))::int)
    end]
$$;

create function rs.listagg(list text) returns varchar language plpgsql immutable as $$
begin
    if octet_length(list) > 65535 then
        raise program_limit_exceeded using message = 'Result size exceeds LISTAGG limit';
    end if;
    return list;
end $$;
-- The first of the values that differ in no more than trailing blanks.
create function rs.first_of_each(text[]) returns text[] language sql immutable as $$
    select array_agg(x order by i) from (
        select distinct on (rtrim(x, ' ')) x, i from unnest($1) with ordinality u (x, i) where x is not null
        order by rtrim(x, ' '), i
    ) f
$$;
create aggregate rs.different(text) (
    sfunc = array_append, stype = text[], finalfunc = rs.first_of_each, initcond = '{}'
);
create function rs.listagg(text[], delimiter text) returns varchar language sql immutable as $$
    select rs.listagg(array_to_string($1, coalesce($2, '')))
$$;

create function rs.ratio_to_report(value float8, total float8) returns float8 language sql immutable as $$
    select value / total
$$;
-- IGNORE NULLS: a strict function never sees a null.
create function rs.keep_first(anyelement, anyelement) returns anyelement language sql immutable strict as $$ select $1 $$;
create function rs.keep_last(anyelement, anyelement) returns anyelement language sql immutable strict as $$ select $2 $$;
create aggregate rs.first_value(anyelement) (sfunc = rs.keep_first, stype = anyelement);
create aggregate rs.last_value(anyelement) (sfunc = rs.keep_last, stype = anyelement);
create function rs.without_nulls(anycompatiblearray) returns anycompatiblearray language sql immutable as $$
    select array_remove($1, null)
$$;
create aggregate rs.filled(anycompatible) (
    sfunc = array_append, stype = anycompatiblearray, finalfunc = rs.without_nulls, initcond = '{}'
);
create function rs.nth_value(anyarray, n bigint) returns anyelement language sql immutable as $$ select $1[n] $$;
create function rs.lag(anyelement) returns anyelement language sql immutable as $$ select $1 $$;
create function rs.lead(anyelement) returns anyelement language sql immutable as $$ select $1 $$;
create function rs.lag(anyarray, n bigint, now anyelement) returns anyelement language sql immutable as $$
    select case when n = 0 then now else $1[cardinality($1) + 1 - n] end
$$;
create function rs.lead(anyarray, n bigint, now anyelement) returns anyelement language sql immutable as $$
    select case when n = 0 then now else $1[cardinality($1) + 1 - n] end
$$;
-- Deviations and variances are double precision whatever their argument is.
do $do$
declare
    name text;
begin
    foreach name in array array['stddev_samp', 'stddev_pop', 'var_samp', 'var_pop'] loop
        execute format(
            'create aggregate rs.%1$s(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_%1$s, initcond = ''{0,0,0}'')',
            name
        );
    end loop;
    execute 'create aggregate rs.stddev(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_stddev_samp, initcond = ''{0,0,0}'')';
    execute 'create aggregate rs.variance(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_var_samp, initcond = ''{0,0,0}'')';
end $do$;
