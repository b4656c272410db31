-- Card and social security numbers are never stored.
-- The same rules as capabilities/src/redact.rs, which explains them; redact_vectors.json holds both to it.
-- Here they are the last line: whatever path a text took, no card or social security number is stored.

create function frontdesk.redact(input text) returns text
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  output text := input;
  previous text;
begin
  loop
    if length(output) - length(translate(output, '0123456789０１２３４５６７８９', '')) < 9 then
      return output;
    end if;
    previous := output;
    output := frontdesk.redact_once(previous);
    if output = previous then
      return output;
    end if;
  end loop;
end
$$;
comment on function frontdesk.redact(text) is
  'Replaces payment card and social security numbers by [REDACTED].';

create function frontdesk.redact_once(input text) returns text
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  id constant text := '(?<![0-9０-９A-Za-z])'
    '(?:[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24,})'
    '(?![0-9０-９A-Za-z])';
  chain constant text := '[0-9０-９](?:[ \u00a0\u2000-\u200b\u202f\u3000\u00ad\u2010-\u2015\u2212\uff0d-]{0,3}[0-9０-９])*';
  parts text[] := regexp_split_to_array(input, id);
  ids text[] := array(select hit[1] from regexp_matches(input, '(' || id || ')', 'g') as hit);
  between_chains text[];
  chains text[];
  output text[] := '{}';
  seen text := '';
begin
  for part in 1 .. cardinality(parts) loop
    between_chains := regexp_split_to_array(parts[part], chain);
    chains := array(select hit[1] from regexp_matches(parts[part], '(' || chain || ')', 'g') as hit);
    for nth in 1 .. cardinality(chains) loop
      seen := right(seen || between_chains[nth], 40);
      output := output || (between_chains[nth] || case
        when length(chains[nth]) < 9 then chains[nth]
        else frontdesk.redact_chain(seen, chains[nth], between_chains[nth + 1])
      end);
      seen := right(seen || chains[nth], 40);
    end loop;
    output := output || (between_chains[cardinality(between_chains)] || coalesce(ids[part], ''));
    seen := right(seen || between_chains[cardinality(between_chains)] || ids[part], 40);
  end loop;
  return array_to_string(output, '');
end
$$;
comment on function frontdesk.redact_once(text) is
  'One round of redact: leaves ids alone and looks at each chain of digits in what is between them.';

create function frontdesk.redact_chain(before text, chain text, after text) returns text
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

create function frontdesk.is_card_number(digits text, in_groups boolean) returns boolean
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

create function frontdesk.cards_in_usual_shape(groups text[], first_is_none boolean) returns int[]
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  shapes constant text[] := '{4-4-4-4-3,4-4-4-4-2,4-4-4-4-1,4-4-4-4,4-6-5,4-4-4-3,4-6-4,4-4-4-2,4-4-4-1}';
  shape text;
  shape_here text;
  digits text;
  candidates int[] := array_fill(0, array[cardinality(groups)]);
  card_of int[] := candidates;
  ends int[] := candidates;
  free int := 1;
begin
  for at in 1 .. cardinality(groups) loop
    if length(groups[at]) = 4 then
      shape_here := concat_ws('-', 4, length(groups[at + 1]), length(groups[at + 2]), length(groups[at + 3]),
        length(groups[at + 4]), '');
      foreach shape in array shapes loop
        if starts_with(shape_here, shape || '-') then
          digits := '';
          for nth in at .. at + length(shape) / 2 loop
            digits := digits || groups[nth];
          end loop;
          if frontdesk.is_card_number(digits, true) then
            candidates[at] := at + length(shape) / 2;
            exit;
          end if;
        end if;
      end loop;
    elsif frontdesk.is_card_number(groups[at], false) and not (at = 1 and first_is_none) then
      candidates[at] := at;
    end if;
    if at >= free and candidates[at] > 0 then
      free := candidates[at] + 1;
      for nth in at .. candidates[at] loop
        card_of[nth] := at;
      end loop;
    end if;
  end loop;
  for at in 1 .. cardinality(groups) loop
    for nth in at .. candidates[at] loop
      if card_of[nth] = 0 then
        card_of[nth] := card_of[nth - 1];
      end if;
    end loop;
  end loop;
  for at in 1 .. cardinality(groups) loop
    if card_of[at] > 0 then
      ends[card_of[at]] := at;
    end if;
  end loop;
  return ends;
end
$$;
comment on function frontdesk.cards_in_usual_shape(text[], boolean) is
  'For each group of digits, the last group of the card that starts there, or 0.';

