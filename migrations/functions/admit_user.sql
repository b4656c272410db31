-- Refuses whoever is signed in no more or has another role by now: asked in the message that opens a transaction that writes.
create or replace function frontdesk.admit_user(person uuid, as_role text, session uuid) returns void
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
