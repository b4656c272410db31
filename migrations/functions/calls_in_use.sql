create or replace function frontdesk.calls_in_use(org uuid, before timestamptz) returns uuid[]
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
