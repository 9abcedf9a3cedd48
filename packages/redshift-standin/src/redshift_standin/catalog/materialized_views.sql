-- Materialized views are PostgreSQL's own; the catalogue shows them as Redshift does, as views. Run after catalog.sql.
-- A view is stale when one of its tables has rows that its last refresh did not see, or fewer rows than then.
set allow_system_table_mods = on;
set client_min_messages = warning;
set search_path = pg_catalog;

create table rs.refreshed (view oid primary key, seen pg_snapshot not null, own xid8 not null, counted jsonb not null);
-- The relations that a view reads.
create function rs.sources(view oid) returns setof oid language sql stable as $$
    select distinct d.refobjid
    from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    where r.ev_class = view and d.refclassid = 'pg_class'::regclass and d.refobjid <> view
$$;
create function rs.count_changes(relation regclass, since rs.refreshed, out counted bigint, out later bigint)
language plpgsql as $$
begin
    execute format(
        'select count(*), count(*) filter (where not pg_visible_in_snapshot(xmin::text::xid8, $1) and xmin::text::xid8 <> $2) from %s',
        relation
    ) using since.seen, since.own into counted, later;
end $$;
create function rs.note_refresh(view oid) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
    refresh rs.refreshed := row (view, pg_current_snapshot(), pg_current_xact_id(), '{}');
begin
    perform rs.enlist_owner(view);
    refresh.counted := (
        select coalesce(jsonb_object_agg(s, (rs.count_changes(s::regclass, refresh)).counted), '{}') from rs.sources(view) s
    );
    insert into rs.refreshed values (refresh.*)
    on conflict on constraint refreshed_pkey do update set seen = refresh.seen, own = refresh.own, counted = refresh.counted;
end $$;
create function rs.is_stale_now(viewed oid) returns bool language sql volatile security definer
set search_path = pg_catalog, pg_temp as $$
    select rs.enlist_owner(viewed);
    select coalesce(bool_or(c.later > 0 or c.counted <> (r.counted ->> s::text)::bigint), false)
    from rs.refreshed r, rs.sources(viewed) s, rs.count_changes(s::regclass, r) c
    where r.view = viewed
$$;

-- information_schema has them too, as views.
do $$
declare
    relation record;
begin
    for relation in
        select c.oid, c.oid::regclass as name, pg_get_viewdef(c.oid) as body
        from pg_class c
        where c.relnamespace = 'information_schema'::regnamespace and c.relkind = 'v'
            and pg_get_viewdef(c.oid) like '%relkind%''v''::"char"%'
    loop
        execute format(
            'create or replace view %s as %s', relation.name,
            replace(
                replace(relation.body, '= ''v''::"char"', '= any (array[''v''::"char"])'),
                '''v''::"char"', '''v''::"char", ''m''::"char"'
            )
        );
    end loop;
end $$;
