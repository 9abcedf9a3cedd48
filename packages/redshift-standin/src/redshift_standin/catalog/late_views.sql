-- Views WITH NO SCHEMA BINDING: names in their text are resolved when they are read, not when they are created. Run after catalog.sql.
-- Each is a PostgreSQL view without dependencies, so that the relations it reads can be renamed, altered and dropped.
-- Before a statement that names it, late_views.py has it rewritten from its text if a name refers to something else now.
set client_min_messages = warning;
set search_path = pg_catalog;

-- The relations to which a late-binding view's text referred when it was written last; `relation` is 0 for a missing one.
create table rs.bound (late oid not null, name text, relation oid not null, shape text);
create index on rs.bound (late);

create view rs.late_views as
    select c.oid, c.relname, format('%I.%I', n.nspname, c.relname) as name, p.props ->> 'columns' as columns, p.props ->> 'query' as query
    from rs.props p join pg_class c on c.oid = p.oid join pg_namespace n on n.oid = c.relnamespace
    where p.props ? 'query';
create function rs.late_query(oid) returns text language sql stable as $$ select query from rs.late_views where oid = $1 $$;
create function rs.shape(relation oid) returns text language sql stable as $$
    select md5(string_agg(format('%s %s %s', attname, atttypid, atttypmod), ',' order by attnum))
    from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped
$$;
create function rs.is_stale(view oid) returns bool language sql stable as $$
    select exists (
        select from rs.bound b
        where b.late = view and (to_regclass(b.name)::oid is distinct from b.relation or rs.shape(b.relation) is distinct from b.shape)
    )
$$;

-- The source of a view whose text refers to a missing relation.
create function rs.unbound(state text, message text) returns setof bool language plpgsql as $$
begin
    raise exception using errcode = state, message = message;
end $$;

-- Removes the dependencies of a late-binding view, and notes to what its names refer now.
create function rs.unbind(made oid) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (
        delete from pg_depend
        where classid = 'pg_rewrite'::regclass and objid = (select oid from pg_rewrite where ev_class = made)
            and refclassid = 'pg_class'::regclass and refobjid <> made
            and exists (select from rs.late_views where oid = made)
        returning refobjid
    )
    insert into rs.bound
    select distinct made, format('%I.%I', c.relnamespace::regnamespace::name, c.relname), c.oid, rs.shape(c.oid)
    from gone join pg_class c on c.oid = gone.refobjid
$$;
-- Writes a late-binding view from its text, which is a client's: with the rights of access.sql's rs_keeper, no superuser.
create function rs.bind(view rs.late_views) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
    definition text := format(' view %s %s as %s', view.name, view.columns, view.query);
    made oid;
    restore text[];
    again text;
begin
    perform rs.enlist_owner(view.oid);
    delete from rs.bound where late = view.oid;
    begin
        execute 'create or replace' || definition;
    exception
        when invalid_table_definition then  -- with other columns PostgreSQL needs a new view
            restore := array(
                select format('grant %s on %s to %s', privilege_type, view.name, coalesce(quote_ident(r.rolname), 'public'))
                    || case when is_grantable then ' with grant option' else '' end
                from pg_class c, aclexplode(c.relacl) left join pg_roles r on r.oid = grantee
                where c.oid = view.oid and grantee <> c.relowner
            ) || format('alter view %s owner to %I', view.name, (select pg_get_userbyid(relowner) from pg_class where oid = view.oid))
              || format('comment on view %s is %L', view.name, obj_description(view.oid, 'pg_class'));
            execute 'drop view ' || view.name;
            execute 'create' || definition;
            foreach again in array restore loop
                execute again;
            end loop;
        when undefined_table or undefined_column or undefined_function or invalid_schema_name or datatype_mismatch then
            execute format(
                'create or replace view %s as select %s from rs.unbound(%L, %L)', view.name,
                (select string_agg(format('null::%s as %I', format_type(atttypid, atttypmod), attname), ', ' order by attnum)
                 from pg_attribute where attrelid = view.oid and attnum > 0),
                sqlstate, sqlerrm
            );
            insert into rs.bound values (view.oid, null, 0);
    end;
    made := view.name::regclass;
    update rs.props set oid = made where oid = view.oid and oid <> made;
    perform rs.unbind(made);
end $$;

create procedure rs.create_late_view(name text, replaces bool, columns text, query text, props jsonb) language plpgsql as $$
declare
    made oid;
begin
    if to_regclass(name) is null then
        execute format('create view %s as select', name);
    elsif not replaces then
        raise duplicate_table using message = format('relation "%s" already exists', to_regclass(name));
    end if;
    props := props || jsonb_build_object('columns', columns, 'query', query);
    made := name::regclass;
    perform rs.keep_props(made, props);
    perform rs.bind(v) from rs.late_views v where v.oid = made;
end $$;

-- Rewrites the stale ones of the late-binding views of these names and of the views that they read.
create function rs.freshen(names text[]) returns void language plpgsql as $$
declare
    stale oid[];
    before oid[];
begin
    loop
        stale := array(
            with recursive needed as (
                select * from rs.late_views where relname = any(names)
                union
                select v.* from needed n join rs.late_views v on position(v.relname::text in lower(n.query)) > 0
            )
            select oid from needed where rs.is_stale(oid) order by oid
        );
        exit when stale = '{}' or stale = before;
        before := stale;
        perform rs.bind(v) from rs.late_views v where v.oid = any(stale);
    end loop;
end $$;
