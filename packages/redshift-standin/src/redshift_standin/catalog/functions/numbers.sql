-- Mathematical and conversion functions, and the text form of floating-point numbers.
do $do$
begin
    execute format('alter database %I set extra_float_digits to 0', current_database());
end $do$;
-- Double precision, whatever the type of the argument.
create function rs.power(float8, float8) returns float8 language sql immutable strict as $$ select pg_catalog.power($1, $2) $$;
create function rs.sqrt(float8) returns float8 language sql immutable strict as $$ select pg_catalog.sqrt($1) $$;
create function rs.exp(float8) returns float8 language sql immutable strict as $$ select pg_catalog.exp($1) $$;
create function rs.ln(float8) returns float8 language sql immutable strict as $$ select pg_catalog.ln($1) $$;
create function rs.dlog10(float8) returns float8 language sql immutable strict as $$ select pg_catalog.log($1) $$;
-- Rounding of floating-point numbers to decimals. PostgreSQL would prefer them for integers too.
do $do$
declare
    name text;
    kind text;
begin
    foreach name in array array['round', 'trunc'] loop
        execute format(
            'create function %1$s(float8, int) returns float8 language sql immutable strict as'
            ' $f$select pg_catalog.%1$s($1::numeric, $2)::float8$f$', name
        );
        foreach kind in array array['smallint', 'int', 'bigint'] loop
            execute format(
                'create function %1$s(%2$s, int) returns numeric language sql immutable strict as'
                ' $f$select pg_catalog.%1$s($1::numeric, $2)$f$', name, kind
            );
        end loop;
    end loop;
end $do$;
-- TRY_CAST: null for a value that cannot be converted; the type itself must be possible.
do $do$
declare
    source text;
begin
    foreach source in array array[
        'text', 'bpchar', 'smallint', 'int', 'bigint', 'numeric', 'real', 'float8', 'bool', 'date', 'time', 'timetz', 'timestamp',
        'timestamptz', 'interval', 'varbyte'
    ] loop
        execute format(
            $f$create function rs.try_cast(value %s, target anycompatible, kind text) returns anycompatible
            language plpgsql stable as $$
            begin
                execute format('select $1::%%s', kind) into target using value;
                return target;
            exception
                when data_exception then return null;
            end $$ $f$, source
        );
    end loop;
end $do$;
-- Teradata's formats of numbers. Without a format, a sign may follow the number.
create function rs.teradata_number(value text) returns numeric language plpgsql immutable strict as $$
declare
    found text[] := regexp_match(value, '^\s*([+-]?)\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([+-]?)\s*$');
begin
    if trim(value) = '' then
        return 0;
    end if;
    if found is null or (found[1] <> '' and found[3] <> '') then
        raise invalid_text_representation using message = format('Invalid number: "%s"', value);
    end if;
    return (case when '-' in (found[1], found[3]) then '-' else '' end || found[2])::numeric;
end $$;
create function text_to_int_alt(text) returns int language sql immutable strict as $$
    select trunc(rs.teradata_number($1))::int
$$;
create function text_to_int_alt(text, format text) returns int language sql immutable strict as $$
    select rs.refuse('TEXT_TO_INT_ALT with a format')::int
$$;
create function text_to_numeric_alt(value text, places int default 38, decimals int default 0) returns numeric
language plpgsql immutable strict as $$
declare
    number numeric := rs.teradata_number(value);
    rounded numeric := round(number, decimals);
begin
    if abs(number - trunc(number, decimals)) * 10::numeric ^ decimals = 0.5 then
        rounded := trunc(number, decimals);
        if mod(abs(rounded) * 10::numeric ^ decimals, 2) = 1 then
            rounded := round(number, decimals);
        end if;
    end if;
    if abs(rounded) >= 10::numeric ^ (places - decimals) then
        raise numeric_value_out_of_range using message = format('the value "%s" has more than %s digits', value, places);
    end if;
    return rounded;
