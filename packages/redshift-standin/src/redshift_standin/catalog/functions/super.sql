-- SUPER: its type, casts, operators and functions, and the functions of JSON in texts.
--
-- A value is stored as text. A string is itself, so that PostgreSQL makes a string of a literal, as Redshift does.
-- Any other value is a character U+0001 and its JSON without blanks, with the order of names and the form of numbers as
-- they were given. JSON's null is SQL's NULL. super_values.py has the same rules for COPY and for results.
create type super;
create function super_in(cstring) returns super language internal immutable strict as 'textin';
create function super_out(super) returns cstring language internal immutable strict as 'textout';
create function super_recv(internal) returns super language internal immutable strict as 'textrecv';
create function super_send(super) returns bytea language internal immutable strict as 'textsend';
create type super (
    input = super_in, output = super_out, receive = super_recv, send = super_send, like = text, category = 'U'
);
-- The stored text of a SUPER: `s::rs.stored::text`; a cast of SUPER to text is Redshift's.
create type rs.stored;
create function rs.stored_in(cstring) returns rs.stored language internal immutable strict as 'textin';
create function rs.stored_out(rs.stored) returns cstring language internal immutable strict as 'textout';
create type rs.stored (input = rs.stored_in, output = rs.stored_out, like = text, category = 'U');
create cast (super as rs.stored) without function;
create cast (rs.stored as super) without function;
create cast (rs.stored as text) without function;
create cast (text as rs.stored) without function;

-- Volatile: PostgreSQL would call an immutable one with constants before it runs the statement.
create function rs.fail(message text) returns text language plpgsql as $$
begin
    raise internal_error using message = message;
end $$;
create function rs.fail_unsupported(what text) returns text language plpgsql as $$
begin
    raise feature_not_supported using message = format('stand-in: %s is not implemented here; real Redshift may accept it', what);
end $$;

-- s: string, n: number, b: boolean, a: array, o: object.
create function rs.kind(super) returns "char" language plpgsql immutable strict parallel safe as $$ begin
    return case when left($1::rs.stored::text, 1) <> E'\x01' then 's'
        else case substr($1::rs.stored::text, 2, 1)
            when '{' then 'o' when '[' then 'a' when 't' then 'b' when 'f' then 'b' when '"' then 's' else 'n' end
        end;
end $$;
-- The SUPER of JSON without blanks.
create function rs.of_json(given text) returns super language plpgsql immutable strict parallel safe as $$
declare
    value text;
begin
    if given = 'null' then
        return null;
    elsif left(given, 1) = '"' then
        value := given::json #>> '{}';
        return case when left(value, 1) = E'\x01' then E'\x01' || given else value end::rs.stored::super;
    end if;
    return (E'\x01' || given)::rs.stored::super;
end $$;
create function rs.json_text(super) returns text language plpgsql immutable parallel safe as $$ begin
    return case when $1 is null then 'null'
        when left($1::rs.stored::text, 1) = E'\x01' then substr($1::rs.stored::text, 2)
        else to_json($1::rs.stored::text)::text
    end;
end $$;
-- The value of a string, and the text of any other scalar.
create function rs.scalar(super) returns text language plpgsql immutable strict parallel safe as $$ begin
    return case when left($1::rs.stored::text, 1) <> E'\x01' then $1::rs.stored::text
        else case substr($1::rs.stored::text, 2, 1) when '{' then null when '[' then null
            when '"' then substr($1::rs.stored::text, 2)::json #>> '{}' else substr($1::rs.stored::text, 2) end
    end;
end $$;

-- Redshift's form of a floating-point number, by which it differs from a decimal: 2.22e+0.
create function rs.float_text(float8) returns text language plpgsql immutable strict parallel safe as $$
declare
    whole text[] := string_to_array(trim_scale(abs($1)::text::numeric)::text, '.');
    digits text := ltrim(whole[1], '0') || coalesce(whole[2], '');
    first text := ltrim(digits, '0');
    exponent int := length(ltrim(whole[1], '0')) - 1 - (length(digits) - length(first));
begin
    if $1 in ('NaN', 'Infinity', '-Infinity') then
        return null;
    elsif first = '' then
        return '0e+0';
    end if;
    first := rtrim(first, '0');
    return case when $1 < 0 then '-' else '' end || left(first, 1) || case when length(first) > 1 then '.' || substr(first, 2) else '' end
        || 'e' || case when exponent < 0 then '-' else '+' end || abs(exponent);
