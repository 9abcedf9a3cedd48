-- Roles, users, schemas and grants in the warehouse. It can run again: it creates what is missing and repeats the grants.
-- It is a procedure, because Redshift has neither DO blocks nor IF NOT EXISTS for users and roles.
create or replace procedure public.grant_access()
as $$
declare
    present integer;
begin
    select into present count(*) from svv_roles where role_name = 'loader';
    if present = 0 then
        create role loader;
    end if;
    select into present count(*) from svv_roles where role_name = 'transformer';
    if present = 0 then
        create role transformer;
    end if;
    select into present count(*) from svv_roles where role_name = 'reader';
    if present = 0 then
        create role reader;
    end if;

    -- The users that the IAM roles sign in as. They have no password: they can sign in only through AWS.
    select into present count(*) from pg_user where usename = '${loader_user}';
    if present = 0 then
        create user "${loader_user}" password disable;
    end if;
    select into present count(*) from pg_user where usename = '${transformer_user}';
    if present = 0 then
        create user "${transformer_user}" password disable;
    end if;
    grant role loader to "${loader_user}";
    grant role transformer to "${transformer_user}";

    -- The writer of a schema owns it. Nobody creates tables in the schema public.
    revoke create on schema public from public;
%{ for schema in concat(raw_schemas, ["ops"]) ~}
    create schema if not exists ${schema} authorization "${loader_user}";
%{ endfor ~}
    create schema if not exists bronze authorization "${transformer_user}";
    create schema if not exists silver authorization "${transformer_user}";
    create schema if not exists gold authorization "${transformer_user}";

    -- dlt creates a staging schema for each raw schema, for tables that are replaced as a whole.
    grant create on database ${database} to role loader;

    -- The transformer reads the raw tables, existing and future ones, and cannot change them.
%{ for schema in concat(raw_schemas, ["ops"]) ~}
    grant usage on schema ${schema} to role transformer;
    grant select on all tables in schema ${schema} to role transformer;
    alter default privileges for user "${loader_user}" in schema ${schema} grant select on tables to role transformer;
%{ endfor ~}

    -- It appends the record of its builds and audits to tables of ops, which the loader creates.
    grant insert on all tables in schema ops to role transformer;
    alter default privileges for user "${loader_user}" in schema ops grant insert on tables to role transformer;

    -- Readers read only silver and gold, where every column has a contract.
%{ for schema in ["silver", "gold"] ~}
    grant usage on schema ${schema} to role reader;
    grant select on all tables in schema ${schema} to role reader;
    alter default privileges for user "${transformer_user}" in schema ${schema} grant select on tables to role reader;
%{ endfor ~}
end;
$$ language plpgsql
