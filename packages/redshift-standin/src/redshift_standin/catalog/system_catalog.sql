-- pg_catalog and information_schema as Redshift shows them: with the columns of PostgreSQL 8 and of Redshift, with whole
-- long names, and without the stand-in's own schemas and databases. rewrite.py redirects clients here from PostgreSQL's
-- own catalogue. Run after catalog.sql.
set allow_system_table_mods = on;
set client_min_messages = warning;
set search_path = pg_catalog;
create schema rs_catalog;
create schema rs_information_schema;

-- The columns of a catalogue of PostgreSQL, with whole long names.
create function rs.own_columns(relation regclass, alias text) returns text language sql stable as $$
    select string_agg(
        case
            when attname in ('relowner', 'nspowner') then format('rs.owner(%1$s.oid, %1$s.%2$I) as %2$I', alias, attname)
            when attname = 'tableowner'
                then format('pg_get_userbyid(rs.owner(to_regclass(format(''%%I.%%I'', %1$s.schemaname, %1$s.tablename)), (select oid from pg_roles where rolname = %1$s.tableowner)))::text as tableowner', alias)
            when attname = 'view_definition'  -- PostgreSQL's own fails where a late-binding view reads nothing
                then format(
                    'rs.pg_get_viewdef(to_regclass(format(''%%I.%%I'', %1$s.table_schema, %1$s.table_name))) as %2$I',
                    alias, attname
                )
            when attname = 'data_type'  -- Redshift's text is a varchar
                then format('case %1$s.data_type when ''text'' then ''character varying'' else %1$s.data_type end::varchar as data_type', alias)
            when attname = 'relkind' then format('case %1$s.relkind when ''m'' then ''v'' else %1$s.relkind end as relkind', alias)
            when format_type(atttypid, null) in ('name', 'information_schema.sql_identifier')
                then format('rs.whole(%1$s.%2$I::text) as %2$I', alias, attname)
            -- Clients do not know the domains of information_schema, only their base types.
            when format_type(atttypid, null) like 'information_schema.%'
                then format('%1$s.%2$I::%3$s as %2$I', alias, attname, (
                    select format_type(typbasetype, null) from pg_type t where t.oid = atttypid
                ))
            else format('%s.%I', alias, attname)
        end,
        ', ' order by attnum
    )
    from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped
$$;
create procedure rs.show_catalog(relation text, added text, rest text) language plpgsql as $$
begin
    execute format(
        'create view rs_catalog.%I as select %s%s%s from pg_catalog.%1$I c %5$s', relation,
        case when (select relkind from pg_class where oid = relation::regclass) = 'r' then 'c.tableoid, ' end,
        rs.own_columns(relation::regclass, 'c'), added, rest
    );
end $$;
-- Without a subquery, so that PostgreSQL inlines it.
create function rs.hidden(namespace oid) returns bool language sql stable as $$
    select namespace in ('rs'::regnamespace, 'rs_catalog'::regnamespace, 'rs_information_schema'::regnamespace)
$$;

call rs.show_catalog('pg_namespace', '', 'where not rs.hidden(c.oid)');
create function rs.diststyle(props jsonb) returns smallint language sql immutable as $$
    select coalesce(case props ->> 'diststyle' when 'EVEN' then 0 when 'KEY' then 1 when 'ALL' then 8 end, 10)
$$;
call rs.show_catalog(
    'pg_class',
    $$, false as relhasoids, c.relchecks as relukeys, c.relchecks as relfkeys, c.relchecks as relrefs,
    rs.diststyle(case when c.relkind <> 'm' then p.props end) as reldiststyle$$,
    'left join rs.props p on p.oid = c.oid where not rs.hidden(c.relnamespace)'
);
-- The data of a materialized view is in a table of its own, whose id is invented.
create function rs.storage(view oid) returns oid language sql immutable as $$ select (4294967295 - view::bigint)::oid $$;
-- A relation by its name, or such a table.
create function rs.class(name text) returns regclass language plpgsql stable as $$
declare
    view regclass := to_regclass(regexp_replace(name, 'mv_tbl__(.+)__0("?)$', '\1\2'));
begin
    if to_regclass(name) is null and exists (select from pg_class where oid = view and relkind = 'm') then
        return rs.storage(view);
    end if;
    return name::regclass;
