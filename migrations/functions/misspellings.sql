-- Each word of a folded text, and what is left of it without one of its letters. Two words that are one slip apart (a letter
-- wrong, missing, too many, or two swapped) have one of these in common, however short they are (the symmetric delete method,
-- https://github.com/wolfgarbe/SymSpell); trigrams find such words only when they are long.
create or replace function frontdesk.misspellings(word text) returns text[] language plpgsql immutable parallel safe
  set search_path = pg_catalog, public, pg_temp as $$
declare
  spellings text[] := array[word];
begin
  if length(word) > 3 then
    for nth in 1 .. length(word) loop
      spellings := spellings || overlay(word placing '' from nth for 1);
    end loop;
  end if;
  return spellings;
end $$;
comment on function frontdesk.misspellings(text) is
  'A word, and what is left of it without one of its letters. Two words that are one slip apart (a letter wrong, missing, '
  'too many, or two swapped) have one of these in common, however short they are (the symmetric delete method).';
