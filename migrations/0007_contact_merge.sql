-- Two records of one customer become one: the one that goes says where it went, and what referred to it refers to the
-- one that stays.

set lock_timeout = '5s';

alter table contacts add column merged_into uuid;
alter table contacts add constraint contact_merged_into foreign key (org_id, merged_into) references contacts (org_id, id);
alter table contacts add constraint merged_contact_is_archived check (merged_into is null or archived_at is not null);
create index contacts_by_merged_into on contacts (org_id, merged_into);
comment on constraint contact_merged_into on contacts is 'A contact is merged into another one of this organization.';
comment on constraint merged_contact_is_archived on contacts is 'A contact that was merged into another one stays archived.';

-- Makes whatever refers to one row refer to another one of the same table, and tells how many rows of which table that
-- were. The tables in `own` are left alone: parts that the caller moves itself, because some may not be there twice.
create function frontdesk.repoint(target text, from_id uuid, to_id uuid, own text[])
  returns table (table_name text, rows bigint)
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select c.conrelid::regclass::text as table_name, a.attname::text as column_name
      from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
     where c.contype = 'f' and c.confrelid = target::regclass and array_length(c.conkey, 1) = 2
       and not c.conrelid::regclass::text = any (own)
     order by 1, 2
  loop
    table_name := key.table_name;
    execute format('update %s set %I = $3 where org_id = $1 and %I = $2', key.table_name, key.column_name, key.column_name)
      using frontdesk.org_id(), from_id, to_id;
    get diagnostics rows = row_count;
    if rows > 0 then
      return next;
    end if;
  end loop;
end $$;
