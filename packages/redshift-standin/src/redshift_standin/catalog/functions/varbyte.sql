-- VARBYTE: casts, operators and functions. Texts are its bytes in UTF-8; integers have the bytes of their type.
create function to_varbyte(value text, format text) returns varbyte language plpgsql immutable strict as $$
begin
    case lower(format)
        when 'hex' then return decode(case when length(value) % 2 = 1 then '0' else '' end || value, 'hex');
        when 'utf8', 'utf-8' then return convert_to(value, 'UTF8');
        when 'binary' then
            if value !~ '^([01]{8})*$' then
                raise invalid_parameter_value using message = format('Invalid binary value: %s', value);
            end if;
            return coalesce((
                select string_agg(set_byte('\x00'::bytea, 0, substr(value, n * 8 - 7, 8)::bit(8)::int), '' order by n)
                from generate_series(1, length(value) / 8) n
            ), '');
        else raise invalid_parameter_value using message = format('Invalid format: %s', format);
    end case;
end $$;
create function from_varbyte(value varbyte, format text) returns varchar language plpgsql immutable strict as $$
begin
    case lower(format)
        when 'hex' then return encode(value::bytea, 'hex');
        when 'utf8', 'utf-8' then return convert_from(value::bytea, 'UTF8');
        when 'binary' then
            return coalesce((
                select string_agg(get_byte(value::bytea, n)::bit(8)::text, '' order by n)
                from generate_series(0, length(value::bytea) - 1) n
            ), '');
        else raise invalid_parameter_value using message = format('Invalid format: %s', format);
    end case;
end $$;
create function from_hex(text) returns varbyte language sql immutable strict as $$ select to_varbyte($1, 'hex') $$;
create function to_hex(varbyte) returns varchar language sql immutable strict as $$ select encode($1::bytea, 'hex') $$;
create function len(varbyte) returns int language sql immutable strict as $$ select length($1::bytea) $$;
create function length(varbyte) returns int language sql immutable strict as $$ select length($1::bytea) $$;
create function rs.octet_length(varbyte) returns int language sql immutable strict as $$ select length($1::bytea) $$;
do $do$
declare
    name text;
begin
    foreach name in array array['substring', 'substr'] loop
        execute format(
            $f$create function pg_catalog.%1$s(varbyte, int) returns varbyte language sql immutable strict as
               'select pg_catalog.substring($1::bytea, $2)';
               create function pg_catalog.%1$s(varbyte, int, int) returns varbyte language sql immutable strict as
               'select pg_catalog.substring($1::bytea, $2, $3)'$f$, name
        );
    end loop;
end $do$;
-- The bits of a value are counted from its last one.
create function getbit(value varbyte, index int) returns int language sql immutable strict as $$
    select get_bit(value::bytea, ((length(value::bytea) - 1 - index / 8) * 8 + index % 8)::bigint)
$$;

create function rs.varbyte_of(varchar) returns varbyte language sql immutable strict as $$ select convert_to($1, 'UTF8') $$;
create function rs.varbyte_of(text) returns varbyte language sql immutable strict as $$ select convert_to($1, 'UTF8') $$;
-- The blanks that pad a char are part of it.
create function rs.varbyte_of(character) returns varbyte language sql immutable strict as $$ select bpcharsend($1) $$;
create function rs.varbyte_of(smallint) returns varbyte language sql immutable strict as $$ select int2send($1) $$;
create function rs.varbyte_of(int) returns varbyte language sql immutable strict as $$ select int4send($1) $$;
create function rs.varbyte_of(bigint) returns varbyte language sql immutable strict as $$ select int8send($1) $$;
create function rs.varchar_of(varbyte) returns varchar language sql immutable strict as $$ select convert_from($1::bytea, 'UTF8') $$;
create function rs.text_of(varbyte) returns text language sql immutable strict as $$ select convert_from($1::bytea, 'UTF8') $$;
create function rs.integer_of(value varbyte, size int) returns bigint language plpgsql immutable strict as $$
begin
    if length(value::bytea) > size then
        raise numeric_value_out_of_range using message = format('a VARBYTE of %s bytes is too long for an integer of %s bytes', length(value::bytea), size);
    end if;
    return ('x' || lpad(encode(value::bytea, 'hex'), 16, '0'))::bit(64)::bigint;
