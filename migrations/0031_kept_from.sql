-- What is out of somebody's reach is said where its table is declared, after `frontdesk.enable_tenant` or `frontdesk.isolate`:
-- the kernel asks for it here and keeps no list of its own.

set lock_timeout = '5s';

-- From agents: fields that are told to people only. From undo: what is changed by its own actions only. Without a column the
-- whole table.
create table frontdesk.kept_from (
  whom text not null,
  table_name text not null,
  column_name text,
  constraint kept_from_whom check (whom in ('agents', 'undo')),
  constraint kept_from_agents_by_column check (whom <> 'agents' or column_name is not null),
  constraint kept_from_once unique nulls not distinct (whom, table_name, column_name)
);
comment on constraint kept_from_whom on frontdesk.kept_from is 'Something is kept from agents or from undo.';
comment on constraint kept_from_agents_by_column on frontdesk.kept_from is
  'From agents fields are kept; a data type that is for people only says so itself.';
comment on constraint kept_from_once on frontdesk.kept_from is 'It is kept from them already.';
grant select on frontdesk.kept_from to frontdesk_app;

create function frontdesk.keep_from(whom text, tbl regclass, columns text[] default array[null]) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  unknown text := (
    select string_agg(said, ', ') from unnest(columns) said
     where said is not null and not exists (
       select 1 from pg_attribute where attrelid = tbl and attname = said and attnum > 0 and not attisdropped));
begin
  if unknown is not null then
    raise exception '% has no column %', tbl, unknown;
  end if;
  insert into frontdesk.kept_from (whom, table_name, column_name)
    select keep_from.whom, (select relname from pg_class where oid = tbl), said from unnest(columns) said;
end $$;
comment on function frontdesk.keep_from(text, regclass, text[]) is
  'Keeps columns of a table from agents or from undo, or all of it from undo.';

-- An agent works with people's names and needs none of their addresses.
select frontdesk.keep_from('agents', 'users', '{email}');

-- Who may decide, and the switch that holds agents: an undo must never widen that.
select frontdesk.keep_from('undo', 'agents');
select frontdesk.keep_from('undo', 'rules');
select frontdesk.keep_from('undo', 'users');
select frontdesk.keep_from('undo', 'orgs', '{frozen_at}');
