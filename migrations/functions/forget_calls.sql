create or replace function frontdesk.forget_calls(before timestamptz, at_most integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  org uuid := frontdesk.org_id();
  first_kept uuid := frontdesk.first_id(before);
  in_use uuid[];
  gone integer;
  removed integer;
begin
  -- By the database's own clock: whoever sets the time of a call cannot set this one.
  if before > now() - interval '1 year' then
    raise exception 'the logs of the last year are kept';
  end if;
  in_use := frontdesk.calls_in_use(org, before);
  -- Changes go before the calls that made them, so that no change is ever without its call.
  with old as materialized (
    select r.id from row_log r
     where r.org_id = org and r.call_id < first_kept and r.at < before and r.call_id <> all (in_use)
     order by r.call_id, r.id
     limit at_most
  )
  delete from row_log l using old where l.org_id = org and l.id = old.id;
  get diagnostics removed = row_count;
  with old as materialized (
    select k.id from call_log k
     where k.org_id = org and k.id < first_kept and k.at < before and k.id <> all (in_use)
       and not exists (select 1 from row_log r where r.org_id = org and r.call_id = k.id)
     order by k.id
     limit at_most - removed
  )
  delete from call_log c using old where c.org_id = org and c.id = old.id;
  get diagnostics gone = row_count;
  delete from undone_calls u
   where u.org_id = org and u.undo_call_id < first_kept
     and not exists (select 1 from call_log c where c.org_id = org and c.id in (u.call_id, u.undo_call_id));
  return removed + gone;
end $$;
comment on function frontdesk.forget_calls(timestamptz, integer) is
  'Removes at most so many lines from the call log and the row log of the running transaction''s organization, of calls before '
  'that time, the oldest first, and tells how many. What something still refers to stays. Zero: there are no more. '
  'Answers to old questions change with it: who did what, and what can be undone.';
revoke all on function frontdesk.forget_calls(timestamptz, integer) from public;
grant execute on function frontdesk.forget_calls(timestamptz, integer) to frontdesk_app;
