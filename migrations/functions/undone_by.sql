-- The call that undid this one and is not undone itself; none while this one holds.
create or replace function frontdesk.undone_by(call uuid) returns uuid language plpgsql stable set search_path = pg_catalog, public as $$
declare
  undo uuid;
begin
  for undo in
    select u.undo_call_id from undone_calls u
     where u.org_id = frontdesk.org_id() and u.call_id = call
     order by u.undo_call_id desc
  loop
    if frontdesk.undone_by(undo) is null then
      return undo;
    end if;
  end loop;
  return null;
end $$;