end $$;
-- JSON without blanks, and with floating-point numbers in Redshift's form.
create function rs.rebuilt(json) returns text language plpgsql immutable strict parallel safe as $$ begin
    return case json_typeof($1)
        when 'object' then
            '{' || coalesce((select string_agg(to_json(key)::text || ':' || rs.rebuilt(value), ',' order by place)
                from json_each($1) with ordinality e (key, value, place)), '') || '}'
        when 'array' then
            '[' || coalesce((select string_agg(rs.rebuilt(value), ',' order by place)
                from json_array_elements($1) with ordinality e (value, place)), '') || ']'
        when 'string' then to_json($1 #>> '{}')::text
        when 'number' then case when $1::text ~ '[eE]' or length($1::text) > 39 then rs.float_text($1::text::float8) else $1::text end
        else $1::text
    end;
end $$;
-- PostgreSQL's fastest way to JSON without blanks leaves out nulls: they get the form of a number on the way.
create function rs.compact(text) returns text language plpgsql immutable strict parallel safe as $$ begin
    return case when $1 ~ '\d[eE]|\\null|\d{38}' then rs.rebuilt($1::json)
        else replace(json_strip_nulls(replace($1, 'null', '-0e-777')::json)::text, '-0e-777', 'null')
    end;
end $$;
create function json_parse(text) returns super language plpgsql immutable strict parallel safe as $$ begin
    if $1 is json with unique keys then
        if length($1) > 16383 then
            if rs.longest_string($1::json) > 65535 then
                perform rs.fail('String value exceeds the max size of 65535 bytes');
            end if;
        end if;
        return rs.of_json(rs.compact($1));
    end if;
    perform rs.fail(case when $1 is json then 'JSON parsing error: an object has an attribute twice' else 'JSON parsing error' end);
end $$;
create function json_parse(varbyte) returns super language sql immutable as $$ select json_parse(convert_from($1::bytea, 'UTF8')) $$;
create function rs.longest_string(json) returns int language sql immutable strict as $$
    select case json_typeof($1)
        when 'object' then (select max(rs.longest_string(value)) from json_each($1))
        when 'array' then (select max(rs.longest_string(value)) from json_array_elements($1))
        when 'string' then octet_length($1 #>> '{}')
    end
$$;
create function can_json_parse(text) returns bool language plpgsql immutable strict parallel safe as $$ begin
    return $1 is json with unique keys and (length($1) <= 16383 or coalesce(rs.longest_string($1::json), 0) <= 65535);
end $$;
create function can_json_parse(varbyte) returns bool language sql immutable as $$ select can_json_parse(convert_from($1::bytea, 'UTF8')) $$;
create function json_size(super) returns int language sql immutable strict as $$ select octet_length(rs.json_text($1)) $$;
create function rs.json_serialize(super) returns varchar language plpgsql immutable strict parallel safe as $$ begin
    return case when json_size($1) > 65535 then rs.fail('JSON_SERIALIZE: the result exceeds the max size of 65535 bytes')
        else rs.json_text($1) end;
end $$;
create function json_serialize_to_varbyte(super) returns varbyte language sql immutable strict as $$
    select convert_to(rs.json_text($1), 'UTF8')::varbyte
$$;

-- Casts. What cannot be cast is null.
create function rs.super_of(anyelement) returns super language sql immutable strict as $$ select (E'\x01' || $1::text)::rs.stored::super $$;
create function rs.super_of_text(text) returns super language sql immutable strict as $$
    select case when left($1, 1) = E'\x01' then E'\x01' || to_json($1)::text else $1 end::rs.stored::super
$$;
create function rs.super_of_char(bpchar) returns super language sql immutable strict as $$ select rs.super_of_text(rtrim($1::text, ' ')) $$;
create function rs.super_of_float(float8) returns super language sql immutable strict as $$ select (E'\x01' || rs.float_text($1))::rs.stored::super $$;
create function rs.super_of_float(float4) returns super language sql immutable strict as $$ select (E'\x01' || rs.float_text($1::text::float8))::rs.stored::super $$;
create function super_text(super) returns text language plpgsql immutable strict parallel safe as $$ begin
    return case when rs.kind($1) = 'n' and rs.scalar($1) ~ 'e' then rs.scalar($1)::float8::text else rs.scalar($1) end;
end $$;
create function super_varchar(super) returns varchar language sql immutable strict as $$ select super_text($1) $$;
create function super_bpchar(super) returns bpchar language sql immutable strict as $$ select super_text($1) $$;
create cast (super as text) with function super_text(super) as implicit;
create cast (super as varchar) with function super_varchar(super) as assignment;
create cast (super as bpchar) with function super_bpchar(super) as assignment;
create cast (text as super) with function rs.super_of_text(text) as assignment;
create cast (bpchar as super) with function rs.super_of_char(bpchar) as assignment;
create cast (float8 as super) with function rs.super_of_float(float8) as assignment;
create cast (float4 as super) with function rs.super_of_float(float4) as assignment;
create function super_bool(super) returns bool language sql immutable strict as $$
    select case rs.kind($1) when 'b' then rs.scalar($1)::bool
        when 'n' then case when rs.scalar($1) ~ '^-?\d+$' then rs.scalar($1)::numeric <> 0 end
        when 's' then case when pg_input_is_valid(rs.scalar($1), 'bool') then rs.scalar($1)::bool end
    end
$$;
create cast (super as bool) with function super_bool(super);
create function rs.number(super) returns numeric language plpgsql immutable strict parallel safe as $$ begin
    return case rs.kind($1) when 'n' then rs.scalar($1)::numeric
        when 'b' then rs.scalar($1)::bool::int::numeric
        when 's' then case when rs.scalar($1) ~ '^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*$' then rs.scalar($1)::numeric end
    end;
end $$;
do $do$
declare
    target text;
begin
    foreach target in array array['smallint', 'int', 'bigint'] loop
        execute format(
            $f$create function super_%1$s(super) returns %1$s language sql immutable strict as
               'select case when (rs.kind($1) <> ''s'' or rs.scalar($1) ~ ''^\s*[+-]?\d+\s*$'')
                    and pg_input_is_valid(round(rs.number($1))::text, ''%1$s'') then rs.number($1)::%1$s end';
               create cast (super as %1$s) with function super_%1$s(super)$f$,
            target
        );
    end loop;
    foreach target in array array['float4', 'float8'] loop
        execute format(
            $f$create function super_%1$s(super) returns %1$s language sql immutable strict as
               'select case when pg_input_is_valid(rs.number($1)::text, ''%1$s'') then rs.number($1)::text::%1$s end';
               create cast (super as %1$s) with function super_%1$s(super)$f$,
            target
        );
    end loop;
    foreach target in array array['date', 'time', 'timetz', 'timestamp', 'timestamptz'] loop
        execute format(
            $f$create function super_%1$s(super) returns %1$s language sql stable strict as
               'select case when rs.kind($1) = ''s'' and pg_input_is_valid(rs.scalar($1), ''%1$s'') then rs.scalar($1)::%1$s end';
               create cast (super as %1$s) with function super_%1$s(super)$f$,
            target
        );
    end loop;
    foreach target in array array['bool', 'int2', 'int4', 'int8', 'numeric'] loop
        execute format(
            $f$create function super_of_%1$s(%1$s) returns super language sql immutable strict as
               'select (E''\x01'' || $1::text)::rs.stored::super';
               create cast (%1$s as super) with function super_of_%1$s(%1$s) as assignment$f$,
            target
        );
    end loop;
end $do$;
create function super_numeric(super, modifier int, bool) returns numeric language plpgsql immutable strict parallel safe as $$
declare
    number numeric := rs.number($1);
    digits int := (modifier - 4) >> 16 & 65535;
    places int := (modifier - 4) & 2047;
begin
    if modifier < 4 then
        return number;
    end if;
    number := round(number, places);
    return case when abs(number) < 10::numeric ^ (digits - places) then number end;
end $$;
create cast (super as numeric) with function super_numeric(super, int, bool);

-- Comparisons. Values of different types are unequal, and neither is greater than the other.
-- Redshift's strings differ neither in blanks at their end nor in the order of an object's names.
create function rs.comparable(super) returns jsonb language plpgsql immutable strict parallel safe as $$ begin
    return case when rs.kind($1) = 's' then to_jsonb(rtrim(rs.scalar($1), ' ')) else substr($1::rs.stored::text, 2)::jsonb end;
end $$;
create function rs.super_eq(super, super) returns bool language plpgsql immutable strict parallel safe as $$ begin
    return $1::rs.stored::text = $2::rs.stored::text or rs.comparable($1) = rs.comparable($2);
end $$;
create function rs.super_ne(super, super) returns bool language sql immutable strict as $$ select not rs.super_eq($1, $2) $$;
-- The order of ORDER BY: boolean, number, string, array, object.
create function rs.super_cmp(super, super) returns int language plpgsql immutable strict parallel safe as $$
declare
    one "char" := rs.kind($1);
    other "char" := rs.kind($2);
begin
    if one <> other then
        return sign(position(one in 'bnsao') - position(other in 'bnsao'));
    elsif one = 's' then
        return sign(bttextcmp(rtrim(rs.scalar($1), ' ') collate "C", rtrim(rs.scalar($2), ' ') collate "C"));
    end if;
    return jsonb_cmp(rs.comparable($1), rs.comparable($2));
end $$;
create function rs.super_hash(super) returns int language sql immutable strict as $$ select jsonb_hash(rs.comparable($1)) $$;
create operator = (
    leftarg = super, rightarg = super, function = rs.super_eq, commutator = =, negator = <>, hashes, merges,
    restrict = eqsel, join = eqjoinsel
);
create operator <> (
    leftarg = super, rightarg = super, function = rs.super_ne, commutator = <>, negator = =, restrict = neqsel, join = neqjoinsel
);
do $do$
declare
    sign text;
    scalar text;
begin
    foreach sign in array array['<', '<=', '>', '>='] loop
        execute format(
            $f$create function rs.%1$I(super, super) returns bool language sql immutable strict as
               'select case when rs.kind($1) = rs.kind($2) and rs.kind($1) not in (''a'', ''o'') then rs.super_cmp($1, $2) %2$s 0 end';
               create function rs.%3$I(super, super) returns bool language sql immutable strict as
               'select rs.super_cmp($1, $2) %2$s 0';
               create operator %2$s (leftarg = super, rightarg = super, function = rs.%1$I);
               create operator rs.|%2$s| (leftarg = super, rightarg = super, function = rs.%3$I)$f$,
            'super_' || sign, sign, 'order_' || sign
        );
    end loop;
    create operator class rs.super_order default for type super using btree as
        operator 1 rs.|<|, operator 2 rs.|<=|, operator 3 =, operator 4 rs.|>=|, operator 5 rs.|>|,
        function 1 rs.super_cmp(super, super);
    create operator class rs.super_hashed default for type super using hash as
        operator 1 =, function 1 rs.super_hash(super);
    foreach scalar in array array['bool', 'int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'text'] loop
        foreach sign in array array['=', '<>', '<', '<=', '>', '>='] loop
            execute format(
                $f$create function rs.%1$I(super, %2$s) returns bool language sql immutable strict as 'select $1 %3$s $2::super';
                   create function rs.%1$I(%2$s, super) returns bool language sql immutable strict as 'select $1::super %3$s $2';
                   create operator %3$s (leftarg = super, rightarg = %2$s, function = rs.%1$I);
                   create operator %3$s (leftarg = %2$s, rightarg = super, function = rs.%1$I)$f$,
                'super_' || sign, scalar, sign
            );
        end loop;
    end loop;
end $do$;

-- Arithmetic: decimals keep their scale, a floating-point number makes the result one.
create function rs.super_number(numeric) returns super language plpgsql immutable strict parallel safe as $$ begin
    if length(translate($1::text, '-.', '')) > 38 then
        perform rs.fail('Numeric data overflow (result precision)');
    end if;
    return $1::super;
end $$;
create function rs.is_float(super) returns bool language sql immutable strict as $$ select rs.kind($1) = 'n' and rs.scalar($1) ~ 'e' $$;
create function rs.arithmetic(sign text, super, super) returns super language plpgsql immutable strict parallel safe as $$
declare
    one numeric;
    other numeric;
begin
    if sign = '+' and rs.kind($2) = 's' and rs.kind($3) = 's' then
        return (rs.scalar($2) || rs.scalar($3))::super;
    elsif rs.kind($2) <> 'n' or rs.kind($3) <> 'n' then
        return null;
    end if;
    one := rs.number($2);
    other := rs.number($3);
    if rs.is_float($2) or rs.is_float($3) then
        return case sign when '+' then one::float8 + other::float8 when '-' then one::float8 - other::float8
            when '*' then one::float8 * other::float8 when '/' then one::float8 / other::float8
            else mod(one, other)::float8 end::super;
    elsif sign = '/' then
        if scale(one) = 0 and scale(other) = 0 and mod(one, other) <> 0 then
            perform rs.fail_unsupported('the division of whole numbers of type SUPER that leaves a remainder');
        end if;
        return rs.super_number(round(one / other, case when scale(one) = 0 and scale(other) = 0 then 0
            else greatest(4, scale(one) + length(translate(other::text, '-.', '')) - scale(other) + 1) end));
    end if;
    return rs.super_number(case sign when '+' then one + other when '-' then one - other when '*' then one * other else mod(one, other) end);
end $$;
do $do$
declare
    sign text;
    scalar text;
begin
    foreach sign in array array['+', '-', '*', '/', '%'] loop
        execute format(
            $f$create function rs.%1$I(super, super) returns super language sql immutable strict as $$select rs.arithmetic(%2$L, $1, $2)$$;
               create operator %2$s (leftarg = super, rightarg = super, function = rs.%1$I)$f$,
            'super_' || sign, sign
        );
        foreach scalar in array array['int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'text'] loop
            execute format(
                $f$create function rs.%1$I(super, %2$s) returns super language sql immutable strict as $$select rs.arithmetic(%3$L, $1, $2::super)$$;
                   create function rs.%1$I(%2$s, super) returns super language sql immutable strict as $$select rs.arithmetic(%3$L, $1::super, $2)$$;
                   create operator %3$s (leftarg = super, rightarg = %2$s, function = rs.%1$I);
                   create operator %3$s (leftarg = %2$s, rightarg = super, function = rs.%1$I)$f$,
                'super_' || sign, scalar, sign
            );
        end loop;
    end loop;
    foreach sign in array array['abs', 'ceil', 'ceiling', 'floor', 'round', 'trunc', 'sign'] loop
        execute format(
            $f$create function %1$s(super) returns super language sql immutable strict as
               'select case when rs.is_float($1) then %1$s(rs.number($1))::float8::super
                    when rs.kind($1) = ''n'' then %1$s(rs.number($1))::super end'$f$,
            sign
        );
    end loop;
end $do$;
create function rs.super_minus(super) returns super language sql immutable strict as $$ select rs.arithmetic('-', 0::super, $1) $$;
create function rs.super_plus(super) returns super language sql immutable strict as $$ select case when rs.kind($1) = 'n' then $1 end $$;
create function rs.super_joined(super, super) returns varchar language sql immutable strict as $$ select super_text($1) || super_text($2) $$;
create function rs.super_joined(super, text) returns varchar language sql immutable strict as $$ select super_text($1) || $2 $$;
create function rs.super_joined(text, super) returns varchar language sql immutable strict as $$ select $1 || super_text($2) $$;
create operator || (leftarg = super, rightarg = super, function = rs.super_joined);
create operator || (leftarg = super, rightarg = text, function = rs.super_joined);
create operator || (leftarg = text, rightarg = super, function = rs.super_joined);
create operator - (rightarg = super, function = rs.super_minus);
create operator + (rightarg = super, function = rs.super_plus);
create function rs.larger(super, super) returns super language sql immutable strict as $$ select case when rs.super_cmp($1, $2) >= 0 then $1 else $2 end $$;
create function rs.smaller(super, super) returns super language sql immutable strict as $$ select case when rs.super_cmp($1, $2) <= 0 then $1 else $2 end $$;
create aggregate max(super) (sfunc = rs.larger, stype = super);
create aggregate min(super) (sfunc = rs.smaller, stype = super);
create function rs.add_number(super, super) returns super language sql immutable as $$
    select case when rs.kind($2) is distinct from 'n' then $1 when $1 is null then $2 else rs.arithmetic('+', $1, $2) end
$$;
create aggregate sum(super) (sfunc = rs.add_number, stype = super);
-- The scale of its result is not documented.
create function rs.no_average(super, super) returns super language plpgsql as $$ begin
    perform rs.fail_unsupported('avg of SUPER');
end $$;
create aggregate rs.avg(super) (sfunc = rs.no_average, stype = super);

-- Types of values.
create function json_typeof(super) returns varchar language sql immutable as $$
    select case rs.kind($1) when 's' then 'string' when 'n' then 'number' when 'b' then 'boolean' when 'a' then 'array'
        when 'o' then 'object' else 'null' end::varchar
$$;
create function is_array(super) returns bool language sql immutable as $$ select coalesce(rs.kind($1) = 'a', false) $$;
create function is_object(super) returns bool language sql immutable as $$ select coalesce(rs.kind($1) = 'o', false) $$;
create function is_scalar(super) returns bool language sql immutable as $$ select coalesce(rs.kind($1) in ('s', 'n', 'b'), false) $$;
create function is_boolean(super) returns bool language sql immutable as $$ select coalesce(rs.kind($1) = 'b', false) $$;
create function is_varchar(super) returns bool language sql immutable as $$ select coalesce(rs.kind($1) = 's', false) $$;
create function is_char(super) returns bool language sql immutable as $$ select coalesce(rs.kind($1) = 's' and rs.scalar($1) ~ '^[\x01-\x7f]*$', false) $$;
create function is_float(super) returns bool language sql immutable as $$ select coalesce(rs.is_float($1), false) $$;
create function is_decimal(super) returns bool language sql immutable as $$ select coalesce(rs.kind($1) = 'n' and not rs.is_float($1), false) $$;
do $do$
declare
    target text;
begin
    foreach target in array array['smallint', 'integer', 'bigint'] loop
        execute format(
            $f$create function is_%1$s(super) returns bool language sql immutable as
               'select coalesce(rs.kind($1) = ''n'' and pg_input_is_valid(rs.scalar($1), ''%1$s''), false)'$f$,
            target
        );
    end loop;
end $do$;
create function decimal_precision(super) returns int language sql immutable strict as $$
    select case when is_decimal($1) then greatest(length(ltrim(translate(rs.scalar($1), '-.', ''), '0')), scale(rs.number($1)), 1) end
$$;
create function decimal_scale(super) returns int language sql immutable strict as $$ select case when is_decimal($1) then scale(rs.number($1)) end $$;

-- Navigation and unnesting. What is not there is null.
create function rs.get(super, name text) returns super language plpgsql immutable strict parallel safe as $$ begin
    return case when left($1::rs.stored::text, 2) = E'\x01{' then rs.of_json((substr($1::rs.stored::text, 2)::json -> name)::text) end;
end $$;
create function rs.get(super, place int) returns super language plpgsql immutable strict parallel safe as $$ begin
    return case when place >= 0 and left($1::rs.stored::text, 2) = E'\x01[' then rs.of_json((substr($1::rs.stored::text, 2)::json -> place)::text) end;
end $$;
create function rs.elements(super) returns table (element super, place bigint) language sql immutable strict as $$
    select rs.of_json(e::text), n - 1
    from json_array_elements(case when left($1::rs.stored::text, 2) = E'\x01[' then substr($1::rs.stored::text, 2)::json end)
        with ordinality x (e, n)
$$;
create function rs.unnested(super) returns setof super language sql immutable strict as $$ select element from rs.elements($1) $$;
create function rs.attributes(super) returns table (value super, attribute varchar) language sql immutable strict as $$
    select rs.of_json(e.value::text), e.key
    from json_each(case when left($1::rs.stored::text, 2) = E'\x01{' then substr($1::rs.stored::text, 2)::json end) e
$$;

-- Arrays and objects. super_calls.py makes SUPERs of the arguments of ARRAY, OBJECT and the functions that search.
do $do$
declare
    caller text;
    given text;
begin
    foreach caller in array array['array', 'object'] loop
        foreach given in array array['super', 'text', 'bool', 'int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'bpchar'] loop
            execute format('create function rs.to_%1$s(%2$s) returns super language sql immutable as ''select $1::super''', caller, given);
        end loop;
        foreach given in array array['date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'varbyte'] loop
            execute format(
                $f$create function rs.to_%1$s(%2$s) returns super language plpgsql immutable as $$
                   begin raise cannot_coerce using message = '%3$s could not convert type %4$s to super'; end $$ $f$,
                caller, given, upper(caller), given::regtype
            );
        end loop;
    end loop;
end $do$;
create function rs.list(super[]) returns super language sql immutable as $$
    select (E'\x01[' || coalesce(string_agg(rs.json_text(e), ',' order by n), '') || ']')::rs.stored::super
    from unnest($1) with ordinality x (e, n)
$$;
create function rs.array() returns super language sql immutable as $$ select (E'\x01[]')::rs.stored::super $$;
create function rs.array(super[]) returns super language sql immutable as $$ select rs.list($1) $$;
create function rs.object() returns super language sql immutable as $$ select (E'\x01{}')::rs.stored::super $$;
create function rs.object(super[]) returns super language plpgsql immutable as $$
declare
    made text;
begin
    if cardinality($1) % 2 = 1 then
        raise invalid_parameter_value using message = 'OBJECT needs an even number of arguments';
    end if;
    select '{' || string_agg(to_json(rs.scalar($1[n]))::text || ':' || rs.json_text($1[n + 1]), ',' order by n) || '}' into made
    from generate_series(1, cardinality($1), 2) n;
    if made is not json with unique keys then
        perform rs.fail('OBJECT: an attribute is null or there twice');
    end if;
    return (E'\x01' || made)::rs.stored::super;
end $$;
-- The elements as a list, null for what is no array.
create function rs.members(super) returns super[] language sql immutable strict as $$
    select case when rs.kind($1) = 'a' then array(select element from rs.elements($1) order by place) end
$$;
create function get_array_length(super) returns bigint language sql immutable strict as $$ select cardinality(rs.members($1))::bigint $$;
create function array_concat(super, super) returns super language sql immutable strict as $$
    select case when rs.kind($1) = 'a' and rs.kind($2) = 'a' then rs.list(rs.members($1) || rs.members($2)) end
$$;
create function rs.flat(super) returns super[] language plpgsql immutable strict as $$
declare
    value super;
    found super[] := '{}';
begin
    foreach value in array rs.members($1) loop
        found := found || case when rs.kind(value) = 'a' then rs.flat(value) else array[value] end;
    end loop;
    return found;
end $$;
create function array_flatten(super) returns super language sql immutable strict as $$
    select case when rs.kind($1) = 'a' then rs.list(rs.flat($1)) end
$$;
create function subarray(super, start int, length int) returns super language sql immutable strict as $$
    select case when rs.kind($1) = 'a' and length >= 0 then rs.list(array(
        select element from rs.elements($1)
        where place >= case when start < 0 then get_array_length($1) + start else start end
            and place < case when start < 0 then get_array_length($1) + start else start end + length
        order by place
    )) end
$$;
create function split_to_array(text, delimiter text default ',') returns super language sql immutable strict as $$
    select rs.list(array(select e::super from unnest(string_to_array($1, delimiter)) with ordinality x (e, n) order by n))
$$;

-- Newer functions, in which a null is a value like any other.
create function rs.same(super, super) returns bool language sql immutable as $$
    select case when $1 is null or $2 is null then $1 is null and $2 is null else rs.super_eq($1, $2) end
$$;
create function rs.array_positions(super, super, matching super default 'true'::bool::super) returns super language sql immutable as $$
    select case when rs.kind($1) = 'a' and (matching::bool or $2 is not null) then
        rs.list(array(select place::super from rs.elements($1) where rs.same(element, $2) order by place)) end
$$;
create function rs.array_position(super, super, matching super default 'true'::bool::super) returns int language sql immutable as $$
    select case when rs.kind($1) = 'a' and (matching::bool or $2 is not null) then
        coalesce((select min(place) from rs.elements($1) where rs.same(element, $2)), -1)::int end
$$;
create function rs.array_contains(super, super, matching super default 'true'::bool::super) returns bool language sql immutable as $$
    select case when rs.kind($1) <> 'a' or not matching::bool and $2 is null then null
        when exists (select from rs.elements($1) where rs.same(element, $2)) then true
        when matching::bool or not exists (select from rs.elements($1) where element is null) then false
    end
$$;
create function arrays_overlap(super, super) returns bool language sql immutable strict as $$
    select case when rs.kind($1) = 'a' and rs.kind($2) = 'a' then
        exists (select from rs.elements($1) one join rs.elements($2) other on rs.same(one.element, other.element)) end
$$;
-- The first of each kind of equal elements, in the order of the array.
create function array_distinct(super) returns super language sql immutable strict as $$
    select case when rs.kind($1) = 'a' then rs.list(array(
        select element from rs.elements($1) group by element order by min(place)
    )) end
$$;

-- Each element of the first array that has a partner in the second one; a set has each of them once.
create function rs.common(super, super, wanted bool, once bool) returns super language sql immutable as $$
    select case when rs.kind($1) = 'a' and rs.kind($2) = 'a' then rs.list(array(
        select element from (
            select element, place, row_number() over (partition by element order by place) as nth from rs.elements($1)
        ) e
        where (not once or nth = 1) and wanted = ((
            select count(*) from rs.elements($2) other where rs.same(other.element, e.element)
        ) >= case when once then 1 else nth end)
        order by place
    )) end
$$;
create function array_intersection(super, super, bool default false) returns super language sql immutable strict as $$
    select rs.common($1, $2, true, $3)
$$;
create function array_except(super, super, bool default false) returns super language sql immutable strict as $$
    select rs.common($1, $2, false, $3)
$$;
create function rs.with_names(json, upper bool) returns text language plpgsql immutable strict as $$ begin
    return case json_typeof($1)
        when 'object' then
            '{' || coalesce((select string_agg(to_json(case when $2 then upper(key) else lower(key) end)::text || ':'
                || rs.with_names(value, $2), ',' order by place) from json_each($1) with ordinality e (key, value, place)), '') || '}'
        when 'array' then
            '[' || coalesce((select string_agg(rs.with_names(value, $2), ',' order by place)
                from json_array_elements($1) with ordinality e (value, place)), '') || ']'
        else $1::text
    end;
end $$;
create function rs.renamed(super, upper bool) returns super language plpgsql immutable strict as $$
declare
    made text := rs.with_names(rs.json_text($1)::json, $2);
begin
    if made is not json with unique keys then
        perform rs.fail('Invalid input: an object would have an attribute twice');
    end if;
    return rs.of_json(made);
end $$;
create function lower_attribute_names(super) returns super language sql immutable strict as $$ select rs.renamed($1, false) $$;
create function upper_attribute_names(super) returns super language sql immutable strict as $$ select rs.renamed($1, true) $$;

-- JSON in texts.
create function is_valid_json(text) returns bool language sql immutable as $$ select $1 is json object $$;
create function is_valid_json_array(text) returns bool language sql immutable as $$ select $1 is json array $$;
-- Whether a text is valid: an error if not, unless the caller wants null.
create function rs.valid(valid bool, given text, null_if_invalid bool) returns bool language plpgsql immutable strict as $$ begin
    if not valid and not null_if_invalid then
        raise internal_error using message = 'JSON parsing error', detail = 'invalid json object ' || left(given, 200);
    end if;
    return valid;
end $$;
create function json_array_length(text, null_if_invalid bool default false) returns int language plpgsql immutable strict as $$ begin
    return case when rs.valid($1 is json array, $1, $2) then json_array_length($1::json) end;
end $$;
create function json_extract_array_element_text(text, int, null_if_invalid bool default false) returns varchar language plpgsql immutable strict as $$ begin
    return case when rs.valid($1 is json array, $1, $3) and $2 >= 0 then $1::json ->> $2 end;
end $$;
create function rs.json_path_text(given text, path text[], null_if_invalid bool) returns varchar language plpgsql immutable strict as $$
declare
    value json;
    name text;
begin
    if rs.valid(given is json object or given is json array, given, null_if_invalid) then
        value := given::json;
        foreach name in array path loop
            value := case json_typeof(value) when 'object' then value -> name end;
        end loop;
        return value #>> '{}';
    end if;
    return null;
end $$;
do $do$
declare
    texts text;
    path text;
begin
    for depth in 1..5 loop
        select string_agg('text', ', '), string_agg('$' || n + 1, ', ' order by n) into texts, path from generate_series(1, depth) n;
        execute format(
            $f$create function json_extract_path_text(text, %1$s) returns varchar language sql immutable as
               'select rs.json_path_text($1, array[%2$s], false)';
               create function json_extract_path_text(text, %1$s, bool) returns varchar language sql immutable as
               'select rs.json_path_text($1, array[%2$s], $%3$s)'$f$,
            texts, path, depth + 2
        );
    end loop;
end $do$;
create function rs.try_cast(value super, target anycompatible, kind text) returns anycompatible language plpgsql stable as $$
begin
    execute format('select $1::%s', kind) into target using value;
    return target;
exception
    when data_exception then return null;
end $$;
-- Of PostgreSQL's arrays, which its own clients unnest in queries of the catalogue.
create function rs.unnested(anyarray) returns setof anyelement language sql immutable as $$ select pg_catalog.unnest($1) $$;
