create or replace function frontdesk.words_of_reach(reach text) returns text[] language plpgsql immutable parallel safe
  set search_path = pg_catalog, public, pg_temp as $$
declare
  found text[] := '{}';
  way text;
  backwards text := '';
begin
  foreach way in array string_to_array(reach, ' ') loop
    if way like '%@%' then
      found := found || frontdesk.words_of_email(frontdesk.fold(way));
    elsif way <> '' then
      found := found || way;
      -- People remember how a number ends: backwards, that is how it begins. A number without its country's code ends
      -- like the one with it, which goes first.
      if not starts_with(backwards, '<' || reverse(way)) then
        backwards := '<' || reverse(way);
        found := found || backwards;
      end if;
    end if;
  end loop;
  return found;
end $$;
comment on function frontdesk.words_of_reach(text) is
  'What e-mail addresses and the digits of phone numbers, with spaces between, are found by.';
