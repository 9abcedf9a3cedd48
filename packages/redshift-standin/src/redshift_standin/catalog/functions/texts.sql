-- Functions of texts.
create function len(text) returns int language sql immutable strict as $$ select length($1) $$;
create function len(character) returns int language sql immutable strict as $$ select length($1) $$;
create function textlen(character) returns int language sql immutable strict as $$ select length($1) $$;
create function replicate(text, int) returns varchar language sql immutable strict as $$ select repeat($1, $2) $$;
create function charindex(part text, whole text) returns int language sql immutable strict as $$ select strpos($2, $1) $$;
create function octetindex(part text, whole text) returns int language sql immutable strict as $$
    select position(convert_to($1, 'UTF8') in convert_to($2, 'UTF8'))
$$;
create function rs.bpcharcmp(text, text) returns int language sql immutable strict as $$
    select sign(pg_catalog.bpcharcmp($1::bpchar, $2::bpchar))::int
$$;
create function rs.bttext_pattern_cmp(text, text) returns int language sql immutable strict as $$
    select sign(pg_catalog.bpcharcmp($1::bpchar, $2::bpchar))::int
$$;
create operator + (leftarg = text, rightarg = text, function = textcat);
create function rs.concat(text, text) returns varchar language sql immutable as $$ select $1 || $2 $$;
create function rs.chr(bigint) returns varchar language sql immutable strict as $$
    select case when $1 between 1 and 127 then pg_catalog.chr($1::int) end
$$;
create function rs.split_part(value text, delimiter text, part int) returns varchar language plpgsql immutable strict as $$
begin
    if part < 1 then
        raise invalid_parameter_value using message = 'field position must be greater than zero';
    end if;
    return pg_catalog.split_part(value, delimiter, part);
end $$;
-- American Soundex: h and w do not separate letters of the same code, vowels do.
create function soundex(value text) returns varchar language plpgsql immutable strict as $$
declare
    letters text := upper(regexp_replace(value, '[^A-Za-z]', '', 'g'));
    codes text := translate(letters, 'AEIOUYHWBFPVCGJKQSXZDTLMNR', '000000--111122222222334556');
begin
    codes := case when codes like '-%' then '0' else '' end || replace(codes, '-', '');
    codes := substr(regexp_replace(codes, '([1-6])\1+', '\1', 'g'), 2);
    return case when letters = '' then '' else rpad(left(letters, 1) || replace(codes, '0', ''), 4, '0') end;
end $$;
create function difference(a text, b text) returns int language sql immutable strict as $$
    select case
        when soundex(a) = '' and soundex(b) = '' then 1
        when soundex(a) = '' or soundex(b) = '' then 0
        else (select count(*) from generate_series(1, 4) n where substr(soundex(a), n, 1) = substr(soundex(b), n, 1))::int
    end
$$;
create function strtol(value text, base int) returns bigint language plpgsql immutable strict as $$
declare
    found text[] := regexp_match(lower(value), '^\s*([+-]?)(0x)?([0-9a-z]*)$');
    digit int;
    total numeric := 0;
begin
    if base not between 2 and 36 then
        raise invalid_parameter_value using message = format('invalid base %s: it must be between 2 and 36', base);
    end if;
    if found is null or (found[2] is not null and base <> 16) then
        raise invalid_parameter_value using message = format('The input %s is not valid to be converted to base %s', value, base);
    end if;
    for n in 1 .. length(found[3]) loop
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(found[3], n, 1)) - 1;
        if digit >= base then
            raise invalid_parameter_value using message = format('The input %s is not valid to be converted to base %s', value, base);
        end if;
        total := total * base + digit;
    end loop;
    return (found[1] || total)::bigint;
end $$;

-- Only letters of ASCII belong to [:alpha:] and its kind, and only they are equal for ILIKE in uppercase and lowercase:
-- the collation "C" makes it so.
do $do$
declare
    one record;
    kind text;
begin
    for one in
        select * from (values ('regexeq', '~'), ('regexne', '!~'), ('icregexeq', '~*'), ('icregexne', '!~*'), ('iclike', '~~*'),
            ('icnlike', '!~~*')) v (function, operator)
    loop
        foreach kind in array array['text', 'bpchar'] loop
            execute format(
                'create function rs.%1$s_%2$s(%1$s, text) returns bool language sql immutable strict as'
                ' $f$select pg_catalog.%1$s%2$s($1 collate "C", $2)$f$', kind, one.function
            );
            update pg_operator set oprcode = format('rs.%s_%s', kind, one.function)::regproc
            where oprcode = (kind || one.function)::regproc and oprname = one.operator;
        end loop;
    end loop;
end $do$;

