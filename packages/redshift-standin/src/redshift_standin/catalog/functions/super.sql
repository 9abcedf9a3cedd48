-- Functions of JSON and SUPER.
create function json_parse(text) returns super language sql immutable as $$ select $1::jsonb::super $$;
create function rs.json_serialize(super) returns text language sql immutable as $$ select $1::jsonb::text $$;
create function rs.elements(super) returns setof super language sql immutable as $$
    select e::super from jsonb_array_elements(case jsonb_typeof($1::jsonb) when 'array' then $1::jsonb end) e
$$;
create function is_valid_json(text) returns bool language sql immutable as $$ select $1 is json object $$;
create function is_valid_json_array(text) returns bool language sql immutable as $$ select $1 is json array $$;
create function json_array_length(text) returns int language sql immutable as $$ select json_array_length($1::json) $$;
create function json_extract_path_text(text, variadic text[]) returns text language sql immutable as $$
    select json_extract_path_text($1::json, variadic $2)
$$;
create function json_extract_array_element_text(text, int) returns text language sql immutable as $$
    select $1::json ->> $2
$$;
