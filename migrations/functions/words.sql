-- Signs are named by their numbers, so that words are the same whatever the database's locale takes for a letter.
create or replace function frontdesk.words(folded text) returns text[] language sql immutable parallel safe
  as $$ select array_remove(regexp_split_to_array(
          regexp_replace(folded, '([^ ]{100})[^ ]+', '\1', 'g'),
          '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7'
          '\u2000-\u206f\u3000-\u303f\ufe30-\ufe4f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+'), '') $$;
comment on function frontdesk.words(text) is
  'The words of a folded text: what stands between signs and spaces, cut where it is too long to be a word.';
