-- The logs are not kept for ever. The service may add to them and never change them, so what is old is removed by a function
-- of the owner: a piece at a time, and never what is younger than a year.

set lock_timeout = '5s';

create function frontdesk.first_id(moment timestamptz) returns uuid language sql immutable parallel safe
  as $$ select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;
comment on function frontdesk.first_id(timestamptz) is
  'Where the ids given out from then on begin: an id begins with its time in milliseconds.';

create function frontdesk.calls_in_use(org uuid, before timestamptz) returns uuid[]
  language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
begin
  return array(
    select used.call_id
      from (
        -- What is not decided, and what a rule in force was allowed by.
        select unnest(array[a.asked_call_id, a.decided_call_id, a.executed_call_id])
          from authorizations a
         where a.org_id = org and a.status = 'pending'
        union
        select unnest(array[a.asked_call_id, a.decided_call_id, a.executed_call_id])
          from rules r
          join authorizations a on a.org_id = r.org_id and a.id = r.authorization_id
         where r.org_id = org and r.revoked_at is null
        union
        -- What is still to be done because of a call.
        select e.call_id from errands e where e.org_id = org and e.ended_at is null
        union
        select j.caused_by from jobs j where j.org_id = org and j.ended_at is null
        union
        -- What a repeat would be answered with.
        select k.call_id from idempotency_keys k where k.org_id = org and k.created_at < before
        union
        -- What was taken back later: that undo may be undone too.
        select u.call_id from undone_calls u where u.org_id = org and u.undo_call_id >= frontdesk.first_id(before)
      ) used (call_id)
     where used.call_id is not null);
end $$;
comment on function frontdesk.calls_in_use(uuid, timestamptz) is
  'Calls before that time that something still refers to, however old they are; and maybe younger ones.';

create function frontdesk.forget_calls(before timestamptz, at_most integer) returns integer
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
