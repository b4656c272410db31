create or replace function frontdesk.any_of(words text[]) returns tsquery language sql immutable parallel safe
  as $$ select ('''' || array_to_string(words, ''' | ''') || '''')::tsquery $$;
comment on function frontdesk.any_of(text[]) is 'A question for one of several words of letters and digits.';
