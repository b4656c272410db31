-- Work in lanes: each outside service has one of its own and so have jobs, and within a lane organizations take turns in the
-- order of their ids, so that nobody's backlog or hanging service holds up somebody else's work.

set lock_timeout = '5s';

-- Whose account with the service an errand uses; empty where all of them share one.
alter table errands add column account text not null default '';

create index errands_due_by_service on errands (service, org_id, due_at) where ended_at is null;
drop index errands_due_anywhere;

drop function frontdesk.orgs_with_work(timestamptz, integer);

-- The organizations after one in the order of their ids that have an errand due for a service, or without one for any that is
-- not among `beside`. Accounts in `resting` are left alone for now. The errands of a frozen organization wait, except what
-- goes to its own people.
create function frontdesk.orgs_with_errands(
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

-- The same of jobs.
create function frontdesk.orgs_with_jobs(now timestamptz, past uuid, at_most integer) returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select distinct j.org_id
  from jobs j
  where j.ended_at is null and j.due_at <= orgs_with_jobs.now
    and (j.claimed_until is null or j.claimed_until <= orgs_with_jobs.now)
    and (past is null or j.org_id > past)
  order by j.org_id
  limit at_most
$$;
revoke all on function frontdesk.orgs_with_jobs(timestamptz, uuid, integer) from public;
grant execute on function frontdesk.orgs_with_jobs(timestamptz, uuid, integer) to frontdesk_app;

