-- The organizations after one in the order of their ids that have an errand due for a service, or without one for any that is
-- not among `beside`. Accounts in `resting` are left alone for now. The errands of a frozen organization wait, except what
-- goes to its own people.
create or replace function frontdesk.orgs_with_errands(
  now timestamptz, of_service text, beside text[], resting text[], past uuid, at_most integer
) returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select distinct e.org_id
  from errands e
  join orgs o on o.org_id = e.org_id and o.id = e.org_id and (o.frozen_at is null or not e.outward)
  where e.ended_at is null and e.due_at <= orgs_with_errands.now
    and (e.claimed_until is null or e.claimed_until <= orgs_with_errands.now)
    and (e.service = of_service or (of_service is null and e.service <> all(beside)))
    and e.account <> all(resting)
    and (past is null or e.org_id > past)
  order by e.org_id
  limit at_most
$$;
revoke all on function frontdesk.orgs_with_errands(timestamptz, text, text[], text[], uuid, integer) from public;
grant execute on function frontdesk.orgs_with_errands(timestamptz, text, text[], text[], uuid, integer) to frontdesk_app;
