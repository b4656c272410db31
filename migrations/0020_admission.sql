-- Whoever writes is looked at again, in the transaction of the write: a server may have looked them up a moment ago. What
-- these raise is told as it is. Their plans are kept, because each is asked by one key.
create function frontdesk.admit_agent(agent uuid, token bytea) returns void
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

create function frontdesk.admit_user(person uuid, as_role text, session uuid) returns void
  language plpgsql stable set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
declare
  known record;
begin
  select u.name, u.role, u.deactivated_at,
         session is null or exists (
           select 1 from sessions s where s.org_id = frontdesk.org_id() and s.id = session and s.user_id = person
         ) as is_signed_in
    into known
    from users u
   where u.org_id = frontdesk.org_id() and u.id = person;
  if not found or not known.is_signed_in then
    raise exception using errcode = 'FD401', message = 'This session is not known, or it was ended: sign in again.';
  elsif known.deactivated_at is not null then
    raise exception using errcode = 'FD401', message = format('%s is no longer active here.', known.name);
  elsif known.role <> as_role then
    raise exception using errcode = 'FD403', message = 'Your role has changed meanwhile: send it again if it is still yours to do.';
  end if;
end $$;
