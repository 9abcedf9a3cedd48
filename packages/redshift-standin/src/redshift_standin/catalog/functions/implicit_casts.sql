-- Implicit conversions in expressions, "Implicit conversion types" of
-- https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html.
do $do$
declare
    numbers text[] := array['int2', 'int4', 'int8', 'numeric', 'float4', 'float8'];
    source text;
    sign text;
    a text;
    b text;
    common text;
    name text;
begin
    -- Numbers, dates and times become texts, integers become booleans.
    foreach source in array numbers || array['date', 'time', 'timetz', 'timestamp', 'timestamptz', 'oid'] loop
        execute format('create cast (%s as text) with inout as implicit', source);
    end loop;
    -- PostgreSQL's concatenations of any type would be as good a choice as that of texts.
    delete from pg_operator where oprname = '||' and 'anynonarray'::regtype in (oprleft, oprright);
    foreach source in array array['int2', 'int8'] loop
        execute format('create function rs.%s_bool(%1$s) returns bool language sql immutable as $$ select $1 <> 0 $$', source);
        execute format('create cast (%s as bool) with function rs.%1$s_bool(%1$s) as implicit', source);
    end loop;
    update pg_cast set castcontext = 'i' where castsource = 'int4'::regtype and casttarget = 'bool'::regtype;

    -- A text that is compared with a decimal is converted to a decimal; with any other number, the number to a text.
    -- PostgreSQL would prefer such an operator to those of numbers: hence there is one for each pair of numbers.
    foreach sign in array array['=', '<>', '<', '<=', '>', '>='] loop
        name := (select oprcode::text from pg_operator where oprname = sign and oprleft = 'int4'::regtype and oprright = oprleft);
        for a, b in select x, y from unnest(numbers || text 'text') x, unnest(numbers || text 'text') y loop
            continue when exists (
                select from pg_operator where oprname = sign and oprleft = a::regtype and oprright = b::regtype
            );
            common := case
                when 'text' in (a, b) and 'numeric' not in (a, b) then 'text'
                when 'float4' in (a, b) or 'float8' in (a, b) then 'float8'
                else 'numeric'
            end;
            execute format(
                'create function rs.%s(%s, %s) returns bool language sql immutable strict as $$ select $1::%s %s $2::%4$s $$',
                name, a, b, common, sign
            );
            execute format(
                'create operator pg_catalog.%s (function = rs.%s, leftarg = %s, rightarg = %s)', sign, name, a, b
            );
        end loop;
    end loop;
end $do$;
