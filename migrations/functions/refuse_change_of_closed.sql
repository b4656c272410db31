-- A closed ticket stays as it is. An undo tells this refusal by its code.
create or replace function frontdesk.refuse_change_of_closed() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  raise exception 'ticket % is closed and does not change any more', old.id using errcode = 'FD001';
end $$;
