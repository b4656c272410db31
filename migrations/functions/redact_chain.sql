create or replace function frontdesk.redact_chain(before text, chain text, after text) returns text
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  written constant text[] := regexp_split_to_array(chain, '[^0-9０-９]+');
  gaps constant text[] := regexp_split_to_array(chain, '[0-9０-９]+');
  groups constant text[] := regexp_split_to_array(
    translate(chain, '０１２３４５６７８９', '0123456789'), '[^0-9]+');
  dash constant text := '^[\u00ad\u2010-\u2015\u2212\uff0d-]+$';
  digits constant text := regexp_replace(
    translate(chain, '０１２３４５６７８９', '0123456789'), '[^0-9]+', '', 'g');
  -- The most digits of a number dialled to another country, if the chain begins like one.
  longest_phone constant int := case
    when before like '%+' then 15
    when digits ~ '^00[1-9]' then 17
    when digits ~ '^011[1-9]' then 18
    else 0
  end;
  dialled_abroad constant boolean := length(digits) between 11 and longest_phone;
  card_ends int[] := '{}';
  ssn text;
  seen text := before;
  output text[] := '{}';
  at int := 1;
  last int;
begin
  if before like '%+' and length(digits) <= 15 then
    return chain;
  end if;
  if not dialled_abroad then
    card_ends := frontdesk.cards_in_usual_shape(
      groups,
      before ~ '[0-9]\.$' or length(groups[1]) <= longest_phone);
    if 0 = all (card_ends) then
      card_ends := frontdesk.cards_in_other_shape(
        groups,
        frontdesk.familiar_numbers(
          groups, array(select gap ~ dash from unnest(gaps) as gap), longest_phone, before, after));
    end if;
  end if;
  while at <= cardinality(groups) loop
    last := coalesce(card_ends[at], 0);
    if last = 0 then
      ssn := null;
      if length(groups[at]) = 9 then
        if lower(right(seen, 40) collate "C")
          ~ '(?:ssn|social[ \u00a0\u2000-\u200b\u202f\u3000\u00ad\u2010-\u2015\u2212\uff0d_-]*security).{0,20}$'
        then
          ssn := groups[at];
        end if;
      elsif length(groups[at]) = 3 and length(groups[at + 1]) = 2 and length(groups[at + 2]) = 4
        and (not dialled_abroad or gaps[at + 1] ~ dash and gaps[at + 2] ~ dash)
        and coalesce(card_ends[at + 1], 0) = 0 and coalesce(card_ends[at + 2], 0) = 0
      then
        ssn := groups[at] || groups[at + 1] || groups[at + 2];
      end if;
      if ssn ~ '^(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}$' then
        last := case length(groups[at]) when 9 then at else at + 2 end;
      end if;
    end if;
    if last = 0 then
      last := at;
      output := output || (written[at] || gaps[at + 1]);
    else
      output := output || ('[REDACTED]' || gaps[last + 1]);
    end if;
    for passed in at .. last loop
      seen := right(seen || written[passed] || gaps[passed + 1], 40);
    end loop;
    at := last + 1;
  end loop;
  return array_to_string(output, '');
end
$$;
comment on function frontdesk.redact_chain(text, text, text) is
  'Redacts digits joined by spaces and dashes, judged by what stands before and after them.';