end $$;
create procedure rs.show_storage(relation text, id text, replaced jsonb) language plpgsql as $$
begin
    execute format('alter view rs_catalog.%I rename to %1$s_of_relations', relation);
    execute format('alter view rs_catalog.%s_of_relations set schema rs', relation);
    execute format(
        'create view rs_catalog.%1$I as select * from rs.%1$s_of_relations union all
         select %2$s from rs.%1$s_of_relations c join rs.props p on p.oid = c.%3$I and p.props ? ''mv''',
        relation,
        (select string_agg(coalesce(replaced ->> attname, format('c.%I', attname)), ', ' order by attnum)
         from pg_attribute where attrelid = format('rs.%s_of_relations', relation)::regclass),
        id
    );
end $$;
call rs.show_storage(
    'pg_class', 'oid',
    $${"oid": "rs.storage(c.oid)", "relname": "'mv_tbl__' || c.relname || '__0'", "relkind": "'r'::\"char\"", "relhasrules": "false", "reldiststyle": "rs.diststyle(p.props)"}$$
);
create view rs_catalog.pg_class_info as
    select *, reldiststyle as releffectivediststyle, rs.getdate() as relcreationtime from rs_catalog.pg_class;
call rs.show_catalog(
    'pg_attribute',
    $$, coalesce(p.props ->> 'distkey' = c.attname, false) as attisdistkey, false as attispreloaded,
    case when p.props ->> 'interleaved' is not null then -1 else 1 end * coalesce((
        select s.place from jsonb_array_elements_text(p.props -> 'sort') with ordinality s (name, place)
        where s.name = c.attname
    ), 0)::int as attsortkeyord,
    coalesce(array_position(
        array['none', 'raw', 'bytedict', 'delta', 'lzo', 'mostly8', 'mostly16', 'mostly32', 'runlength', 'text255',
              'text32k', 'zstd', 'az64', 'delta32k'], p.props -> 'encode' ->> c.attname::text
    ), 0) as attencodingtype$$,
    -- A late-binding view has no columns here: pg_get_late_binding_view_cols() returns them.
    $$left join rs.props p on p.oid = c.attrelid where p.props ->> 'lbv' is null$$
);
call rs.show_storage('pg_attribute', 'attrelid', $${"attrelid": "rs.storage(c.attrelid)"}$$);
call rs.show_catalog('pg_attrdef', ', pg_get_expr(c.adbin, c.adrelid) as adsrc', '');
-- PostgreSQL's own constraints, and the keys that Redshift shows and does not enforce. Their ids are invented.
create view rs.keys as
    select
        p.oid as relation, 3000000000 + (p.oid::bigint * 64 + k.place) % 1000000000 as id, k.key,
        k.key ->> 'type' as type,
        coalesce(k.key ->> 'name', c.relname || case k.key ->> 'type'
            when 'p' then '_pkey' when 'u' then '_' || (k.key -> 'columns' ->> 0) || '_key'
            else '_' || (k.key -> 'columns' ->> 0) || '_fkey'
        end) as name,
        to_regclass((
            select string_agg(quote_ident(part), '.' order by place)
            from jsonb_array_elements_text(k.key -> 'target') with ordinality t (part, place)
        )) as target
    from rs.props p
    join pg_class c on c.oid = p.oid,
    lateral jsonb_array_elements(p.props -> 'keys') with ordinality k (key, place);
create function rs.numbers(relation oid, names jsonb) returns jsonb language sql stable as $$
    select jsonb_agg(a.attnum order by n.place)
    from jsonb_array_elements_text(names) with ordinality n (name, place)
    join pg_attribute a on a.attrelid = relation and a.attname = n.name
$$;
create view rs.constraints as
    select tableoid, * from pg_constraint where contype <> 'n'  -- PostgreSQL 8 keeps not null in pg_attribute alone
    union all
    select 'pg_constraint'::regclass, made.*
    from rs.keys k join pg_class c on c.oid = k.relation,
    lateral jsonb_populate_record(null::pg_catalog.pg_constraint, jsonb_build_object(
        'oid', k.id, 'conname', k.name, 'connamespace', c.relnamespace, 'contype', k.type, 'conrelid', k.relation,
        'condeferrable', false, 'condeferred', false, 'conenforced', false, 'convalidated', false, 'contypid', 0,
        'conindid', 0, 'conparentid', 0, 'confrelid', coalesce(k.target::oid, 0), 'conislocal', true, 'coninhcount', 0,
        'connoinherit', true, 'conkey', rs.numbers(k.relation, k.key -> 'columns'),
        'confkey', rs.numbers(k.target, k.key -> 'referenced')
    )) made;
create function rs.pg_get_constraintdef(id oid) returns text language sql stable as $$
    select coalesce((
        select rs.whole_text(
            case k.type when 'p' then 'PRIMARY KEY' when 'u' then 'UNIQUE' else 'FOREIGN KEY' end || ' ('
            || (select string_agg(quote_ident(name), ', ') from jsonb_array_elements_text(k.key -> 'columns') c (name)) || ')'
            || coalesce(' REFERENCES ' || k.target::text || '('
            || (select string_agg(quote_ident(name), ', ') from jsonb_array_elements_text(k.key -> 'referenced') c (name))
            || ')', '')
        )
        from rs.keys k where k.id = $1::bigint
    ), rs.whole_text(pg_catalog.pg_get_constraintdef($1)))
$$;
create function rs.pg_get_constraintdef(id oid, pretty bool) returns text language sql stable as $$
    select rs.pg_get_constraintdef($1)
$$;
do $$
begin
    execute format(
        'create view rs_catalog.pg_constraint as select c.tableoid, %s, pg_get_expr(c.conbin, c.conrelid) as consrc
         from rs.constraints c', rs.own_columns('pg_constraint', 'c')
    );
end $$;
create function format_encoding(int) returns text language sql immutable as $$
    select coalesce((array['none', 'raw', 'bytedict', 'delta', 'lzo', 'mostly8', 'mostly16', 'mostly32', 'runlength',
                           'text255', 'text32k', 'zstd', 'az64', 'delta32k'])[$1], 'none')
$$;
call rs.show_catalog(
    'pg_proc', $$, c.prokind = 'a' as proisagg, c.prokind = 'w' as proiswindow$$, 'where not rs.hidden(c.pronamespace)'
);
call rs.show_catalog('pg_type', '', 'where not rs.hidden(c.typnamespace)');
call rs.show_catalog('pg_database', '', 'where c.datname = current_database()');
create view rs_catalog.pg_user as
    select
        usename::text, usesysid, usecreatedb,
        (usesuper or pg_has_role(usesysid, (select datdba from pg_database where datname = current_database()), 'usage'))
        and usename not like 'IAM%' as usesuper, false as usecatupd, passwd,
        valuntil, useconfig
    from pg_user;
call rs.show_catalog('pg_group', '', $$where c.groname not like 'pg\_%' and c.groname <> 'rs_keeper'$$);
call rs.show_catalog('pg_tables', '', $$where c.schemaname not like 'rs%'$$);
call rs.show_catalog('pg_indexes', '', $$where c.schemaname not like 'rs%'$$);
alter view rs_catalog.pg_indexes rename to indexes;
alter view rs_catalog.indexes set schema rs;
-- Keys have an index, from which awswrangler reads their columns.
create view rs_catalog.pg_indexes as
    select * from rs.indexes
    union all
    select
        n.nspname, c.relname, k.name, null,
        format('CREATE UNIQUE INDEX %I ON %I.%I USING btree (%s)', k.name, n.nspname, c.relname, (
            select string_agg(quote_ident(rs.whole(name)), ', ' order by place)
            from jsonb_array_elements_text(k.key -> 'columns') with ordinality o (name, place)
        ))
    from (select * from rs.keys where type in ('p', 'u') order by relation, type) k
    join rs_catalog.pg_class c on c.oid = k.relation
    join rs_catalog.pg_namespace n on n.oid = c.relnamespace;
-- Clients recognise a materialized view by the beginning of its definition.
create function rs.pg_get_viewdef(view oid, pretty bool default false) returns text language sql stable as $$
    select rs.whole_text(coalesce(
        rs.late_query(view),
        (
            select format(
                'create materialized view %I backup yes diststyle %s auto refresh %s as %s', c.relname,
                lower(p.props ->> 'diststyle'), coalesce(p.props ->> 'autorefresh', 'no'),
                ltrim(pg_catalog.pg_get_viewdef(c.oid, pretty))
            )
            from pg_class c join rs.props p on p.oid = c.oid where c.oid = view and c.relkind = 'm'
        ),
        pg_catalog.pg_get_viewdef(view, pretty)
    ))
$$;
create view rs_catalog.pg_views as
    select
        rs.whole(n.nspname) as schemaname, rs.whole(c.relname) as viewname,
        pg_get_userbyid(rs.owner(c.oid, c.relowner))::text as viewowner,
        rs.pg_get_viewdef(c.oid) as definition
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('v', 'm') and not rs.hidden(n.oid);
-- A view of Redshift alone; as on Redshift, only with schemas of the search path.
create view rs_catalog.pg_table_def as
    select
        n.nspname as schemaname, c.relname as tablename, a.attname as "column",
        rs.format_type(a.atttypid, a.atttypmod) as type,
        coalesce(p.props -> 'encode' ->> a.attname, 'none') as encoding, a.attisdistkey as distkey,
        a.attsortkeyord as sortkey, a.attnotnull as "notnull"
    from rs_catalog.pg_class c
    join rs_catalog.pg_namespace n on n.oid = c.relnamespace
    join rs_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join rs.props p on p.oid = c.oid
    where c.relkind = 'r' and pg_table_is_visible(c.oid);

do $$
declare
    relation record;
begin
    for relation in
        select c.oid, c.relname,
            (select a.attname from pg_attribute a where a.attrelid = c.oid
             and a.attname in ('table_schema', 'schema_name', 'routine_schema', 'constraint_schema')
             order by a.attname desc limit 1) as schema_column
        from pg_class c where c.relnamespace = 'information_schema'::regnamespace and c.relkind = 'v'
    loop
        execute format(
            'create view rs_information_schema.%I as select %s from information_schema.%1$I c%3$s', relation.relname,
            rs.own_columns(relation.oid::regclass, 'c'),
            case when relation.schema_column is not null then format(' where c.%I not like ''rs%%''', relation.schema_column) end
        );
    end loop;
