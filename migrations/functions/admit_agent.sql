-- Whoever writes is looked at again, in the transaction of the write: a server may have looked them up a moment ago. What
-- these raise is told as it is. Their plans are kept, because each is asked by one key.
create or replace function frontdesk.admit_agent(agent uuid, token bytea) returns void
  language plpgsql stable set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
declare
  known record;
begin
  select a.name, a.token_hash, a.disabled_at into known
    from agents a
   where a.org_id = frontdesk.org_id() and a.id = agent;
  if not found or known.token_hash <> token then
    raise exception using errcode = 'FD401', message = 'This token is not known.';
  elsif known.disabled_at is not null then
    raise exception using errcode = 'FD401', message = format('The agent %s is disabled.', known.name);
  end if;
end $$;
