-- Procedures that utility.py calls: statements that PostgreSQL lacks, or that only change the catalogue.
set client_min_messages = warning;
set search_path = pg_catalog;

create procedure rs.nothing() language sql as '';
create procedure rs.use(name text) language plpgsql as $$
begin
    if lower(name) <> current_database() then
        raise invalid_catalog_name using message = format('database "%s" does not exist', name);
    end if;
end $$;
create procedure rs.refresh(relation text) language plpgsql as $$
begin
    execute format('refresh materialized view %s', relation::regclass);
    perform rs.note_refresh(relation::regclass);
end $$;
create procedure rs.give(relation text, owner text) language plpgsql as $$
begin
    perform rs.change_owner(relation::regclass, (parse_ident(owner))[1]);
end $$;
-- A materialized view of PostgreSQL is no view for COMMENT.
create procedure rs.comment_on_view(relation text, comment text) language plpgsql as $$
begin
    execute format(
        'comment on %s %s is %L',
        case (select relkind from pg_class where oid = relation::regclass) when 'm' then 'materialized view' else 'view' end,
        relation::regclass, comment
    );
end $$;
-- There are no external tables.
create procedure rs.drop_external_table(relation text, if_exists bool) language plpgsql as $$
begin
    if to_regclass(relation) is not null then
        raise wrong_object_type using message = format('"%s" is not an external table', to_regclass(relation));
    elsif not if_exists then
        raise undefined_table using message = format('table "%s" does not exist', relation);
    end if;
    raise notice 'table "%" does not exist, skipping', relation;
end $$;
-- Stores the storage attributes of a table. Columns are a list in SQL's form and must exist.
create procedure rs.store(relation text, kind text, columns text, value text) language plpgsql as $$
declare
    made oid := relation::regclass;
    listed text[] := array(select (parse_ident(c))[1] from regexp_split_to_table(nullif(trim(columns), ''), '\s*,\s*') c);
    missing text := (
        select c from unnest(listed) c
        where not exists (select from pg_attribute where attrelid = made and attname = c and not attisdropped)
    );
    noted jsonb := coalesce((select props from rs.props where oid = made), '{}');
begin
    if missing is not null then
        raise undefined_column using message = format('column "%s" of relation "%s" does not exist', missing, relation);
    end if;
    if kind = 'dropped key' and not exists (select from rs.keys k where k.relation = made and k.name = (parse_ident(value))[1]) then
        raise undefined_object using message = format('constraint "%s" of relation "%s" does not exist', value, relation);
    end if;
    noted := case
        when kind = 'distkey' or listed <> '{}' and kind = 'diststyle' then noted || jsonb_build_object('diststyle', 'KEY', 'distkey', listed[1])
        when kind = 'diststyle' then (noted - 'distkey') || jsonb_build_object('diststyle', upper(value))
        when kind = 'sort' then (noted - 'sort' - 'interleaved') || case when listed = '{}' then '{}' else jsonb_build_object('sort', listed) end
        when kind = 'autorefresh' then noted || jsonb_build_object('autorefresh', value)
        when kind = 'key' then noted || jsonb_build_object('keys', coalesce(noted -> 'keys', '[]') || value::jsonb)
        when kind = 'dropped key' then noted || jsonb_build_object('keys', (
            select coalesce(jsonb_agg(k.key), '[]') from rs.keys k where k.relation = made and k.name <> (parse_ident(value))[1]
        ))
        when kind = 'encode' and listed <> '{}' then
            jsonb_set(noted || jsonb_build_object('encode', coalesce(noted -> 'encode', '{}')), array['encode', listed[1]], to_jsonb(value))
        else noted
    end;
    perform rs.keep_props(made, noted);
end $$;
-- Several actions of one ALTER TABLE: the kind, columns and value of each.
create procedure rs.store_each(relation text, variadic actions text[]) language plpgsql as $$
begin
    for i in 1 .. cardinality(actions) / 3 loop
        call rs.store(relation, actions[3 * i - 2], actions[3 * i - 1], actions[3 * i]);
    end loop;
end $$;
-- ALTER TABLE APPEND: moves the rows; columns are mapped by name.
create procedure rs.append(target text, source text, extra bool, fill bool) language plpgsql as $$
declare
    common text;
    unmatched bool;
begin
    select
        string_agg(quote_ident(t.attname), ', ') filter (where t.attname is not null and s.attname is not null),
        bool_or((t.attname is null and not extra) or (s.attname is null and not fill))
    into common, unmatched
    from (select attname from pg_attribute where attrelid = target::regclass and attnum > 0 and not attisdropped) t
    full join (select attname from pg_attribute where attrelid = source::regclass and attnum > 0 and not attisdropped) s
        on s.attname = t.attname;
    if unmatched then
        raise datatype_mismatch using message = 'ALTER TABLE APPEND: the columns of the two tables do not match';
    end if;
    execute format('insert into %s (%s) select %2$s from %s', target::regclass, common, source::regclass);
    execute format('truncate %s', source::regclass);
end $$;
