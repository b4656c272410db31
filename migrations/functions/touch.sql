-- Counts the version up and stamps the time when anything really changed; a repeated update changes nothing. A change of
-- a part in another table is told by `version = version + 1`.
-- Argument: the derived columns. Generated ones are not computed yet when this runs, so they are not compared.
create or replace function frontdesk.touch() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  if to_jsonb(new) - string_to_array(tg_argv[0], ',') is distinct from to_jsonb(old) - string_to_array(tg_argv[0], ',') then
    new.version := old.version + 1;
    new.updated_at := coalesce(frontdesk.call_time(), old.updated_at);
  end if;
  return new;
end $$;