create function frontdesk.familiar_numbers(
  groups text[], dashed boolean[], longest_phone int, before text, after text
) returns boolean[]
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  day_of_year constant text := '^(?:19|20)[0-9]{2}-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12][0-9]|3[01])$';
  familiar boolean[] := array_fill(false, array[cardinality(groups)]);
  phone int := longest_phone;
  at int := 1;
  step int;
  here text;
begin
  while length(groups[at]) <= phone loop
    phone := phone - length(groups[at]);
    familiar[at] := true;
    at := at + 1;
  end loop;
  while at <= cardinality(groups) loop
    here := concat_ws('-', length(groups[at]), length(groups[at + 1]), length(groups[at + 2]), length(groups[at + 3]));
    step := case
      when here = '1-3-3-4' and groups[at] = '1' then 4
      when starts_with(here || '-', '3-3-4-') then 3
      when here ~ '^4-[12]-[12](?:-|$)'
        and (
          concat_ws('-', groups[at], groups[at + 1], groups[at + 2]) ~ day_of_year
          or concat_ws('-', groups[at], groups[at + 2], groups[at + 1]) ~ day_of_year
        ) then 3
      when here ~ '^[12]-[12]-4(?:-|$)'
        and (
          concat_ws('-', groups[at + 2], groups[at + 1], groups[at]) ~ day_of_year
          or concat_ws('-', groups[at + 2], groups[at], groups[at + 1]) ~ day_of_year
        ) then 3
      when starts_with(here || '-', '5-4-') and dashed[at + 1] and not dashed[at] and not dashed[at + 2] then 2
      when length(groups[at]) > 19 then 1
      when dashed[at] or dashed[at + 1] then 0
      when length(groups[at]) in (5, 9, 10) then 1
      when length(groups[at]) = 11 and groups[at] like '1%' then 1
      when length(groups[at]) = 8
        and groups[at] ~ '^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$' then 1
      else 0
    end;
    for nth in at .. at + step - 1 loop
      familiar[nth] := true;
    end loop;
    at := at + greatest(step, 1);
  end loop;
  if before ~ '[0-9]\.$' or before ~ '[/:]$' and length(groups[1]) <= 4 then
    familiar[1] := true;
  end if;
  if after ~ '^[/:]' and length(groups[cardinality(groups)]) <= 2 then
    familiar[cardinality(groups)] := true;
  end if;
  return familiar;
end
$$;
comment on function frontdesk.familiar_numbers(text[], boolean[], int, text, text) is
  'For each group of digits, whether it belongs to a phone number, a date, a time or a ZIP code.';

create function frontdesk.cards_in_other_shape(groups text[], familiar boolean[]) returns int[]
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  ends int[] := array_fill(0, array[cardinality(groups)]);
  start int := 1;
  last int;
  len int;
  digits text;
begin
  while start <= cardinality(groups) loop
    last := start - 1;
    len := 0;
    while last < cardinality(groups) and not familiar[last + 1] loop
      last := last + 1;
      len := len + length(groups[last]);
    end loop;
    -- At most 19 digits and a short group at either end.
    if len between 13 and 27 then
      <<candidates>>
      for skipped in 0 .. (length(groups[start]) <= 4)::int loop
        for dropped in 0 .. (length(groups[last]) <= 4)::int loop
          digits := '';
          for nth in start + skipped .. last - dropped loop
            digits := digits || groups[nth];
          end loop;
          if last - dropped > start + skipped and frontdesk.is_card_number(digits, true) then
            ends[start + skipped] := last - dropped;
            exit candidates;
          end if;
        end loop;
      end loop;
    end if;
    start := last + 2;
  end loop;
  return ends;
end
$$;
comment on function frontdesk.cards_in_other_shape(text[], boolean[]) is
  'For each group of digits, the last group of the card that starts there, or 0; whatever is familiar takes no part.';

create function frontdesk.redact_columns() returns trigger
  language plpgsql
  set search_path = pg_catalog, frontdesk
as $$
declare
  written constant jsonb := to_jsonb(new);
  redacted jsonb := '{}';
  name text;
  output text;
begin
  foreach name in array tg_argv loop
    if coalesce(jsonb_typeof(written -> name), 'missing') not in ('string', 'null') then
      raise exception '%.% cannot be redacted: it is no text column', tg_table_name, name;
    end if;
    output := frontdesk.redact(written ->> name);
    if output <> written ->> name then
      redacted := redacted || jsonb_build_object(name, output);
    end if;
  end loop;
  if redacted <> '{}' then
    return jsonb_populate_record(new, redacted);
  end if;
  return new;
end
$$;
comment on function frontdesk.redact_columns() is
  'Trigger for insert and update: redacts the text columns named as its arguments.';


create trigger redact before insert on call_log for each row execute function frontdesk.redact_columns('reasoning');
