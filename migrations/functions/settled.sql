-- How much a call counts for what came later: 0 if it holds, 1 if it is an undo that holds, whose changes and those it took
-- back came to nothing together, and 2 if it is undone itself.
create or replace function frontdesk.settled(call uuid) returns integer language sql stable set search_path = pg_catalog, public as $$
  select case
    when frontdesk.undone_by(call) is not null then 2
    when exists (select 1 from undone_calls u where u.org_id = frontdesk.org_id() and u.undo_call_id = settled.call) then 1
    else 0
  end
$$;