end $$;

-- Without the columns of late-binding views, as pg_attribute above.
alter view rs_information_schema.columns set schema rs;
create view rs_information_schema.columns as
    select c.* from rs.columns c
    where not exists (
        select from rs.props p
        join rs_catalog.pg_class k on k.oid = p.oid
        join rs_catalog.pg_namespace n on n.oid = k.relnamespace
        where p.props ->> 'lbv' is not null and k.relname = c.table_name and n.nspname = c.table_schema
    );

create function rs.current_schema() returns text language sql stable as $$ select rs.whole(pg_catalog.current_schema()) $$;
create function rs.version() returns text language sql stable as $$
    select 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.0 (stand-in on PostgreSQL '
        || current_setting('server_version') || ')'
$$;
-- The user of the session, unless it acts as another one than the owner of the database, to whom full users belong.
create function rs."current_user"() returns name language sql stable as $$
    select case
        when current_user = (select pg_get_userbyid(datdba) from pg_database where datname = current_database())
            then session_user
        else current_user
    end
$$;
-- Privileges: explicit grants, and everything for owners and superusers.
create function rs.identity_type(identity oid) returns text language sql stable as $$
    select coalesce(
        (select case when rolcanlogin then 'user' when rolinherit then 'group' else 'role' end
         from pg_roles where oid = $1),
        'public'
    )
$$;
create view rs.grants as
    select
        c.oid as object, n.nspname as schema_name, c.relname as name, a.privilege_type, a.is_grantable,
        coalesce(r.rolname, 'public')::text as identity_name, rs.identity_type(a.grantee) as identity_type
    from rs_catalog.pg_class c
    join rs_catalog.pg_namespace n on n.oid = c.relnamespace,
    lateral aclexplode(c.relacl) a
    left join pg_roles r on r.oid = a.grantee
    where c.relkind in ('r', 'v') and a.grantee <> (select o.relowner from pg_class o where o.oid = c.oid)
    union all
    select
        n.oid, n.nspname, n.nspname, a.privilege_type, a.is_grantable, coalesce(r.rolname, 'public')::text,
        rs.identity_type(a.grantee)
    from rs_catalog.pg_namespace n, lateral aclexplode(n.nspacl) a
    left join pg_roles r on r.oid = a.grantee
    where a.grantee <> (select o.nspowner from pg_namespace o where o.oid = n.oid);
create function rs.may(identity text, object oid, privilege text) returns bool language sql stable as $$
    select exists (
        select from pg_roles r
        where r.rolname = $1 and (
            r.oid = (select relowner from rs_catalog.pg_class where oid = $2)
            or r.oid = (select nspowner from rs_catalog.pg_namespace where oid = $2)
            or (select u.usesuper from rs_catalog.pg_user u where u.usename = $1)
        )
    ) or exists (
        select from rs.grants g
        where g.object = $2 and g.privilege_type = upper($3) and g.identity_name in (
            select 'public' union all select $1 union all
            select r.rolname
            from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles u on u.oid = m.member
            where u.rolname = $1
        )
    )
$$;
create function rs.has_table_privilege(identity text, relation text, privilege text) returns bool
language sql stable as $$
    select c.relnamespace = 'pg_catalog'::regnamespace or rs.may($1, c.oid, $3)
    from pg_class c where c.oid = rs.short_text($2)::regclass
$$;
create function rs.has_table_privilege(relation text, privilege text) returns bool language sql stable as $$
    select rs.has_table_privilege(rs."current_user"()::text, $1, $2)
$$;
create function rs.has_schema_privilege(identity text, name text, privilege text) returns bool
language sql stable as $$
    select rs.may($1, rs.short_text($2)::regnamespace, $3)
$$;
create function rs.has_schema_privilege(name text, privilege text) returns bool language sql stable as $$
    select rs.has_schema_privilege(rs."current_user"()::text, $1, $2)
$$;