-- Regular expressions. A pattern is POSIX's, as PostgreSQL reads it, or with the parameter `p` PCRE's.
-- PCRE takes the first alternative that matches and PostgreSQL the longest, so that only those are allowed that mean the
-- same in both. Where a word begins or ends is `\b` in PCRE and `\y` in PostgreSQL.
create function rs.pcre(pattern text) returns text language plpgsql immutable strict as $$
declare
    plain text := regexp_replace(pattern, '\\.|\[\^?\]?(?:\[:\w+:\]|[^\]])*\]', '.', 'g');
begin
    if pattern ~ '\\[QEKGRXhHvVNpPgkzZA]' or plain ~ '\(\?[^:=!<]|\(\?<[^=!]|[*+?}]\+'
        or (plain ~ '[*+?}]\?' and regexp_replace(plain, '[*+?}]\?', '', 'g') ~ '[*+}]|[^(]\?')
        or plain ~ '\|[^()]*\(|\)[^()]*\|'
    then
        perform rs.refuse('this pattern of PCRE');
    end if;
    if exists (
        select from regexp_matches(plain, '([^()]*\|[^()]*)', 'g') g,
            string_to_table(regexp_replace(g[1], '^\?:', ''), '|') with ordinality a (word, n),
            string_to_table(regexp_replace(g[1], '^\?:', ''), '|') with ordinality b (word, n)
        where a.n < b.n and (a.word || b.word !~ '^[\w @-]*$' or starts_with(b.word, a.word))
    ) then
        perform rs.refuse('a pattern of PCRE with these alternatives');
    end if;
    return regexp_replace(
        regexp_replace(pattern, '(?<!\\)((?:\\\\)*)\\b', '\1\\y', 'g'), '(?<!\\)((?:\\\\)*)\\B', '\1\\Y', 'g'
    );
end $$;
create function rs.regexp(pattern text, parameters text) returns text language plpgsql immutable strict as $$
begin
    if parameters !~ '^[ciep]*$' then
        raise invalid_parameter_value using message = format('Invalid parameters for a regular expression: %s', parameters);
    end if;
    return case when strpos(parameters, 'p') > 0 then rs.pcre(pattern) else pattern end;
end $$;
create function rs.regexp_flags(parameters text) returns text language sql immutable strict as $$
    select case when strpos(parameters, 'i') > 0 then 'i' else 'c' end
$$;
-- The number of the subexpression that is extracted: the first one with `e`, if the pattern has any.
create function rs.regexp_group(pattern text, parameters text) returns int language sql immutable strict as $$
    select case
        when strpos(parameters, 'e') > 0
            and regexp_replace(pattern, '\\.|\[\^?\]?(?:\[:\w+:\]|[^\]])*\]', '', 'g') ~ '\((?!\?)' then 1
        else 0
    end
$$;
create function rs.regexp_count(source text, pattern text, start int default 1, parameters text default 'c')
returns int language sql immutable strict as $$
    select case
        when start > length(source) then 0
        else pg_catalog.regexp_count(source collate "C", rs.regexp(pattern, parameters), greatest(start, 1), rs.regexp_flags(parameters))
    end
$$;
create function rs.regexp_instr(
    source text, pattern text, start int default 1, occurrence int default 1, option int default 0, parameters text default 'c'
) returns int language sql immutable strict as $$
    select case
        when start > length(source) or occurrence not between 1 and length(source) then 0
        else pg_catalog.regexp_instr(
            source collate "C", rs.regexp(pattern, parameters), greatest(start, 1), occurrence, case option when 0 then 0 else 1 end,
            rs.regexp_flags(parameters), rs.regexp_group(pattern, parameters)
        )
    end
$$;
create function rs.regexp_substr(
    source text, pattern text, start int default 1, occurrence int default 1, parameters text default 'c'
) returns varchar language sql immutable strict as $$
    select case
        when start > length(source) then ''
        when occurrence not between 1 and length(source) then null
        else coalesce(pg_catalog.regexp_substr(
            source collate "C", rs.regexp(pattern, parameters), greatest(start, 1), occurrence, rs.regexp_flags(parameters),
            rs.regexp_group(pattern, parameters)
        ), '')
    end
$$;
-- A reference to a group is `$1` in PCRE's replacements.
create function rs.regexp_replace(
    source text, pattern text, replacement text default '', start int default 1, parameters text default 'c'
) returns varchar language sql immutable strict as $$
    select case
        when start > length(source) then source
        else pg_catalog.regexp_replace(
            source collate "C", rs.regexp(pattern, parameters),
            case when strpos(parameters, 'p') > 0 then regexp_replace(replace(replacement, '\', '\\'), '\$(\d)', '\\\1', 'g') else replacement end,
            greatest(start, 1), 0, rs.regexp_flags(parameters)
        )
    end
$$;
