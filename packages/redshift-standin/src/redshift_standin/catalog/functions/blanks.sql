-- Trailing blanks are not significant when texts are compared, of char and of varchar. PostgreSQL does so for char
-- alone ("Significance of trailing blanks"): its functions for char compare, hash and sort varchar here too.
update pg_operator o set oprcode = replace(o.oprcode::text, 'text', 'bpchar')::regproc
where o.oprleft = 'text'::regtype and o.oprright = 'text'::regtype and o.oprname in ('=', '<>')
    and o.oprcode in ('texteq'::regproc, 'textne'::regproc);
update pg_operator o set oprcode = replace(o.oprcode::text, 'text_', 'bpchar')::regproc
where o.oprcode in ('text_lt'::regproc, 'text_le'::regproc, 'text_gt'::regproc, 'text_ge'::regproc);
update pg_amproc set amproc = case amproc::text
    when 'bttextcmp' then 'bpcharcmp' when 'bttextsortsupport' then 'bpchar_sortsupport'
    when 'hashtext' then 'hashbpchar' when 'hashtextextended' then 'hashbpcharextended'
end::regproc
where amproclefttype = 'text'::regtype and amprocrighttype = 'text'::regtype and amprocfamily in (
    select oid from pg_opfamily where opfname = 'text_ops' and opfmethod in (select oid from pg_am where amname in ('btree', 'hash'))
) and amproc::text in ('bttextcmp', 'bttextsortsupport', 'hashtext', 'hashtextextended');
-- Its values are equal without being the same, so an index must not merge them.
delete from pg_amproc where amproc = 'btvarstrequalimage'::regproc and amproclefttype = 'text'::regtype;
-- Lengths of char do not count them. (A function of PostgreSQL itself cannot be replaced: it is called by its number.)
create function rs.octet_length(text) returns int language sql immutable strict as $$ select pg_catalog.octet_length($1) $$;
create function rs.octet_length(character) returns int language sql immutable strict as $$
    select pg_catalog.octet_length($1::text)
$$;
