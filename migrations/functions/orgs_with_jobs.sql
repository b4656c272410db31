-- The organizations after one in the order of their ids that have a job due.
create or replace function frontdesk.orgs_with_jobs(now timestamptz, past uuid, at_most integer) returns table (org_id uuid)
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
