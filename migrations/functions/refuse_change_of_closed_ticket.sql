-- The lines, people and clock of a closed ticket stay as they are. The ticket is locked against being closed meanwhile. One that
-- is gone takes its parts along.
create or replace function frontdesk.refuse_change_of_closed_ticket() returns trigger
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
declare
  org uuid := coalesce(new.org_id, old.org_id);
  ticket record;
begin
  for ticket in
    select id, closed_at from tickets where org_id = org and id in (old.ticket_id, new.ticket_id) for share
  loop
    if ticket.closed_at is not null then
      raise exception 'ticket % is closed and does not change any more', ticket.id using errcode = 'FD001';
    end if;
  end loop;
  return coalesce(new, old);
end $$;