end $$;
create function rs.smallint_of(value varbyte) returns smallint language sql immutable strict as $$
    select (rs.integer_of(value, 2)::int << 16 >> 16)::smallint
$$;
create function rs.int_of(value varbyte) returns int language sql immutable strict as $$
    select (rs.integer_of(value, 4) << 32 >> 32)::int
$$;
create function rs.bigint_of(value varbyte) returns bigint language sql immutable strict as $$
    select rs.integer_of(value, 8)
$$;
create cast (varchar as varbyte) with function rs.varbyte_of(varchar) as assignment;
create cast (text as varbyte) with function rs.varbyte_of(text) as assignment;
create cast (character as varbyte) with function rs.varbyte_of(character) as assignment;
create cast (smallint as varbyte) with function rs.varbyte_of(smallint);
create cast (int as varbyte) with function rs.varbyte_of(int);
create cast (bigint as varbyte) with function rs.varbyte_of(bigint);
create cast (varbyte as varchar) with function rs.varchar_of(varbyte) as assignment;
create cast (varbyte as text) with function rs.text_of(varbyte) as assignment;
create cast (varbyte as smallint) with function rs.smallint_of(varbyte);
create cast (varbyte as int) with function rs.int_of(varbyte);
create cast (varbyte as bigint) with function rs.bigint_of(varbyte);

create function rs.joined(varbyte, varbyte) returns varbyte language sql immutable strict as $$
    select $1::bytea || $2::bytea
$$;
create function rs.concat(varbyte, varbyte) returns varbyte language sql immutable strict as $$
    select $1::bytea || $2::bytea
$$;
create operator || (leftarg = varbyte, rightarg = varbyte, function = rs.joined);
create operator + (leftarg = varbyte, rightarg = varbyte, function = rs.joined);
create function rs.bitwise(a bytea, b bytea, operation text) returns varbyte language plpgsql immutable strict as $$
declare
    x int;
    y int;
begin
    if length(a) <> length(b) then
        perform rs.refuse(format('the operator %s of VARBYTE values of different lengths', operation));
    end if;
    for n in 0 .. length(a) - 1 loop
        x := get_byte(a, n);
        y := get_byte(b, n);
        a := set_byte(a, n, case operation when '&' then x & y when '|' then x | y else x # y end);
    end loop;
    return a;
end $$;
create function rs.bits_and(varbyte, varbyte) returns varbyte language sql immutable strict as $$ select rs.bitwise($1, $2, '&') $$;
create function rs.bits_or(varbyte, varbyte) returns varbyte language sql immutable strict as $$ select rs.bitwise($1, $2, '|') $$;
create function rs.bits_xor(varbyte, varbyte) returns varbyte language sql immutable strict as $$ select rs.bitwise($1, $2, '#') $$;
create function rs.bits_not(varbyte) returns varbyte language sql immutable strict as $$
    select rs.bitwise($1, decode(repeat('ff', length($1::bytea)), 'hex'), '#')
$$;
create operator & (leftarg = varbyte, rightarg = varbyte, function = rs.bits_and);
create operator | (leftarg = varbyte, rightarg = varbyte, function = rs.bits_or);
create operator # (leftarg = varbyte, rightarg = varbyte, function = rs.bits_xor);
create operator ~ (rightarg = varbyte, function = rs.bits_not);
create function rs.greater(varbyte, varbyte) returns varbyte language internal immutable strict as 'bytea_larger';
create function rs.smaller(varbyte, varbyte) returns varbyte language internal immutable strict as 'bytea_smaller';
create aggregate max(varbyte) (sfunc = rs.greater, stype = varbyte);
create aggregate min(varbyte) (sfunc = rs.smaller, stype = varbyte);
-- varbyte(n): an assignment of a longer value fails.
create function rs.varbyte_of_length(value varbyte, length int, cut bool) returns varbyte language plpgsql immutable as $$
begin
    if length > 4 and length(value::bytea) > length - 4 then
        if cut then
            perform rs.refuse(format('a cast to varbyte(%s) of a longer value', length - 4));
        end if;
        raise string_data_right_truncation using message = format('Value too long for type varbyte(%s)', length - 4);
    end if;
    return value;
end $$;
create cast (varbyte as varbyte) with function rs.varbyte_of_length(varbyte, int, bool) as implicit;
