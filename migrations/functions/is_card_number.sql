create or replace function frontdesk.is_card_number(digits text, in_groups boolean) returns boolean
  language sql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
  select length(digits) between 13 and 19
    and case
      when in_groups then digits !~ '^(?:0|19|20)'
      else digits !~ ('^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])'
        '(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9](?:[0-9]{3})?$')
    end
    and (
      select sum(case when nth % 2 = 1 then digit else digit * 2 / 10 + digit * 2 % 10 end) % 10 = 0
      from (
        select character::int as digit, nth
        from unnest(string_to_array(reverse(digits), null)) with ordinality as reversed (character, nth)
      ) as numbered
    )
$$;
comment on function frontdesk.is_card_number(text, boolean) is
  'Whether the digits pass Luhn and are neither a timestamp nor, written in groups, begin like a phone number or a year.';