end $$;
create function text_to_numeric_alt(text, format text) returns numeric language sql immutable strict as $$
    select rs.refuse('TEXT_TO_NUMERIC_ALT with a format')::numeric
$$;
create function text_to_numeric_alt(text, format text, places int, decimals int) returns numeric language sql immutable strict as $$
    select rs.refuse('TEXT_TO_NUMERIC_ALT with a format')::numeric
$$;
-- Division of decimals. The result is truncated to a scale that follows from the types of the operands (scales.py);
-- where a type is not known, its precision is taken for the greatest one.
create function rs.power_of_ten(exponent int) returns numeric language sql immutable strict as $$
    select ('1e' || exponent)::numeric
$$;
create function rs.divide(a numeric, b numeric, decimals int) returns numeric language sql immutable strict as $$
    select div(a * rs.power_of_ten(decimals), b) * rs.power_of_ten(-decimals)
$$;
create function rs.divide(a numeric, b numeric) returns numeric language sql immutable strict as $$
    select rs.divide(a, b, greatest(4, scale(a) - scale(b)))
$$;
create function rs.divide_unknown(a numeric, b numeric) returns numeric language sql immutable strict as $$
    select rs.refuse('a division of decimals of which the precision is not known')::numeric
$$;
do $do$
declare
    one record;
begin
    for one in
        select * from (values
            ('smallint', 'smallint', 'smallint'), ('int', 'int', 'int'), ('bigint', 'bigint', 'bigint'), ('real', 'real', 'real'),
            ('float8', 'float8', 'float8'), ('interval', 'float8', 'interval')
        ) v (a, b, result)
    loop
        execute format(
            'create function rs.divide_unknown(%s, %s) returns %s language sql immutable strict as $f$select $1 / $2$f$',
            one.a, one.b, one.result
        );
    end loop;
end $do$;
-- avg of decimals has the scale of its argument, and is truncated. Its state is the sum plus 1e60 for each value: one
-- number is much faster than a list of the sum and the count.
create function rs.avg_step(state numeric, value numeric) returns numeric language sql immutable strict as $$
    select state + value + 1e60
$$;
create function rs.avg_count(state numeric) returns numeric language sql immutable strict as $$ select div(state + 5e59, 1e60) $$;
create function rs.avg_of_decimals(state numeric) returns numeric language sql immutable strict as $$
    select case
        when state <> 0 then rs.divide(state - rs.avg_count(state) * 1e60, rs.avg_count(state), scale(state))
    end
$$;
create aggregate rs.avg(numeric) (sfunc = rs.avg_step, stype = numeric, finalfunc = rs.avg_of_decimals, initcond = '0');
-- avg of integers is a truncated bigint.
create function rs.avg_of_integers(state numeric) returns bigint language sql immutable strict as $$
    select case when state <> 0 then rs.divide(state - rs.avg_count(state) * 1e60, rs.avg_count(state), 0) end::bigint
$$;
create function rs.avg_of_integers(state bigint[]) returns bigint language sql immutable strict as $$
    select case when state[1] > 0 then state[2] / state[1] end
$$;
create function rs.avg_step(state numeric, value bigint) returns numeric language sql immutable strict as $$
    select state + value + 1e60
$$;
create aggregate rs.avg(smallint) (
    sfunc = int2_avg_accum, stype = bigint[], finalfunc = rs.avg_of_integers, initcond = '{0,0}'
);
create aggregate rs.avg(int) (
    sfunc = int4_avg_accum, stype = bigint[], finalfunc = rs.avg_of_integers, initcond = '{0,0}'
);
create aggregate rs.avg(bigint) (sfunc = rs.avg_step, stype = numeric, finalfunc = rs.avg_of_integers, initcond = '0');
create aggregate rs.avg(float8) (sfunc = float8_accum, stype = float8[], finalfunc = float8_avg, initcond = '{0,0,0}');
