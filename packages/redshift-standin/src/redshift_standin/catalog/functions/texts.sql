-- Functions of texts and VARBYTE.
create function len(text) returns int language sql immutable as $$ select length($1) $$;
create function replicate(text, int) returns text language sql immutable as $$ select repeat($1, $2) $$;
create function charindex(part text, whole text) returns int language sql immutable as $$ select strpos($2, $1) $$;
create function rs.concat(text, text) returns text language sql immutable as $$ select $1 || $2 $$;
create function rs.regexp_replace(text, text, text default '') returns text language sql immutable as $$
    select pg_catalog.regexp_replace($1, $2, $3, 'g')
$$;
create function rs.regexp_replace(text, text, text, int) returns text language sql immutable as $$
    select pg_catalog.regexp_replace($1, $2, $3, $4, 0)
$$;
create function sha2(text, int) returns varchar language sql immutable as $$
    select encode(case $2
        when 224 then sha224(convert_to($1, 'UTF8')) when 384 then sha384(convert_to($1, 'UTF8'))
        when 512 then sha512(convert_to($1, 'UTF8')) else sha256(convert_to($1, 'UTF8'))
    end, 'hex')
$$;
create function from_hex(text) returns varbyte language sql immutable as $$ select decode($1, 'hex')::varbyte $$;
create function to_hex(varbyte) returns varchar language sql immutable as $$ select encode($1::bytea, 'hex') $$;
