-- Each word of a folded text, and what is left of it without one of its letters. Two words that are one slip apart (a letter
-- wrong, missing, too many, or two swapped) have one of these in common, however short they are (the symmetric delete method,
-- https://github.com/wolfgarbe/SymSpell); trigrams find such words only when they are long.
create or replace function frontdesk.misspellings(folded text) returns text[] language sql immutable parallel safe
  set search_path = pg_catalog as $$
  select coalesce(array_agg(distinct spelling), '{}')
    from (select distinct word from regexp_split_to_table(folded, '[^[:alnum:]]+') word where word ~ '[[:alpha:]]') words
   cross join lateral (
     select word
     union all
     select overlay(word placing '' from nth for 1) from generate_series(1, length(word)) nth where length(word) > 3
   ) as spellings (spelling)
$$;
